/**
 * File operations relative to an open directory. Untrusted paths go through `openat2` with a `RESOLVE_*` flag to get
 * the parent directory, and through the other calls with a single component: nothing is looked up twice by name.
 */
import { chmodSync, constants } from 'node:fs';
import { constants as os } from 'node:os';
import { check, systemError, uninterrupted } from './errno.ts';
import { type Bytes, cstring, errno, libc, syscalls } from './libc.ts';

/** The current directory in place of a directory descriptor. */
export const AT_FDCWD = -100;
/** Operate on a symbolic link itself. */
const AT_SYMLINK_NOFOLLOW = 0x100;
/** `unlinkat`: remove a directory. */
export const AT_REMOVEDIR = 0x200;
/** `linkat`: follow a symbolic link. */
export const AT_SYMLINK_FOLLOW = 0x400;
/** Operate on the descriptor itself, with an empty path. */
export const AT_EMPTY_PATH = 0x1000;

/** Open only as a place in the tree: no permission to read, no side effects of opening devices and FIFOs. */
export const O_PATH = 0o10000000;
/** Close on exec. Every call here adds it. */
export const O_CLOEXEC = 0o2000000;
/** An unnamed file in the directory that is opened; give it a name with `linkat`. */
export const O_TMPFILE: number = 0o20000000 | constants.O_DIRECTORY;

/** Do not cross mount points, bind mounts included. */
export const RESOLVE_NO_XDEV = 0x01;
/** Refuse links of /proc that jump to other places. */
export const RESOLVE_NO_MAGICLINKS = 0x02;
/** Refuse all symbolic links (ELOOP). */
export const RESOLVE_NO_SYMLINKS = 0x04;
/** Refuse to leave the directory (EXDEV): absolute paths, absolute links, ".." above it. */
export const RESOLVE_BENEATH = 0x08;
/** Take the directory as the root: absolute paths and links start there, ".." stays there. */
export const RESOLVE_IN_ROOT = 0x10;

/** `renameat2`: fail with EEXIST instead of replacing the target. */
export const RENAME_NOREPLACE = 1;
/** `renameat2`: swap both names. */
export const RENAME_EXCHANGE = 2;

/** How to open; see openat2(2). */
export interface OpenHow {
  /** `constants.O_*` of node:fs, which has the numbers of this architecture, and those above. */
  readonly flags: number;
  /** Permissions of a file that is created, under the umask. */
  readonly mode?: number;
  /** `RESOLVE_*` flags. */
  readonly resolve?: number;
}

/** struct open_how {u64 flags, mode, resolve}; filled anew for each call. */
const openHow = Buffer.alloc(24);

/** How often a lookup inside a root is repeated when the tree is renamed under it (EAGAIN). */
const attempts = 128;

/** Opens `path` relative to `dirfd`. The descriptor is yours to `close`. */
export function openat2(dirfd: number, path: Bytes, how: OpenHow): number {
  const raw = openHow;
  // All of them fit into the lower halves.
  raw.writeUInt32LE((how.flags | O_CLOEXEC) >>> 0, 0);
  raw.writeUInt32LE(how.mode ?? 0, 8);
  raw.writeUInt32LE(how.resolve ?? 0, 16);
  const name = cstring(path);
  for (let attempt = 1; ; attempt++) {
    const fd = uninterrupted(() => syscalls.openat2(dirfd, name, raw, raw.length));
    if (fd >= 0) return fd;
    const error = errno();
    if (error !== os.errno.EAGAIN || attempt === attempts) throw systemError('openat2', error, path);
  }
}

/** Closes a descriptor. It is gone even if this throws (EIO of a late write). */
export function close(fd: number): void {
  // Linux releases the descriptor also when it reports EINTR: trying again could close somebody else's.
  if (libc.close(fd) < 0 && errno() !== os.errno.EINTR) throw systemError('close', errno());
}

/** Creates the directory `path` with `mode` under the umask. */
export function mkdirat(dirfd: number, path: Bytes, mode: number): void {
  check(libc.mkdirat(dirfd, cstring(path), mode), 'mkdirat', path);
}

/** What kind of node to make: `constants.S_IF*` with permissions, and the device number (see `makedev`) of a device. */
export interface NodeKind {
  readonly mode: number;
  readonly device?: bigint;
}

/** Creates a device, FIFO, socket or empty file. */
export function mknodat(dirfd: number, path: Bytes, kind: NodeKind): void {
  check(libc.mknodat(dirfd, cstring(path), kind.mode, kind.device ?? 0n), 'mknodat', path);
}

/** Creates the symbolic link `path`, with `target` as it is. */
export function symlinkat(target: Bytes, dirfd: number, path: Bytes): void {
  check(libc.symlinkat(cstring(target), dirfd, cstring(path)), 'symlinkat', path);
}

/** A name relative to an open directory. */
export interface Place {
  readonly dirfd: number;
  readonly path: Bytes;
}

/** Gives the file `from` the further name `to`. Does not follow a link in the last component unless `flags` say so. */
export function linkat(from: Place, to: Place, flags: number = 0): void {
  const result = libc.linkat(from.dirfd, cstring(from.path), to.dirfd, cstring(to.path), flags);
  check(result, 'linkat', to.path);
}

/** Removes a name; with AT_REMOVEDIR an empty directory. */
export function unlinkat(dirfd: number, path: Bytes, flags: number = 0): void {
  check(libc.unlinkat(dirfd, cstring(path), flags), 'unlinkat', path);
}

/** Renames; `flags` are `RENAME_*`. */
export function renameat2(from: Place, to: Place, flags: number = 0): void {
  const result = syscalls.renameat2(from.dirfd, cstring(from.path), to.dirfd, cstring(to.path), flags);
  check(result, 'renameat2', to.path);
}

/** A user and a group by number. -1 leaves one as it is. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** Changes the owner of `path` itself, never of what a link points to. An empty path means `dirfd` itself. */
export function fchownat(dirfd: number, path: Bytes, owner: Owner): void {
  // -1 travels as the unsigned 2^32-1.
  const result = libc.fchownat(dirfd, cstring(path), owner.uid >>> 0, owner.gid >>> 0, selfFlags(path));
  check(result, 'fchownat', path);
}

/** Changes the permissions (07777) of `path` itself; a symbolic link has none: EOPNOTSUPP. Empty path: `dirfd` itself. */
export function fchmodat(dirfd: number, path: Bytes, mode: number): void {
  if (syscalls.fchmodat2(dirfd, cstring(path), mode, selfFlags(path)) >= 0) return;
  const error = errno();
  // EPERM: a seccomp filter older than the call.
  if (error !== os.errno.ENOSYS && error !== os.errno.EPERM) throw systemError('fchmodat2', error, path);
  chmodThroughProc(dirfd, path, mode);
}

/** A time to set in nanoseconds since 1970, or 'omit' to leave it. */
export type NewTime = bigint | 'omit';

/** Sets the times of `path` itself, never of what a link points to. An empty path means `dirfd` itself. */
export function utimensat(dirfd: number, path: Bytes, times: { atime: NewTime; mtime: NewTime }): void {
  const raw = Buffer.alloc(32);
  writeTime(raw, 0, times.atime);
  writeTime(raw, 16, times.mtime);
  check(libc.utimensat(dirfd, cstring(path), raw, selfFlags(path)), 'utimensat', path);
}

/** Sets the times of an open file. */
export function futimens(fd: number, times: { atime: NewTime; mtime: NewTime }): void {
  const raw = Buffer.alloc(32);
  writeTime(raw, 0, times.atime);
  writeTime(raw, 16, times.mtime);
  check(libc.futimens(fd, raw), 'futimens');
}

/** The target of a symbolic link, as bytes: file names need not be UTF-8. An empty path means the link `dirfd`. */
export function readlinkat(dirfd: number, path: Bytes): Buffer {
  const name = cstring(path);
  for (let size = 256; ; size *= 4) {
    const target = Buffer.allocUnsafe(size);
    const length = check(libc.readlinkat(dirfd, name, target, size), 'readlinkat', path);
    if (length < size) return target.subarray(0, length);
  }
}

function selfFlags(path: Bytes): number {
  return path.length === 0 ? AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH : AT_SYMLINK_NOFOLLOW;
}

function chmodThroughProc(dirfd: number, path: Bytes, mode: number): void {
  const fd = path.length === 0 ? dirfd : openat2(dirfd, path, { flags: O_PATH | constants.O_NOFOLLOW });
  try {
    // The kernel's link leads to exactly this inode. On a symbolic link the chmod fails with EOPNOTSUPP.
    chmodSync(`/proc/self/fd/${fd}`, mode);
  } finally {
    if (fd !== dirfd) close(fd);
  }
}

function writeTime(raw: Buffer, offset: number, time: NewTime): void {
  if (time === 'omit') {
    raw.writeBigInt64LE(0x3ffffffen, offset + 8); // UTIME_OMIT
    return;
  }
  const nanoseconds = ((time % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n;
  raw.writeBigInt64LE((time - nanoseconds) / 1_000_000_000n, offset);
  raw.writeBigInt64LE(nanoseconds, offset + 8);
}

/** Facts about a file, from statx(2). */
export interface FileStat {
  /** Type (`constants.S_IF*`) and permissions. */
  readonly mode: number;
  readonly nlink: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Blocks of 512 bytes that are allocated. */
  readonly blocks: number;
  readonly ino: bigint;
  /** The device the file is on, and the one that it is (for device nodes). */
  readonly dev: DeviceNumber;
  readonly rdev: DeviceNumber;
  /** Nanoseconds since 1970. */
  readonly atime: bigint;
  readonly mtime: bigint;
  readonly ctime: bigint;
  /** The mount that the path leads to, as in mountinfo (Linux 5.8). */
  readonly mountId: bigint;
  /** Tells whether it is the root of a mount (Linux 5.8). */
  readonly mountRoot: boolean;
}

/** The two halves of a device number. */
interface DeviceNumber {
  readonly major: number;
  readonly minor: number;
}

const STATX_BASIC_STATS = 0x7ff;
const STATX_MNT_ID = 0x1000;
const STATX_ATTR_MOUNT_ROOT = 0x2000;
const AT_NO_AUTOMOUNT = 0x800;
/** struct statx: the same on every architecture. What is in it is read before anything else can happen on this thread. */
const statxResult = Buffer.alloc(256);

/** Reads the facts of `path` relative to `dirfd`, of a symbolic link itself. An empty path means `dirfd` itself. */
export function fstatat(dirfd: number, path: Bytes): FileStat {
  const raw = statxResult;
  const flags = AT_SYMLINK_NOFOLLOW | AT_NO_AUTOMOUNT | (path.length === 0 ? AT_EMPTY_PATH : 0);
  check(syscalls.statx(dirfd, cstring(path), flags, STATX_BASIC_STATS | STATX_MNT_ID, raw), 'statx', path);
  return {
    nlink: raw.readUInt32LE(16),
    uid: raw.readUInt32LE(20),
    gid: raw.readUInt32LE(24),
    mode: raw.readUInt16LE(28),
    ino: raw.readBigUInt64LE(32),
    size: Number(raw.readBigUInt64LE(40)),
    blocks: Number(raw.readBigUInt64LE(48)),
    atime: timeAt(raw, 64),
    ctime: timeAt(raw, 96),
    mtime: timeAt(raw, 112),
    rdev: { major: raw.readUInt32LE(128), minor: raw.readUInt32LE(132) },
    dev: { major: raw.readUInt32LE(136), minor: raw.readUInt32LE(140) },
    mountId: raw.readBigUInt64LE(144),
    mountRoot: (raw.readUInt32LE(8) & STATX_ATTR_MOUNT_ROOT) !== 0,
  };
}

const STATX_TYPE_MODE_UID_GID = 0x1 | 0x2 | 0x8 | 0x10;
const emptyPath = cstring('');

/** Owner and permissions (with the type) of an open file: the cheap part of `fstatat`. */
export function attributesOf(fd: number): Owner & { readonly mode: number } {
  const result = syscalls.statx(fd, emptyPath, AT_EMPTY_PATH, STATX_TYPE_MODE_UID_GID, statxResult);
  check(result, 'statx');
  return {
    uid: statxResult.readUInt32LE(20),
    gid: statxResult.readUInt32LE(24),
    mode: statxResult.readUInt16LE(28),
  };
}

function timeAt(raw: Buffer, offset: number): bigint {
  return raw.readBigInt64LE(offset) * 1_000_000_000n + BigInt(raw.readUInt32LE(offset + 8));
}
