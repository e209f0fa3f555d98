import { constants, openSync, readdirSync, readlinkSync } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';
import { close, O_CLOEXEC } from './at.ts';
import { check } from './errno.ts';
import { allocate, libc, memoryAt, release } from './libc.ts';
import { openPidfd, pidfdTake } from './pidfd.ts';

/** The two ends of a terminal; both are yours to close. */
export interface Pty {
  readonly master: number;
  /** What a program takes for its terminal. */
  readonly slave: number;
}

/** Size in characters. */
export interface PtySize {
  readonly height: number;
  readonly width: number;
}

// asm-generic/ioctls.h
const TIOCSWINSZ = 0x5414;
const TIOCGPTPEER = 0x5441;
const TIOCSPTLCK = 0x40045431;

/** Makes a terminal that belongs to nobody yet (pty(7)); its descriptors reach no program by themselves. */
export function openPty(size: PtySize): Pty {
  using stack = new DisposableStack();
  const flags = constants.O_RDWR | constants.O_NOCTTY | O_CLOEXEC;
  const master = stack.adopt(openSync('/dev/ptmx', flags), close);
  withMemory(4, (address) => check(libc.ioctl(master, TIOCSPTLCK, address), 'ioctl'));
  resizePty(master, size);
  const slave = check(libc.ioctl(master, TIOCGPTPEER, flags), 'ioctl');
  stack.move();
  return { master, slave };
}

/** Tells the programs on a terminal its new size: they get SIGWINCH if it differs. */
export function resizePty(master: number, { height, width }: PtySize): void {
  withMemory(8, (address, bytes) => {
    bytes.writeUInt16LE(height, 0);
    bytes.writeUInt16LE(width, 2);
    check(libc.ioctl(master, TIOCSWINSZ, address), 'ioctl');
  });
}

/**
 * Gives the terminals that another process has made for somebody and holds the controlling ends of a new size. False if it
 * has none, has ended, or does not let us.
 */
export function resizeHeldPtys(pid: number, size: PtySize): boolean {
  using stack = new DisposableStack();
  try {
    const holder = stack.adopt(openPidfd(pid), close);
    const held = readdirSync(`/proc/${pid}/fd`).filter((fd) =>
      // "/dev/ptmx", or "ptmx" of a file system of terminals.
      readlinkSync(`/proc/${pid}/fd/${fd}`).endsWith('/ptmx'),
    );
    for (const fd of held) resizePty(stack.adopt(pidfdTake(holder, Number(fd)), close), size);
    return held.length > 0;
  } catch (error) {
    if (isSystemError(error, 'ESRCH', 'ENOENT', 'EPERM', 'EACCES', 'EBADF', 'ENOSYS')) return false;
    throw error;
  }
}

function withMemory(size: number, use: (address: number, bytes: Buffer) => void): void {
  const memory = allocate(size);
  try {
    const bytes = memoryAt(memory, size);
    bytes.fill(0);
    use(Number(memory), bytes);
  } finally {
    release(memory);
  }
}
