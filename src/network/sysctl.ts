import { readFileSync, writeFileSync } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';

/**
 * Network parameters under /proc/sys/net belong to the network namespace that the calling thread is in: these
 * functions are synchronous, so that they can be used inside `inNetns`.
 */

/** Lets packets of 127.0.0.0/8 pass a device; the rules see to it that only answers to our own do. */
export function allowLoopbackAddresses(link: string): void {
  writeFileSync(`/proc/sys/net/ipv4/conf/${link}/route_localnet`, '1');
}

/**
 * Switches IPv6 off on a device: on a network without IPv6, containers would otherwise reach each other and the host by
 * link-local addresses, past every rule that is made for IPv4.
 */
export function disableIpv6(link: string): void {
  try {
    writeFileSync(`/proc/sys/net/ipv6/conf/${link}/disable_ipv6`, '1');
  } catch (error) {
    // The kernel has no IPv6 at all.
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
}

/** Tells whether the host forwards IPv4 packets. */
export function isForwarding(): boolean {
  return readFileSync('/proc/sys/net/ipv4/ip_forward', 'utf8').trim() === '1';
}

/** Makes the host forward IPv4 packets. */
export function startForwarding(): void {
  writeFileSync('/proc/sys/net/ipv4/ip_forward', '1');
}

/** Changes with every boot of the machine. */
export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}
