import { statfsSync } from 'node:fs';
import { constants as os } from 'node:os';
import { AT_FDCWD, mknodat } from './at.ts';
import { check, systemError, uninterrupted } from './errno.ts';
import { allocate, type Bytes, cstring, errno, libc, memoryAt, release } from './libc.ts';

const S_IFIFO = 0o010000;

/** The device number of `major`:`minor` in the encoding of the C library. */
export function makedev(major: number, minor: number): bigint {
  const [hi, lo] = [BigInt(major), BigInt(minor)];
  return ((hi & 0xfffff000n) << 32n) | ((hi & 0xfffn) << 8n) | ((lo & 0xffffff00n) << 12n) | (lo & 0xffn);
}

/** Creates a device node, FIFO, socket or file; `mode` is `constants.S_IF*` with permissions, under the umask. */
export function mknod(path: Bytes, mode: number, device: bigint = 0n): void {
  mknodat(AT_FDCWD, path, { mode, device });
}

/** Creates a FIFO with the permissions `mode` under the umask. */
export function mkfifo(path: Bytes, mode: number): void {
  mknod(path, S_IFIFO | mode);
}

const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

/**
 * Locks an open file until it is closed. False: somebody else has it and `wait` is false. `wait` blocks the whole
 * thread; use it only for locks that are held for microseconds.
 */
export function flock(fd: number, { exclusive, wait }: { exclusive: boolean; wait: boolean }): boolean {
  const operation = (exclusive ? LOCK_EX : LOCK_SH) | (wait ? 0 : LOCK_NB);
  if (uninterrupted(() => libc.flock(fd, operation)) >= 0) return true;
  const error = errno();
  if (error === os.errno.EWOULDBLOCK) return false;
  throw systemError('flock', error);
}

/** The start of the next data at or after `offset`; undefined when only a hole follows or `offset` is past the end. */
export function seekData(fd: number, offset: number): number | undefined {
  return seek(fd, offset, 3);
}

/** The start of the next hole at or after `offset` (the end of the file counts as one); undefined past the end. */
export function seekHole(fd: number, offset: number): number | undefined {
  return seek(fd, offset, 4);
}

function seek(fd: number, offset: number, whence: number): number | undefined {
  const found = libc.lseek(fd, offset, whence);
  if (found >= 0) return found;
  const error = errno();
  if (error === os.errno.ENXIO) return undefined;
  throw systemError('lseek', error);
}

/** Writes everything of the file system that holds `fd` to its device. */
export function syncfs(fd: number): void {
  check(libc.syncfs(fd), 'syncfs');
}

/** `prctl`: forbids gaining privileges through exec, for good. */
export const PR_SET_NO_NEW_PRIVS = 38;

/** Changes or reads an attribute of this thread or process; see prctl(2). Returns what the call returns. */
export function prctl(option: number, ...values: readonly number[]): number {
  const [a = 0, b = 0, c = 0, d = 0] = values;
  return check(libc.prctl(option, a, b, c, d), 'prctl');
}

const FICLONE = 0x40049409;
const cannotShare: ReadonlySet<number> = new Set([
  os.errno.EOPNOTSUPP,
  os.errno.ENOTTY,
  os.errno.EXDEV,
  os.errno.EINVAL,
  os.errno.ENOSYS,
]);

/** Makes the file `to` share the data of the file `from` (both open). False: this file system cannot; copy instead. */
export function reflink(to: number, from: number): boolean {
  if (uninterrupted(() => libc.ioctl(to, FICLONE, from)) >= 0) return true;
  const error = errno();
  if (cannotShare.has(error)) return false;
  throw systemError('ioctl', error);
}

/** File systems by the magic number of statfs(2), named as Docker reports them. */
const fileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'extfs'],
  [0x58465342, 'xfs'],
  [0x9123683e, 'btrfs'],
  [0x2fc12fc1, 'zfs'],
  [0x01021994, 'tmpfs'],
  [0x794c7630, 'overlayfs'],
  [0x6969, 'nfs'],
  [0xf2f52010, 'f2fs'],
  [0xca451a4e, 'bcachefs'],
  [0x65735546, 'fuse'],
  [0xf15f, 'ecryptfs'],
  [0x61756673, 'aufs'],
  [0x858458f6, 'ramfs'],
  [0x73717368, 'squashfs'],
  [0xe0f5e1e2, 'erofs'],
  [0x27e0eb, 'cgroup'],
  [0x63677270, 'cgroup2'],
  [0x6e736673, 'nsfs'],
  [0x9fa0, 'proc'],
  [0x62656572, 'sysfs'],
]);

/** The kind of file system that holds `path`, in Docker's names ("extfs", "xfs", "overlayfs"…). */
export function fileSystemType(path: string): string {
  const { type } = statfsSync(path);
  return fileSystems.get(type) ?? '<unknown>';
}

/** The value of the extended attribute `name` of `path` itself; undefined when it has none of that name. */
export function lgetxattr(path: Bytes, name: Bytes): Buffer | undefined {
  const [where, what] = [cstring(path), cstring(name)];
  const value = sized((buffer) => libc.lgetxattr(where, what, buffer, buffer.length));
  if (value !== undefined) return value;
  const error = errno();
  if (error === os.errno.ENODATA || error === os.errno.EOPNOTSUPP) return undefined;
  throw systemError('lgetxattr', error, path);
}

/** Sets the extended attribute `name` of `path` itself. */
export function lsetxattr(path: Bytes, name: Bytes, value: Uint8Array): void {
  check(libc.lsetxattr(cstring(path), cstring(name), value, value.length, 0), 'lsetxattr', path);
}

/** The names of the extended attributes of `path` itself; none where the file system has no such thing. */
export function llistxattr(path: Bytes): Buffer[] {
  const where = cstring(path);
  const list = sized((buffer) => libc.llistxattr(where, buffer, buffer.length));
  if (list === undefined) {
    const error = errno();
    if (error === os.errno.EOPNOTSUPP) return [];
    throw systemError('llistxattr', error, path);
  }
  const names: Buffer[] = [];
  for (let start = 0; start < list.length; ) {
    const end = list.indexOf(0, start);
    if (end < 0) break;
    names.push(list.subarray(start, end));
    start = end + 1;
  }
  return names;
}

/** Tells whether an open file has any extended attribute. */
export function hasXattrs(fd: number): boolean {
  const length = libc.flistxattr(fd, null, 0);
  if (length >= 0) return length > 0;
  const error = errno();
  if (error === os.errno.EOPNOTSUPP) return false;
  throw systemError('flistxattr', error);
}

/** Removes the extended attribute `name` of `path` itself; throws ENODATA when there is none. */
export function lremovexattr(path: Bytes, name: Bytes): void {
  check(libc.lremovexattr(cstring(path), cstring(name)), 'lremovexattr', path);
}

/** Runs `call` with growing buffers until the answer fits. Undefined: it failed; errno is still fresh. */
function sized(call: (buffer: Buffer) => number): Buffer | undefined {
  for (let size = 256; ; size *= 16) {
    const buffer = Buffer.allocUnsafe(size);
    const length = call(buffer);
    if (length >= 0) return buffer.subarray(0, length);
    // 64 KiB is the most that Linux stores (XATTR_SIZE_MAX, XATTR_LIST_MAX).
    if (errno() !== os.errno.ERANGE || size > 65536) return undefined;
  }
}

// The numbers say long, the kernel takes an int (linux/fs.h).
const FS_IOC_GETFLAGS = 0x80086601;
const FS_IOC_SETFLAGS = 0x40086602;
const FS_TOPDIR_FL = 0x20000;

/**
 * Tells the file system that the directories in this one have nothing to do with each other (`chattr +T`), so that it puts each
 * where there is room rather than beside its siblings. False: this file system has no such hint.
 */
export function spreadChildren(fd: number): boolean {
  const memory = allocate(8);
  try {
    const flags = memoryAt(memory, 8);
    flags.fill(0);
    const result = libc.ioctl(fd, FS_IOC_GETFLAGS, Number(memory));
    if (result >= 0) {
      flags.writeUInt32LE((flags.readUInt32LE() | FS_TOPDIR_FL) >>> 0);
      if (libc.ioctl(fd, FS_IOC_SETFLAGS, Number(memory)) >= 0) return true;
    }
    const error = errno();
    if (noFlags.has(error)) return false;
    throw systemError('ioctl', error);
  } finally {
    release(memory);
  }
}

/** EPERM: not even root may, in a container of its own. */
const noFlags: ReadonlySet<number> = new Set([
  os.errno.EOPNOTSUPP,
  os.errno.ENOTTY,
  os.errno.ENOSYS,
  os.errno.EINVAL,
  os.errno.EPERM,
]);

const FIOCLEX = 0x5451;

/** Closes `fd` in every program that is started from now on; for descriptors that this process was born with. */
export function closeOnExec(fd: number): void {
  check(libc.ioctl(fd, FIOCLEX, 0), 'ioctl');
}
