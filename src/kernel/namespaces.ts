import { closeSync, openSync, rmSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { isSystemError } from '#/base/errors.ts';
import { check, systemError } from './errno.ts';
import { errno, libc } from './libc.ts';
import { mount, unmount } from './mount.ts';

const CLONE_NEWNET = 0x40000000;
const ownNetns = '/proc/thread-self/ns/net';

/**
 * Creates a network namespace (with only a loopback device, down) and pins it at `path`, a new file of mode 0444;
 * EEXIST when there is one already. Nothing is left behind on failure.
 */
export function createNetns(path: string): void {
  closeSync(openSync(path, 'wx', 0o444));
  try {
    withOwnNetns(() => {
      check(libc.unshare(CLONE_NEWNET), 'unshare');
      mount({ type: 'bind', source: ownNetns, options: ['bind'] }, path);
    });
  } catch (error) {
    rmSync(path);
    throw error;
  }
}

/** Takes the pin at `path` away; the namespace lives on while processes or sockets use it. Repeating it is fine. */
export function removeNetns(path: string): void {
  try {
    unmount(path, { detach: true });
  } catch (error) {
    if (!isSystemError(error, 'EINVAL', 'ENOENT')) throw error;
  }
  rmSync(path, { force: true });
}

/**
 * Runs `fn` with this thread inside the network namespace pinned at `path` and returns its result. Sockets that `fn`
 * opens stay in the namespace and work outside afterwards. `fn` must be synchronous, must start no process and must
 * not touch libuv's thread pool for the first time (see `warmThreadPool`). If the thread cannot return to its own
 * namespace the process ends: it must never go on in a container's. (Node makes its own sockets later than it seems:
 * hand it descriptors, as of `bindPort`, instead of calling `listen` or `connect` inside.)
 */
export function inNetns<T>(path: string, fn: () => T): T {
  const fd = openSync(path, 'r');
  try {
    return inNetnsFd(fd, fn, path);
  } finally {
    closeSync(fd);
  }
}

function inNetnsFd<T>(fd: number, fn: () => T, path: string): T {
  return withOwnNetns(() => {
    check(libc.setns(fd, CLONE_NEWNET), 'setns', path);
    const result = fn();
    if (isThenable(result)) {
      // What it awaits would run outside. Nobody waits for it any more, so its failure must not become an unhandled one.
      result.then(undefined, () => {});
      throw new TypeError('inNetns needs a synchronous function, this one returned a promise');
    }
    return result;
  });
}

/** Runs `fn`, which may change this thread's network namespace, and changes back. */
function withOwnNetns<T>(fn: () => T): T {
  const home = openSync(ownNetns, 'r');
  try {
    return fn();
  } finally {
    if (libc.setns(home, CLONE_NEWNET) < 0) {
      process.stderr.write(`fatal: ${systemError('setns', errno(), ownNetns).message}\n`);
      process.abort();
    }
    closeSync(home);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

/**
 * Starts libuv's thread pool. Its threads are born in the namespace that the main thread is in, and stay there: call
 * this once before the first switch.
 */
export async function warmThreadPool(): Promise<void> {
  // The first use of the pool starts all of its threads.
  await stat('/');
}
