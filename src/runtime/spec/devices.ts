import { type Dirent, readdirSync, type Stats, statSync } from 'node:fs';
import { join } from 'node:path';
import { internal, invalid, isSystemError } from '#/base/errors.ts';
import type { OciDevice, OciDeviceRule } from '#/oci/runtime-spec.ts';

/** Device nodes with the cgroup rules that let the container use them. */
export interface Devices {
  readonly nodes: readonly OciDevice[];
  readonly rules: readonly OciDeviceRule[];
}

/**
 * Comes before a container's own rules: all else is denied. Runtimes themselves allow what every container may use (to
 * make any node, and null, zero, full, tty, random, urandom, console, ptmx and the pseudo terminals).
 */
export const noDevices: OciDeviceRule = { allow: false, access: 'rwm' };

/** What a privileged container may use. */
export const allDevices: OciDeviceRule = { allow: true, access: 'rwm' };

/** A host's device to show in a container. */
export interface DeviceRequest {
  /** A device node, or a directory whose nodes are all meant. */
  readonly hostPath: string;
  readonly containerPath: string;
  /** Some of r, w, m. */
  readonly access: string;
}

/** How far a directory of devices is followed down. */
const maxDepth = 8;

/** Looks a `--device` up on the host. Throws `invalid` on a bad access, and what Docker says if there is no device. */
export function lookUpDevice({ hostPath, containerPath, access }: DeviceRequest): Devices {
  checkAccess(access);
  const stats = statSync(hostPath, { throwIfNoEntry: false });
  if (stats === undefined) throw noDevice(hostPath, 'no such file or directory');
  if (!stats.isDirectory()) {
    const node = deviceNode(containerPath, stats);
    if (node === undefined) throw noDevice(hostPath, 'not a device node');
    return { nodes: [node], rules: [ruleFor(node, access)] };
  }
  const nodes = nodesBelow(hostPath, containerPath, 0);
  if (nodes.length === 0) throw noDevice(hostPath, 'not a device node');
  return { nodes, rules: nodes.map((node) => ruleFor(node, access)) };
}

/** The nodes under the host's /dev for a privileged container, without those that every container has of its own. */
export function hostDevices(): readonly OciDevice[] {
  return nodesBelow('/dev', '/dev', 0).filter(({ path }) => !ownDevices.has(path));
}

const ownDevices: ReadonlySet<string> = new Set([
  '/dev/console',
  '/dev/full',
  '/dev/null',
  '/dev/ptmx',
  '/dev/random',
  '/dev/tty',
  '/dev/urandom',
  '/dev/zero',
]);

/** Directories of /dev that are file systems of their own in a container, or belong to other engines. */
const ownDirectories: ReadonlySet<string> = new Set([
  'pts',
  'shm',
  'fd',
  'mqueue',
  '.lxc',
  '.lxd-mounts',
  '.udev',
]);

/** Parses a `--device-cgroup-rule`: "c 1:3 rwm", "a *:* rwm", "b 8:* r". Throws `invalid`. */
export function parseDeviceRule(text: string): OciDeviceRule {
  const match = /^([acb]) (\d{1,9}|\*):(\d{1,9}|\*) ([rwm]{1,3})$/.exec(text);
  if (match === null) throw invalid(`invalid device cgroup rule format: '${text}'`);
  const [, type = 'a', major = '*', minor = '*', access = ''] = match;
  return {
    allow: true,
    type: type === 'c' || type === 'b' ? type : 'a',
    ...(major === '*' ? {} : { major: Number(major) }),
    ...(minor === '*' ? {} : { minor: Number(minor) }),
    access,
  };
}

/** The number of the block device at `path`, for limits of its traffic. Throws `invalid`. */
export function blockDevice(path: string): { readonly major: number; readonly minor: number } {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined) throw invalid(`stat ${path}: no such file or directory`);
  if (!stats.isBlockDevice()) throw invalid(`"${path}" is not a block device`);
  return { major: major(stats.rdev), minor: minor(stats.rdev) };
}

function checkAccess(access: string): void {
  if (!/^[rwm]{1,3}$/.test(access) || new Set(access).size !== access.length) {
    throw invalid(`invalid device mode: ${access}`);
  }
}

function noDevice(path: string, reason: string): Error {
  return internal(`error gathering device information while adding custom device "${path}": ${reason}`);
}

function nodesBelow(host: string, container: string, depth: number): OciDevice[] {
  return entriesOf(host).flatMap((entry) => {
    const from = join(host, entry.name);
    const to = join(container, entry.name);
    if (entry.isDirectory()) {
      if (ownDirectories.has(entry.name) || depth === maxDepth) return [];
      return nodesBelow(from, to, depth + 1);
    }
    if (!entry.isCharacterDevice() && !entry.isBlockDevice()) return [];
    // Devices come and go: one that has gone since the listing is none.
    const stats = statSync(from, { throwIfNoEntry: false });
    const node = stats === undefined ? undefined : deviceNode(to, stats);
    return node === undefined ? [] : [node];
  });
}

function entriesOf(directory: string): Dirent[] {
  try {
    return readdirSync(directory, { withFileTypes: true });
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}

function deviceNode(path: string, stats: Stats): OciDevice | undefined {
  if (!stats.isCharacterDevice() && !stats.isBlockDevice()) return undefined;
  return {
    path,
    type: stats.isBlockDevice() ? 'b' : 'c',
    major: major(stats.rdev),
    minor: minor(stats.rdev),
    fileMode: stats.mode & 0o7777,
    uid: stats.uid,
    gid: stats.gid,
  };
}

function ruleFor(node: OciDevice, access: string): OciDeviceRule {
  const { major: majorNumber, minor: minorNumber } = node;
  return {
    allow: true,
    type: node.type === 'b' ? 'b' : 'c',
    ...(majorNumber === undefined ? {} : { major: majorNumber }),
    ...(minorNumber === undefined ? {} : { minor: minorNumber }),
    access,
  };
}

/** The halves of a dev_t as the kernel gives it to stat (linux/kdev_t.h, new_decode_dev, wider in glibc). */
function major(device: number): number {
  return Number(((BigInt(device) >> 8n) & 0xfffn) | ((BigInt(device) >> 32n) & 0xfffff000n));
}

function minor(device: number): number {
  return Number((BigInt(device) & 0xffn) | ((BigInt(device) >> 12n) & 0xffffff00n));
}
