/** mount(2) flags; the kernel's numbers on every architecture. */
export const MS_RDONLY = 0x1;
export const MS_REMOUNT = 0x20;
export const MS_BIND = 0x1000;
export const MS_REC = 0x4000;

const MS_NOSUID = 0x2;
const MS_NODEV = 0x4;
const MS_NOEXEC = 0x8;
const MS_NOSYMFOLLOW = 0x100;
const MS_NOATIME = 0x400;
const MS_NODIRATIME = 0x800;
const MS_RELATIME = 0x200000;
const MS_STRICTATIME = 0x1000000;

/** MOUNT_ATTR_* of mount_setattr(2): properties of one mount, not of the file system on it. */
const ATTR_ATIME = 0x70;
const attributes: Readonly<Record<string, readonly [bit: number, mask: number, flag: number]>> = {
  ro: [0x1, 0x1, MS_RDONLY],
  nosuid: [0x2, 0x2, MS_NOSUID],
  nodev: [0x4, 0x4, MS_NODEV],
  noexec: [0x8, 0x8, MS_NOEXEC],
  nosymfollow: [0x200000, 0x200000, MS_NOSYMFOLLOW],
  nodiratime: [0x80, 0x80, MS_NODIRATIME],
  relatime: [0x00, ATTR_ATIME, MS_RELATIME],
  noatime: [0x10, ATTR_ATIME, MS_NOATIME],
  strictatime: [0x20, ATTR_ATIME, MS_STRICTATIME],
};

/** Words that undo an attribute. */
const opposites: Readonly<Record<string, string>> = {
  rw: 'ro',
  suid: 'nosuid',
  dev: 'nodev',
  exec: 'noexec',
  symfollow: 'nosymfollow',
  diratime: 'nodiratime',
  atime: 'noatime',
  norelatime: 'relatime',
  nostrictatime: 'strictatime',
};

const otherFlags: Readonly<Record<string, number>> = {
  sync: 0x10,
  remount: MS_REMOUNT,
  mand: 0x40,
  dirsync: 0x80,
  bind: MS_BIND,
  rbind: MS_BIND | MS_REC,
  silent: 0x8000,
  iversion: 0x800000,
  lazytime: 0x2000000,
};

const propagations: Readonly<Record<string, number>> = {
  unbindable: 0x20000,
  private: 0x40000,
  slave: 0x80000,
  shared: 0x100000,
};

/** How mount and unmount events travel between a mount and its copies; with "r" for everything below it as well. */
export type PropagationWord =
  | 'private'
  | 'rprivate'
  | 'shared'
  | 'rshared'
  | 'slave'
  | 'rslave'
  | 'unbindable'
  | 'runbindable';

/** The words of a mount's options, sorted by who takes them. */
export interface MountOptions {
  /** MS_* for mount(2), attributes included. */
  readonly flags: number;
  /** MOUNT_ATTR_* to set and to clear on the mount. */
  readonly set: number;
  readonly clear: number;
  readonly propagation: readonly PropagationWord[];
  /** What is left for the file system, in order. */
  readonly data: readonly string[];
}

/** Sorts fstab-like words; of words that contradict each other the last wins. */
export function parseMountOptions(words: readonly string[]): MountOptions {
  const result = {
    flags: 0,
    set: 0,
    clear: 0,
    propagation: [] as PropagationWord[],
    data: [] as string[],
  };
  for (const word of words) {
    if (word === 'defaults' || word === 'async' || word === '') continue;
    if (isPropagation(word)) result.propagation.push(word);
    else if (Object.hasOwn(otherFlags, word)) result.flags |= otherFlags[word] ?? 0;
    else if (!applyAttribute(result, word)) result.data.push(word);
  }
  return result;
}

/** The mount(2) flags of a propagation word. */
export function propagationFlags(word: PropagationWord): number {
  const plain = propagations[word];
  return plain ?? (propagations[word.slice(1)] ?? 0) | MS_REC;
}

function isPropagation(word: string): word is PropagationWord {
  return (
    Object.hasOwn(propagations, word) || (word.startsWith('r') && Object.hasOwn(propagations, word.slice(1)))
  );
}

function applyAttribute(result: { flags: number; set: number; clear: number }, word: string): boolean {
  const on = Object.hasOwn(attributes, word);
  const name = on ? word : Object.hasOwn(opposites, word) ? opposites[word] : undefined;
  const attribute = name === undefined ? undefined : attributes[name];
  if (attribute === undefined) return false;
  const [bit, mask, flag] = attribute;
  if (mask === ATTR_ATIME) result.flags &= ~(MS_NOATIME | MS_RELATIME | MS_STRICTATIME);
  result.set &= ~mask;
  result.clear |= mask;
  if (on) {
    result.set |= bit;
    result.flags |= flag;
  } else {
    result.flags &= ~flag;
  }
  return true;
}
