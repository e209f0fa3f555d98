import { constants as os } from 'node:os';
import { AT_EMPTY_PATH, AT_FDCWD, close } from './at.ts';
import { check, systemError } from './errno.ts';
import { type Bytes, cstring, errno, libc, type Memory, syscalls } from './libc.ts';
import { mountNewApi } from './mount-context.ts';
import {
  type MountOptions,
  MS_BIND,
  MS_REC,
  MS_REMOUNT,
  type PropagationWord,
  parseMountOptions,
  propagationFlags,
} from './mount-options.ts';

/** One mount as the parts of an engine hand it to each other: what to mount, not yet where. */
export interface Mount {
  /** File system type; ignored ("bind", "none") when the options say bind or rbind. */
  readonly type: string;
  readonly source: string;
  /** fstab-like words: ro, nosuid, bind, rprivate…; what is not a known word goes to the file system. */
  readonly options: readonly string[];
}

/** mount(2) copies one page and ends it with a NUL. */
const dataLimit = 4095;

/**
 * Mounts `m` on `target`, following links there. A bind mount takes ro, nosuid… at once, without a moment in which it
 * has less; words that are not given stay as on the source. Options longer than a page go through fsconfig(2).
 */
export function mount(m: Mount, target: string): void {
  const options = parseMountOptions(m.options);
  if (options.flags & MS_BIND) bindOrRemount(m.source, target, options);
  else mountFileSystem(m, target, options);
  for (const word of options.propagation) setPropagation(target, word);
}

/** How to take a mount away. */
export interface UnmountOptions {
  /** Take it out of the tree now, and free it when nobody uses it any more (MNT_DETACH). Otherwise: EBUSY. */
  readonly detach?: boolean;
}

const MNT_DETACH = 2;
const UMOUNT_NOFOLLOW = 8;

/** Unmounts the topmost mount at `target`; throws EINVAL when nothing is mounted there. Does not follow a link. */
export function unmount(target: string, { detach = false }: UnmountOptions = {}): void {
  check(libc.umount2(cstring(target), UMOUNT_NOFOLLOW | (detach ? MNT_DETACH : 0)), 'umount2', target);
}

/** Sets how mount events at `target` travel; EINVAL when it is not a mount point. */
export function setPropagation(target: string, word: PropagationWord): void {
  rawMount(null, target, { flags: propagationFlags(word) });
}

interface RawOptions {
  readonly type?: string;
  readonly flags: number;
  readonly data?: string;
}

function rawMount(source: Bytes | null, target: string, { type, flags, data }: RawOptions): void {
  const optional = (text: Bytes | null | undefined): Memory => (text == null ? null : cstring(text));
  const result = libc.mount(optional(source), cstring(target), optional(type), flags, optional(data));
  check(result, 'mount', target);
}

function mountFileSystem(m: Mount, target: string, options: MountOptions): void {
  const data = options.data.join(',');
  if (Buffer.byteLength(data) <= dataLimit) {
    rawMount(m.source, target, { type: m.type, flags: options.flags, data });
  } else {
    mountNewApi(m, target, options);
  }
}

function bindOrRemount(source: string, target: string, options: MountOptions): void {
  if (options.flags & MS_REMOUNT) {
    if (!setAttributes(AT_FDCWD, target, options)) rawMount(null, target, { flags: options.flags });
    return;
  }
  const plain = options.flags & (MS_BIND | MS_REC);
  if ((options.set | options.clear) === 0) {
    rawMount(source, target, { flags: plain });
    return;
  }
  if (bindWithAttributes(source, target, options)) return;
  // Before Linux 5.12: the second step replaces all attributes, and for a moment the mount has none.
  rawMount(source, target, { flags: plain });
  rawMount(null, target, { flags: (options.flags & ~MS_REC) | MS_REMOUNT });
}

const OPEN_TREE_CLONE = 1;
const AT_RECURSIVE = 0x8000;
const O_CLOEXEC = 0o2000000;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const empty = cstring('');

/** False: this kernel lacks the calls. */
function bindWithAttributes(source: string, target: string, options: MountOptions): boolean {
  const recursive = options.flags & MS_REC ? AT_RECURSIVE : 0;
  const tree = syscalls.open_tree(AT_FDCWD, cstring(source), OPEN_TREE_CLONE | O_CLOEXEC | recursive);
  if (tree < 0) {
    const error = errno();
    if (error === os.errno.ENOSYS) return false;
    throw systemError('open_tree', error, source);
  }
  try {
    if (!setAttributes(tree, '', options)) return false;
    const to = cstring(target);
    check(syscalls.move_mount(tree, empty, AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH), 'move_mount', target);
    return true;
  } finally {
    close(tree);
  }
}

function setAttributes(dirfd: number, path: string, { set, clear }: MountOptions): boolean {
  const raw = Buffer.alloc(32); // struct mount_attr {u64 set, clear, propagation, userns_fd}
  raw.writeBigUInt64LE(BigInt(set), 0);
  raw.writeBigUInt64LE(BigInt(clear), 8);
  const flags = path === '' ? AT_EMPTY_PATH : 0;
  if (syscalls.mount_setattr(dirfd, cstring(path), flags, raw, raw.length) >= 0) return true;
  const error = errno();
  if (error === os.errno.ENOSYS) return false;
  throw systemError('mount_setattr', error, path);
}
