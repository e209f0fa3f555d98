import { BlockList, isIP } from 'node:net';

const loopback = new BlockList();
loopback.addSubnet('127.0.0.0', 8, 'ipv4');
loopback.addAddress('::1', 'ipv6');

const internal = new BlockList();
for (const [address, prefix] of [
  ['0.0.0.0', 8],
  ['10.0.0.0', 8],
  ['100.64.0.0', 10],
  ['127.0.0.0', 8],
  ['169.254.0.0', 16],
  ['172.16.0.0', 12],
  ['192.0.0.0', 24],
  ['192.168.0.0', 16],
  ['198.18.0.0', 15],
] as const) {
  internal.addSubnet(address, prefix, 'ipv4');
  // By way of NAT64 (RFC 6052).
  internal.addSubnet(`64:ff9b::${address}`, 96 + prefix, 'ipv6');
}
for (const [address, prefix] of [
  ['::', 127],
  ['fc00::', 7],
  ['fe80::', 10],
  ['fec0::', 10],
] as const) {
  internal.addSubnet(address, prefix, 'ipv6');
}

/** The name or address in the host of a URL or of a reference, without port and brackets, in lower case. */
export function hostnameOf(host: string): string {
  const name = host.startsWith('[') ? host.slice(1, host.indexOf(']')) : host.replace(/:\d+$/, '');
  return name.toLowerCase();
}

/** Tells whether a name or address means this machine. */
export function isLoopback(hostname: string): boolean {
  return hostname === 'localhost' || hostname.endsWith('.localhost') || inList(loopback, hostname);
}

/**
 * Tells whether an address is one that only inner networks have (RFC 1918, 4193, 6598, link-local, loopback). Names are not: where
 * they lead is known only when a connection stands.
 */
export function isInternal(hostname: string): boolean {
  // Link-local addresses can come with the interface.
  return isLoopback(hostname) || inList(internal, hostname.replace(/%.*$/, ''));
}

/** Tells whether an address is in a range such as `10.0.0.0/8`. */
export function inRange(address: string, cidr: string): boolean {
  const [base = '', prefix = ''] = cidr.split('/');
  const family = isIP(base);
  if (family === 0 || !/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const range = new BlockList();
  range.addSubnet(base, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
  return inList(range, address);
}

function inList(list: BlockList, address: string): boolean {
  const family = isIP(address);
  return family !== 0 && list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}
