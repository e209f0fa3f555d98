import { readFileSync } from 'node:fs';
import { AT_FDCWD, fstatat } from './at.ts';

/** One line of /proc/PID/mountinfo; see proc_pid_mountinfo(5). */
export interface MountInfo {
  readonly id: number;
  readonly parent: number;
  /** "major:minor" of the files on it. */
  readonly device: string;
  /** The directory of the file system that is its root; for network namespaces "net:[inode]". */
  readonly root: string;
  readonly mountPoint: string;
  /** Options of this mount. */
  readonly options: readonly string[];
  /** Propagation: "shared:N", "master:N", "propagate_from:N", "unbindable"; none is a private mount. */
  readonly tags: readonly string[];
  readonly type: string;
  readonly source: string;
  /** Options of the file system. */
  readonly superOptions: readonly string[];
}

/** The mounts that a process sees, in the kernel's order. */
export function readMountInfo(pid: number | 'self' = 'self'): MountInfo[] {
  return parseMountInfo(readFileSync(`/proc/${pid}/mountinfo`, 'utf8'));
}

/** Parses the text of a mountinfo file; throws on a line of another form. */
export function parseMountInfo(text: string): MountInfo[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(parseLine);
}

function parseLine(line: string): MountInfo {
  const words = line.split(' ');
  // Any number of tags stands between the sixth word and a lone "-".
  const dash = words.indexOf('-', 6);
  const [id, parent, device, root, mountPoint, options] = words;
  const [type, source, superOptions] = dash < 0 ? [] : words.slice(dash + 1);
  if (
    !/^\d+$/.test(id ?? '') ||
    !/^\d+$/.test(parent ?? '') ||
    device === undefined ||
    root === undefined ||
    mountPoint === undefined ||
    options === undefined ||
    type === undefined ||
    source === undefined
  ) {
    throw new Error(`unexpected line in mountinfo: ${JSON.stringify(line)}`);
  }
  return {
    id: Number(id),
    parent: Number(parent),
    device,
    root: unescapeOctal(root),
    mountPoint: unescapeOctal(mountPoint),
    options: options.split(','),
    tags: words.slice(6, dash),
    type: unescapeOctal(type),
    source: unescapeOctal(source),
    superOptions: superOptions === undefined ? [] : superOptions.split(',').map(unescapeOctal),
  };
}

/** The kernel writes space, tab, newline, backslash, "#" and, in an option, a comma as \ and three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}

/** Tells whether something is mounted exactly at `path` (of a link: on the link itself, so never). ENOENT throws. */
export function isMountPoint(path: string): boolean {
  return fstatat(AT_FDCWD, path).mountRoot;
}

/** How mount events travel at the mount that holds a path. */
export type Propagation = 'private' | 'shared' | 'slave' | 'slave,shared' | 'unbindable';

/** The mount that holds `path`. */
export function mountOf(path: string): MountInfo {
  const { mountId } = fstatat(AT_FDCWD, path);
  const mount = readMountInfo().find((candidate) => BigInt(candidate.id) === mountId);
  if (mount === undefined) throw new Error(`no mount with id ${mountId} holds "${path}"`);
  return mount;
}

/** The propagation of the mount that holds `path`. */
export function propagationOf(path: string): Propagation {
  return propagationOfMount(mountOf(path));
}

/** The propagation that a mount's tags tell. */
export function propagationOfMount({ tags }: Pick<MountInfo, 'tags'>): Propagation {
  const has = (prefix: string): boolean => tags.some((tag) => tag.startsWith(prefix));
  if (has('unbindable')) return 'unbindable';
  if (has('master:')) return has('shared:') ? 'slave,shared' : 'slave';
  return has('shared:') ? 'shared' : 'private';
}
