/**
 * The one door to native code: C functions of the running process (libc, libuv) and of shared libraries, through koffi.
 * Nothing is loaded before its first use. Every struct that passes here is laid out by hand for 64-bit little-endian
 * Linux (x86_64 and arm64, where the layouts agree); a layout or number that differs is chosen by `process.arch`.
 */
import koffi from 'koffi';

/** An address in this process. 0 or null is NULL. */
export type Address = bigint;
/** Memory that a call reads or fills while it runs; null is NULL. */
export type Memory = Uint8Array | null;
/** A path or another string for the kernel: bytes as they are, or text that becomes UTF-8. */
export type Bytes = string | Uint8Array;

interface Libc {
  bind(fd: number, address: Memory, length: number): number;
  close(fd: number): number;
  connect(fd: number, address: Memory, length: number): number;
  fchownat(dirfd: number, path: Memory, uid: number, gid: number, flags: number): number;
  flistxattr(fd: number, list: Memory, size: number): number;
  flock(fd: number, operation: number): number;
  futimens(fd: number, times: Memory): number;
  getsockname(fd: number, address: Memory, length: Memory): number;
  getsockopt(fd: number, level: number, name: number, value: Memory, length: Memory): number;
  ioctl(fd: number, request: number, argument: number): number;
  lgetxattr(path: Memory, name: Memory, value: Memory, size: number): number;
  linkat(oldDir: number, oldPath: Memory, newDir: number, newPath: Memory, flags: number): number;
  listen(fd: number, backlog: number): number;
  llistxattr(path: Memory, list: Memory, size: number): number;
  lremovexattr(path: Memory, name: Memory): number;
  lseek(fd: number, offset: number, whence: number): number;
  lsetxattr(path: Memory, name: Memory, value: Memory, size: number, flags: number): number;
  mkdirat(dirfd: number, path: Memory, mode: number): number;
  mknodat(dirfd: number, path: Memory, mode: number, device: number | bigint): number;
  mount(source: Memory, target: Memory, type: Memory, flags: number, data: Memory): number;
  prctl(option: number, a: number, b: number, c: number, d: number): number;
  read(fd: number, buffer: Memory, size: number): number;
  readlinkat(dirfd: number, path: Memory, buffer: Memory, size: number): number;
  recv(fd: number, buffer: Memory, size: number, flags: number): number;
  send(fd: number, data: Memory, size: number, flags: number): number;
  setns(fd: number, type: number): number;
  setsockopt(fd: number, level: number, name: number, value: Memory, length: number): number;
  shutdown(fd: number, how: number): number;
  socket(family: number, type: number, protocol: number): number;
  socketpair(family: number, type: number, protocol: number, fds: Memory): number;
  symlinkat(target: Memory, dirfd: number, path: Memory): number;
  syncfs(fd: number): number;
  umount2(target: Memory, flags: number): number;
  unlinkat(dirfd: number, path: Memory, flags: number): number;
  unshare(flags: number): number;
  utimensat(dirfd: number, path: Memory, times: Memory, flags: number): number;
}

const prototypes: Readonly<Record<keyof Libc, string>> = {
  bind: 'int bind(int, const void *, uint32_t)',
  close: 'int close(int)',
  connect: 'int connect(int, const void *, uint32_t)',
  fchownat: 'int fchownat(int, const void *, uint32_t, uint32_t, int)',
  flistxattr: 'long flistxattr(int, void *, size_t)',
  flock: 'int flock(int, int)',
  futimens: 'int futimens(int, const void *)',
  getsockname: 'int getsockname(int, void *, void *)',
  getsockopt: 'int getsockopt(int, int, int, void *, void *)',
  ioctl: 'int ioctl(int, ulong, long)',
  lgetxattr: 'long lgetxattr(const void *, const void *, void *, size_t)',
  linkat: 'int linkat(int, const void *, int, const void *, int)',
  listen: 'int listen(int, int)',
  llistxattr: 'long llistxattr(const void *, void *, size_t)',
  lremovexattr: 'int lremovexattr(const void *, const void *)',
  lseek: 'int64_t lseek(int, int64_t, int)',
  lsetxattr: 'int lsetxattr(const void *, const void *, const void *, size_t, int)',
  mkdirat: 'int mkdirat(int, const void *, uint32_t)',
  mknodat: 'int mknodat(int, const void *, uint32_t, uint64_t)',
  mount: 'int mount(const void *, const void *, const void *, ulong, const void *)',
  prctl: 'int prctl(int, ulong, ulong, ulong, ulong)',
  read: 'long read(int, void *, size_t)',
  readlinkat: 'long readlinkat(int, const void *, void *, size_t)',
  recv: 'long recv(int, void *, size_t, int)',
  send: 'long send(int, const void *, size_t, int)',
  setns: 'int setns(int, int)',
  setsockopt: 'int setsockopt(int, int, int, const void *, uint32_t)',
  shutdown: 'int shutdown(int, int)',
  socket: 'int socket(int, int, int)',
  socketpair: 'int socketpair(int, int, int, void *)',
  symlinkat: 'int symlinkat(const void *, int, const void *)',
  syncfs: 'int syncfs(int)',
  umount2: 'int umount2(const void *, int)',
  unlinkat: 'int unlinkat(int, const void *, int)',
  unshare: 'int unshare(int)',
  utimensat: 'int utimensat(int, const void *, const void *, int)',
};

/**
 * System calls without a wrapper in every C library. Numbers from 424 on are the same on all architectures; older ones
 * are given for both.
 */
interface Syscalls {
  fchmodat2(dirfd: number, path: Memory, mode: number, flags: number): number;
  fsconfig(fd: number, command: number, key: Memory, value: Memory, aux: number): number;
  fsmount(fd: number, flags: number, attributes: number): number;
  fsopen(type: Memory, flags: number): number;
  mount_setattr(dirfd: number, path: Memory, flags: number, attributes: Memory, size: number): number;
  move_mount(fromDir: number, from: Memory, toDir: number, to: Memory, flags: number): number;
  open_tree(dirfd: number, path: Memory, flags: number): number;
  openat2(dirfd: number, path: Memory, how: Memory, size: number): number;
  pidfd_getfd(fd: number, target: number, flags: number): number;
  pidfd_open(pid: number, flags: number): number;
  pidfd_send_signal(fd: number, signal: number, info: Memory, flags: number): number;
  renameat2(oldDir: number, oldPath: Memory, newDir: number, newPath: Memory, flags: number): number;
  statx(dirfd: number, path: Memory, flags: number, mask: number, result: Memory): number;
}

const arm = process.arch === 'arm64';

const syscallTable: Readonly<Record<keyof Syscalls, readonly [number: number, parameters: string]>> = {
  fchmodat2: [452, 'int, const void *, uint32_t, uint32_t'],
  fsconfig: [431, 'int, uint32_t, const void *, const void *, int'],
  fsmount: [432, 'int, uint32_t, uint32_t'],
  fsopen: [430, 'const void *, uint32_t'],
  mount_setattr: [442, 'int, const void *, uint32_t, const void *, size_t'],
  move_mount: [429, 'int, const void *, int, const void *, uint32_t'],
  open_tree: [428, 'int, const void *, uint32_t'],
  openat2: [437, 'int, const void *, const void *, size_t'],
  pidfd_getfd: [438, 'int, int, uint32_t'],
  pidfd_open: [434, 'int, uint32_t'],
  pidfd_send_signal: [424, 'int, int, const void *, uint32_t'],
  renameat2: [arm ? 276 : 316, 'int, const void *, int, const void *, uint32_t'],
  statx: [arm ? 291 : 332, 'int, const void *, int, uint32_t, void *'],
};

type Native = (...values: unknown[]) => unknown;
type Library = ReturnType<typeof koffi.load>;

const libraries = new Map<string | null, Library>();

function load(name: string | null): Library {
  let library = libraries.get(name);
  if (library === undefined) {
    try {
      library = koffi.load(name);
    } catch (error) {
      throw new Error(`cannot load the shared library "${name}"`, { cause: error });
    }
    libraries.set(name, library);
  }
  return library;
}

/** An object whose properties are bound when they are first read, and from then on are plain values. */
function lazily<T extends object>(names: Iterable<string>, bind: (name: string) => Native): T {
  const table = {};
  for (const name of names) {
    Object.defineProperty(table, name, {
      configurable: true,
      get: () => {
        const value = bind(name);
        Object.defineProperty(table, name, { value });
        return value;
      },
    });
  }
  return table as T;
}

/**
 * Functions of the shared library `name` (null: of this program, which exports libuv) by their C prototypes. The
 * library is loaded when the first function is read; that throws if the library or the function is missing.
 */
export function bindLibrary<T extends object>(
  name: string | null,
  functions: Readonly<Record<keyof T, string>>,
): T {
  const table: Readonly<Record<string, string>> = functions;
  return lazily(Object.keys(table), (key) => load(name).func(table[key] ?? key) as Native);
}

/** C library functions. They return -1 and set errno on failure; read `errno()` before anything else happens. */
export const libc: Readonly<Libc> = bindLibrary<Libc>(null, prototypes);

/** System calls by number, with the convention of `libc`. */
export const syscalls: Readonly<Syscalls> = lazily(Object.keys(syscallTable), (name) => {
  const [number, parameters] = syscallTable[name as keyof Syscalls];
  const call = load(null).func(`long syscall(long, ${parameters})`) as Native;
  return call.bind(null, number);
});

/** The error number of the last native call of this thread. Only meaningful right after a call that failed. */
export function errno(): number {
  return koffi.errno();
}

/** Memory outside of JavaScript's heap, for native code that keeps its address. `release` it. */
export function allocate(size: number): Address {
  return koffi.alloc('uint8_t', size) as Address;
}

/** The memory at `memory` as bytes that can be read and written. Not to be touched after its release. */
export function memoryAt(memory: Address, size: number): Buffer {
  return Buffer.from(koffi.view(memory, size));
}

/** Frees memory of `allocate`. */
export function release(memory: Address): void {
  koffi.free(memory);
}

/**
 * A C function pointer that calls `callback`, for as long as the process lives: register a few, not one for each use.
 * `prototype` is like "void NameOfTheType(void *, int)". An exception of the callback is lost.
 */
export function registerCallback(prototype: string, callback: (...values: never[]) => void): Address {
  return koffi.register(callback, koffi.pointer(koffi.proto(prototype)));
}

/** `text` as a NUL-terminated C string. A NUL inside throws: C would silently take what comes before it. */
export function cstring(text: Bytes): Buffer {
  if (typeof text === 'string') {
    if (text.includes('\0')) throw nulInside(text);
    return Buffer.from(`${text}\0`);
  }
  if (text.includes(0)) throw nulInside(Buffer.from(text).toString());
  const terminated = Buffer.alloc(text.length + 1);
  terminated.set(text);
  return terminated;
}

function nulInside(text: string): TypeError {
  const error: TypeError & { code?: string } = new TypeError(
    `string for the kernel contains a NUL byte: ${JSON.stringify(text)}`,
  );
  error.code = 'ERR_INVALID_ARG_VALUE';
  return error;
}
