import { check } from './errno.ts';
import { syscalls } from './libc.ts';
import { watchFd } from './poll.ts';

/** A descriptor that names the process `pid` even when its number is given to another one; `close` it. ESRCH: none. */
export function openPidfd(pid: number): number {
  return check(syscalls.pidfd_open(pid, 0), 'pidfd_open');
}

/** Sends a signal (0 only tests) to the process; ESRCH when it has ended and was reaped. */
export function pidfdSignal(fd: number, signal: number): void {
  check(syscalls.pidfd_send_signal(fd, signal, null, 0), 'pidfd_send_signal');
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
