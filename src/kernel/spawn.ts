import { constants, openSync } from 'node:fs';
import { close, O_CLOEXEC } from './at.ts';
import { check, systemError } from './errno.ts';
import { bindLibrary, cstring, type Memory } from './libc.ts';

/** A program to start. Nothing of this process reaches it but what is named here. */
export interface SpawnRequest {
  /** Absolute: there is no search. */
  readonly path: string;
  /** All arguments, the program's name first. */
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** Descriptors of ours by the number that they are to have in the program; 0 to 2 are /dev/null if missing. */
  readonly fds: ReadonlyMap<number, number>;
  /** Makes it the leader of a session of its own: signals of this process's terminal do not reach it. */
  readonly newSession?: boolean;
}

type Strings = readonly (string | null)[];

interface PosixSpawn {
  posix_spawn(
    pid: Memory,
    path: Memory,
    actions: Memory,
    attributes: Memory,
    argv: Strings,
    envp: Strings,
  ): number;
  posix_spawn_file_actions_init(actions: Memory): number;
  posix_spawn_file_actions_destroy(actions: Memory): number;
  posix_spawn_file_actions_adddup2(actions: Memory, fd: number, target: number): number;
  posix_spawn_file_actions_addchdir_np(actions: Memory, path: Memory): number;
  posix_spawnattr_init(attributes: Memory): number;
  posix_spawnattr_setflags(attributes: Memory, flags: number): number;
  posix_spawnattr_setsigdefault(attributes: Memory, signals: Memory): number;
  posix_spawnattr_setsigmask(attributes: Memory, signals: Memory): number;
  fcntl(fd: number, command: number, argument: number): number;
  pipe2(fds: Memory, flags: number): number;
  waitpid(pid: number, status: Memory, options: number): number;
}

const native: Readonly<PosixSpawn> = bindLibrary<PosixSpawn>(null, {
  posix_spawn:
    'int posix_spawn(void *, const void *, const void *, const void *, const char **, const char **)',
  posix_spawn_file_actions_init: 'int posix_spawn_file_actions_init(void *)',
  posix_spawn_file_actions_destroy: 'int posix_spawn_file_actions_destroy(void *)',
  posix_spawn_file_actions_adddup2: 'int posix_spawn_file_actions_adddup2(void *, int, int)',
  posix_spawn_file_actions_addchdir_np: 'int posix_spawn_file_actions_addchdir_np(void *, const void *)',
  posix_spawnattr_init: 'int posix_spawnattr_init(void *)',
  posix_spawnattr_setflags: 'int posix_spawnattr_setflags(void *, short)',
  posix_spawnattr_setsigdefault: 'int posix_spawnattr_setsigdefault(void *, const void *)',
  posix_spawnattr_setsigmask: 'int posix_spawnattr_setsigmask(void *, const void *)',
  fcntl: 'int fcntl(int, int, long)',
  pipe2: 'int pipe2(void *, int)',
  waitpid: 'int waitpid(int, void *, int)',
});

/** spawn.h: POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK. */
const spawnFlags = 0x04 | 0x08;
/** spawn.h: POSIX_SPAWN_SETSID. */
const newSessionFlag = 0x80;
/** Room for glibc's posix_spawn_file_actions_t (80 bytes) and posix_spawnattr_t (336 bytes). */
const structSize = 512;
/** sizeof(sigset_t). */
const signalSetSize = 128;
const F_DUPFD_CLOEXEC = 1030;
const WNOHANG = 1;
/** Descriptors are first moved above all numbers that programs get, so that none is overwritten before its turn. */
const firstFree = 64;

/**
 * Starts a program without copying this process (glibc's posix_spawn shares memory until the exec): under 1 ms however
 * large the daemon has grown, where child_process.spawn takes several. Signals have their defaults in it. Returns its
 * pid; call `reap` until that says that it has ended. Throws ENOENT, EACCES, …
 */
export function spawnProgram({ path, args, env, cwd, fds, newSession = false }: SpawnRequest): number {
  using stack = new DisposableStack();
  const actions = Buffer.alloc(structSize);
  checked(native.posix_spawn_file_actions_init(actions), 'posix_spawn_file_actions_init');
  stack.defer(() => native.posix_spawn_file_actions_destroy(actions));
  const devNull = openSync('/dev/null', constants.O_RDWR | O_CLOEXEC);
  stack.defer(() => close(devNull));
  for (const [target, fd] of [[0, devNull], [1, devNull], [2, devNull], ...fds] as const) {
    const moved = check(native.fcntl(fd, F_DUPFD_CLOEXEC, firstFree), 'fcntl');
    stack.defer(() => close(moved));
    checked(
      native.posix_spawn_file_actions_adddup2(actions, moved, target),
      'posix_spawn_file_actions_adddup2',
    );
  }
  checked(
    native.posix_spawn_file_actions_addchdir_np(actions, cstring(cwd)),
    'posix_spawn_file_actions_addchdir_np',
  );
  const attributes = Buffer.alloc(structSize);
  checked(native.posix_spawnattr_init(attributes), 'posix_spawnattr_init');
  native.posix_spawnattr_setflags(attributes, newSession ? spawnFlags | newSessionFlag : spawnFlags);
  native.posix_spawnattr_setsigdefault(attributes, Buffer.alloc(signalSetSize, 0xff));
  native.posix_spawnattr_setsigmask(attributes, Buffer.alloc(signalSetSize));
  const pid = Buffer.alloc(4);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  for (const text of [...args, ...variables]) cstring(text);
  const argv = [...args, null];
  const envp = [...variables, null];
  checked(native.posix_spawn(pid, cstring(path), actions, attributes, argv, envp), 'posix_spawn', path);
  return pid.readInt32LE(0);
}

/**
 * Takes note of the end of a process of `spawnProgram`. The code is its exit code, 128 + signal if a signal ended it,
 * undefined if somebody else has taken note of it before.
 */
export function reap(pid: number): 'running' | { readonly code: number | undefined } {
  const status = Buffer.alloc(4);
  const result = native.waitpid(pid, status, WNOHANG);
  if (result === 0) return 'running';
  if (result < 0) return { code: undefined };
  // wait(2): the signal in the lower seven bits, the exit code in the next byte.
  const [low = 0, code = 0] = status;
  const signal = low & 0x7f;
  return { code: signal === 0 ? code : 128 + signal };
}

/** A pipe: what is written to the second descriptor comes out of the first. */
export function makePipe(): { readonly read: number; readonly write: number } {
  const fds = Buffer.alloc(8);
  check(native.pipe2(fds, O_CLOEXEC), 'pipe2');
  return { read: fds.readInt32LE(0), write: fds.readInt32LE(4) };
}

/** Another descriptor for the same open file. */
export function duplicate(fd: number): number {
  return check(native.fcntl(fd, F_DUPFD_CLOEXEC, 0), 'fcntl');
}

/** These functions return the error number instead of setting errno. */
function checked(result: number, syscall: string, path?: string): void {
  if (result !== 0) throw systemError(syscall, result, path);
}
