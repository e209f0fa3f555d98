import { readFileSync } from 'node:fs';
import { invalid } from '#/base/errors.ts';

/** All capabilities in the order of their kernel numbers (linux/capability.h). */
export const allCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_DAC_READ_SEARCH',
  'CAP_FOWNER',
  'CAP_FSETID',
  'CAP_KILL',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETPCAP',
  'CAP_LINUX_IMMUTABLE',
  'CAP_NET_BIND_SERVICE',
  'CAP_NET_BROADCAST',
  'CAP_NET_ADMIN',
  'CAP_NET_RAW',
  'CAP_IPC_LOCK',
  'CAP_IPC_OWNER',
  'CAP_SYS_MODULE',
  'CAP_SYS_RAWIO',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SYS_PACCT',
  'CAP_SYS_ADMIN',
  'CAP_SYS_BOOT',
  'CAP_SYS_NICE',
  'CAP_SYS_RESOURCE',
  'CAP_SYS_TIME',
  'CAP_SYS_TTY_CONFIG',
  'CAP_MKNOD',
  'CAP_LEASE',
  'CAP_AUDIT_WRITE',
  'CAP_AUDIT_CONTROL',
  'CAP_SETFCAP',
  'CAP_MAC_OVERRIDE',
  'CAP_MAC_ADMIN',
  'CAP_SYSLOG',
  'CAP_WAKE_ALARM',
  'CAP_BLOCK_SUSPEND',
  'CAP_AUDIT_READ',
  'CAP_PERFMON',
  'CAP_BPF',
  'CAP_CHECKPOINT_RESTORE',
];

/** What a container has unless asked otherwise: Docker's fourteen. */
const defaultCapabilities: readonly string[] = [
  'CAP_CHOWN',
  'CAP_DAC_OVERRIDE',
  'CAP_FSETID',
  'CAP_FOWNER',
  'CAP_MKNOD',
  'CAP_NET_RAW',
  'CAP_SETGID',
  'CAP_SETUID',
  'CAP_SETFCAP',
  'CAP_SETPCAP',
  'CAP_NET_BIND_SERVICE',
  'CAP_SYS_CHROOT',
  'CAP_KILL',
  'CAP_AUDIT_WRITE',
];

/** What a caller wants: names with or without "CAP_", in any case, or ALL. */
export interface CapabilityRequest {
  readonly privileged: boolean;
  readonly add: readonly string[];
  readonly drop: readonly string[];
}

/**
 * The capabilities of a container by Docker's rules: all if privileged; else the defaults, or with ALL added all, or
 * with ALL dropped none, then without what is dropped and with what is added (adding one wins over dropping ALL).
 * Throws `invalid` on unknown names. `held` is what the daemon may give away.
 */
export function resolveCapabilities(
  request: CapabilityRequest,
  held: ReadonlySet<string>,
): readonly string[] {
  const add = new Set(request.add.map(normalize));
  const drop = new Set(request.drop.map(normalize));
  return allCapabilities.filter((name) => held.has(name) && wanted(name, { ...request, add, drop }));
}

function wanted(
  name: string,
  { privileged, add, drop }: { privileged: boolean; add: ReadonlySet<string>; drop: ReadonlySet<string> },
): boolean {
  if (privileged) return true;
  if (add.has('ALL')) return !drop.has(name);
  if (drop.has('ALL')) return add.has(name);
  return add.has(name) || (defaultCapabilities.includes(name) && !drop.has(name));
}

function normalize(text: string): string {
  const name = text.trim().toUpperCase();
  if (name === 'ALL' || name === 'CAP_ALL') return 'ALL';
  const full = name.startsWith('CAP_') ? name : `CAP_${name}`;
  if (!allCapabilities.includes(full)) throw invalid(`invalid capability: "${text}"`);
  return full;
}

/** Tells whether `text` names a capability or ALL, the way `--cap-add` takes it; throws `invalid` if not. */
export function checkCapability(text: string): void {
  normalize(text);
}

/** The capabilities in the bounding set of this process: nothing that it starts can have more. */
export function heldCapabilities(): ReadonlySet<string> {
  const line = /^CapBnd:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'utf8'));
  if (line?.[1] === undefined) throw new Error('/proc/self/status has no CapBnd line');
  const bits = BigInt(`0x${line[1]}`);
  return new Set(allCapabilities.filter((_name, number) => (bits >> BigInt(number)) & 1n));
}
