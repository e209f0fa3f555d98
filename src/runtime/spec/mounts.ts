import { statSync } from 'node:fs';
import { normalize } from 'node:path/posix';
import { invalid } from '#/base/errors.ts';
import type { OciMount } from '#/oci/runtime-spec.ts';
import type { MountInput, Propagation, SpecInput } from './input.ts';
import { resolveInRootfs } from './rootfs.ts';

/** Files of /proc that may be mounted over: what tools that show a container its own limits replace. */
const procExceptions: ReadonlySet<string> = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/loadavg',
  '/proc/meminfo',
  '/proc/net/dev',
  '/proc/slabinfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/uptime',
  '/proc/sys/kernel/ns_last_pid',
  '/proc/sys/crypto/fips_enabled',
]);

/** Words of tmpfs options that exclude each other. */
const opposites: readonly (readonly string[])[] = [
  ['exec', 'noexec'],
  ['suid', 'nosuid'],
  ['dev', 'nodev'],
  ['ro', 'rw'],
  ['sync', 'async'],
  ['atime', 'noatime'],
  ['diratime', 'nodiratime'],
  ['relatime', 'norelatime'],
  ['strictatime', 'nostrictatime'],
  ['mand', 'nomand'],
];

/** tmpfs(5) options with a value. */
const tmpfsValues: ReadonlySet<string> = new Set([
  'size',
  'nr_blocks',
  'nr_inodes',
  'mode',
  'uid',
  'gid',
  'mpol',
]);

/** Where the init of ours is put. */
export const initTarget = '/sbin/docker-init';

/** All mounts in the order to make them: the defaults except what users replace, then the others, parents first. */
export function ociMounts(input: SpecInput): OciMount[] {
  const mounts = input.mounts.map((mount) => ({ ...mount, target: checkTarget(input.rootfs, mount.target) }));
  if (input.init !== undefined) {
    mounts.push({ kind: 'bind', source: input.init, target: initTarget, readonly: 'yes' });
  }
  const replaced = new Set(mounts.map(({ target }) => target));
  return [
    ...defaultMounts(input).filter(({ destination }) => !replaced.has(destination)),
    ...mounts.toSorted((a, b) => depth(a.target) - depth(b.target)).map(ociMount),
  ];
}

/** What the root's own propagation must be for `mounts` to have theirs. */
export function rootfsPropagation(mounts: readonly MountInput[]): string | undefined {
  const asked = new Set(mounts.map((mount) => (mount.kind === 'bind' ? mount.propagation : undefined)));
  if (asked.has('shared') || asked.has('rshared')) return 'shared';
  if (asked.has('slave') || asked.has('rslave')) return 'rslave';
  return undefined;
}

/** Throws `invalid` unless users may mount at `target` (absolute); the answer is normalized. */
function checkMountTarget(target: string): string {
  if (!target.startsWith('/')) throw invalid(`invalid mount path: '${target}' mount path must be absolute`);
  const path = normalize(target).replace(/(.)\/+$/, '$1');
  if (path === '/') throw invalid("invalid mount: destination can't be '/'");
  if (path === '/dev' || path === '/proc' || path === '/sys') {
    throw invalid(
      `invalid mount: destination "${path}" belongs to the container's own devices and kernel files`,
    );
  }
  if (path.startsWith('/proc/') && !procExceptions.has(path)) {
    throw invalid(`invalid mount: destination "${path}" is inside /proc`);
  }
  return path;
}

function checkTarget(rootfs: string, target: string): string {
  const path = checkMountTarget(target);
  // Those get file systems of their own: what the image has there does not count.
  if (/^\/(dev|proc|sys)\//.test(path)) return path;
  return checkMountTarget(resolveInRootfs(rootfs, path));
}

function defaultMounts({ privileged, writableCgroups = privileged, shm }: SpecInput): OciMount[] {
  const access = privileged ? 'rw' : 'ro';
  const safe = ['nosuid', 'noexec', 'nodev'];
  const mounts: OciMount[] = [
    { destination: '/proc', type: 'proc', source: 'proc', options: safe },
    {
      destination: '/dev',
      type: 'tmpfs',
      source: 'tmpfs',
      options: ['nosuid', 'strictatime', 'mode=755', 'size=65536k'],
    },
    {
      destination: '/dev/pts',
      type: 'devpts',
      source: 'devpts',
      options: ['nosuid', 'noexec', 'newinstance', 'ptmxmode=0666', 'mode=0620', 'gid=5'],
    },
    { destination: '/sys', type: 'sysfs', source: 'sysfs', options: [...safe, access] },
    {
      destination: '/sys/fs/cgroup',
      type: 'cgroup',
      source: 'cgroup',
      options: [...safe, 'relatime', writableCgroups ? 'rw' : 'ro'],
    },
    { destination: '/dev/mqueue', type: 'mqueue', source: 'mqueue', options: safe },
  ];
  switch (shm.kind) {
    case 'new': {
      const options = [...safe, 'mode=1777', `size=${shm.size}`];
      mounts.push({ destination: '/dev/shm', type: 'tmpfs', source: 'shm', options });
      break;
    }
    case 'bind':
      mounts.push({
        destination: '/dev/shm',
        type: 'bind',
        source: shm.source,
        options: ['rbind', 'rprivate'],
      });
      break;
    case 'none':
      break;
  }
  return mounts;
}

function ociMount(mount: MountInput): OciMount {
  if (mount.kind === 'tmpfs') {
    const options = mergeTmpfsOptions(['noexec', 'nosuid', 'nodev'], mount.options);
    return { destination: mount.target, type: 'tmpfs', source: 'tmpfs', options };
  }
  const { source, target, readonly, nonRecursive = false } = mount;
  const propagation: Propagation = mount.propagation ?? 'rprivate';
  // crun joins the flags of all options: a recursive propagation would make the bind recursive too. Where nothing is
  // mounted below, both words mean the same.
  const options = nonRecursive ? ['bind', propagation.replace(/^r/, '')] : ['rbind', propagation];
  if (readonly !== 'no') options.push('ro');
  // crun can set recursive attributes on directories only; below a file nothing can be mounted.
  if (readonly === 'recursive' && statSync(source).isDirectory()) options.push('rro');
  return { destination: target, type: 'bind', source, options };
}

/**
 * The defaults with the user's options over them, the later of two opposites winning. Throws `invalid` on a word that
 * tmpfs does not know.
 */
export function mergeTmpfsOptions(defaults: readonly string[], options: readonly string[]): string[] {
  const merged = new Map<string, string>();
  for (const option of [...defaults, ...options]) {
    if (option !== '') merged.set(optionKey(option), option);
  }
  return [...merged.values()];
}

function optionKey(option: string): string {
  const [key = '', value] = option.split('=', 2);
  const pair = opposites.find((words) => words.includes(option));
  if (pair !== undefined) return pair.join('/');
  if (value !== undefined && value !== '' && tmpfsValues.has(key)) return key;
  throw invalid(`invalid tmpfs option "${option}"`);
}

function depth(path: string): number {
  return path.split('/').length;
}
