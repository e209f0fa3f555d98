import { invalid } from '#/base/errors.ts';
import type { NamespacesInput } from './input.ts';

/** What Docker sets in every network namespace that it makes: ping and low ports without capabilities. */
export const defaultNetworkSysctls: Readonly<Record<string, string>> = {
  'net.ipv4.ip_unprivileged_port_start': '0',
  'net.ipv4.ping_group_range': '0 2147483647',
};

const ipcNames: ReadonlySet<string> = new Set([
  'kernel.msgmax',
  'kernel.msgmnb',
  'kernel.msgmni',
  'kernel.sem',
  'kernel.shmall',
  'kernel.shmmax',
  'kernel.shmmni',
  'kernel.shm_rmid_forced',
]);

/** Throws `invalid` on a setting that would change the host or another container instead of this one. */
export function checkSysctls(
  sysctls: Readonly<Record<string, string>>,
  { network, ipc, uts }: NamespacesInput,
): void {
  for (const name of Object.keys(sysctls)) {
    // "/" separates too (sysctl(8)), and would let "net/../kernel" through.
    if (!/^[a-z0-9_]+(\.[A-Za-z0-9_-]+)+$/.test(name)) throw invalid(`sysctl '${name}' is not a valid name`);
    const namespace = namespaceOf(name);
    if (namespace === undefined) throw invalid(`sysctl '${name}' is not in a separate kernel namespace`);
    if ({ network, ipc, uts }[namespace] === 'host') {
      throw invalid(`sysctl '${name}' not allowed in host ${namespace} namespace`);
    }
  }
}

function namespaceOf(name: string): 'network' | 'ipc' | 'uts' | undefined {
  if (name.startsWith('net.')) return 'network';
  if (ipcNames.has(name) || name.startsWith('fs.mqueue.')) return 'ipc';
  return name === 'kernel.domainname' ? 'uts' : undefined;
}
