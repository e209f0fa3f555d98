import { isSystemError } from '#/base/errors.ts';
import { close } from './at.ts';
import { check } from './errno.ts';
import { syscalls } from './libc.ts';
import { watchFd } from './poll.ts';
import { isAlive } from './proc.ts';

/** A descriptor that names the process `pid` even when its number is given to another one; `close` it. ESRCH: none. */
export function openPidfd(pid: number): number {
  return check(syscalls.pidfd_open(pid, 0), 'pidfd_open');
}

/** Sends a signal (0 only tests) to the process; ESRCH when it has ended and was reaped. */
export function pidfdSignal(fd: number, signal: number): void {
  check(syscalls.pidfd_send_signal(fd, signal, null, 0), 'pidfd_send_signal');
}

/** A descriptor of our own for what the process has as `target`; `close` it. EPERM: we may not, EBADF: it has none. */
export function pidfdTake(fd: number, target: number): number {
  return check(syscalls.pidfd_getfd(fd, target, 0), 'pidfd_getfd');
}

/** Sends a signal to the process that started at `startTime`; false if it has ended. */
export function signalProcess(
  { pid, startTime }: { readonly pid: number; readonly startTime: string },
  signal: number,
): boolean {
  let fd: number | undefined;
  try {
    fd = openPidfd(pid);
    // Only now is it certain which process the descriptor names.
    if (!isAlive(pid, startTime)) return false;
    pidfdSignal(fd, signal);
    return true;
  } catch (error) {
    if (isSystemError(error, 'ESRCH')) return false;
    throw error;
  } finally {
    if (fd !== undefined) close(fd);
  }
}

/**
 * Calls `callback` once when the process has ended (also when it had before). Dispose of the result to stop waiting,
 * and in any case before you close the descriptor. It keeps this process alive while it waits.
 */
export function onPidExit(fd: number, callback: () => void): Disposable {
  const watch = watchFd(fd, { readable: true, writable: false }, () => {
    watch[Symbol.dispose]();
    callback();
  });
  return watch;
}

/**
 * Calls `gone` once when the process that started at `startTime` has ended; before it returns if it had already.
 * Dispose of the result to stop waiting.
 */
export function watchProcess(
  { pid, startTime }: { readonly pid: number; readonly startTime: string },
  gone: () => void,
): Disposable {
  const stack = new DisposableStack();
  let fd: number;
  try {
    fd = openPidfd(pid);
  } catch (error) {
    if (!isSystemError(error, 'ESRCH')) throw error;
    gone();
    return stack;
  }
  stack.defer(() => close(fd));
  // Only now is it certain which process the descriptor names.
  if (!isAlive(pid, startTime)) gone();
  else stack.use(onPidExit(fd, gone));
  return stack;
}
