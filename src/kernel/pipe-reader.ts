import { constants as os } from 'node:os';
import { close } from './at.ts';
import { systemError, uninterrupted } from './errno.ts';
import { errno, libc } from './libc.ts';
import { type FdWatch, watchFd } from './poll.ts';

/** Bytes for each read: what a pipe holds unless it was enlarged. */
const chunkSize = 65536;
/** Reads for each turn of the event loop, so that one busy pipe does not starve the others. */
const readsPerTurn = 8;

/** Bytes are received here and copied out at once. */
const inbox = Buffer.allocUnsafeSlow(chunkSize);

/**
 * Our end of a pipe that others write to. Unlike a stream of Node's it can tell what is in the pipe now, also if writers
 * are left: see `drain`. Set the handlers before the next turn of the event loop. Main thread only.
 */
export class PipeReader implements Disposable {
  /** Bytes have arrived. */
  onData: (data: Buffer) => void = () => {};
  /** All writers have closed it (or reading failed, with the error), and it is closed here too; not called after `close`. */
  onEnd: (error?: Error) => void = () => {};

  readonly #fd: number;
  readonly #watch: FdWatch;
  #paused = false;
  #closed = false;

  /** Takes over the descriptor, which becomes non-blocking. */
  constructor(fd: number) {
    this.#fd = fd;
    this.#watch = watchFd(fd, { readable: true, writable: false }, () => this.#read(readsPerTurn));
  }

  /** Leaves bytes in the kernel, whose buffer fills up and stops the writers. */
  pause(): void {
    this.#setPaused(true);
  }

  /** Goes on after `pause`. */
  resume(): void {
    this.#setPaused(false);
  }

  /** Reads what is there now, without waiting for more: `limit` bytes at most, rounded up to a read. */
  drain(limit: number): void {
    this.resume();
    this.#read(Math.ceil(limit / chunkSize));
  }

  /** Closes at once. Unread bytes are lost. Repeating it is fine. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#watch[Symbol.dispose]();
    close(this.#fd);
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #setPaused(paused: boolean): void {
    this.#paused = paused;
    if (!this.#closed) this.#watch.update({ readable: !paused, writable: false });
  }

  #read(most: number): void {
    for (let count = 0; count < most && !this.#paused && !this.#closed; count += 1) {
      const length = uninterrupted(() => libc.read(this.#fd, inbox, inbox.length));
      if (length > 0) {
        this.onData(Buffer.from(inbox.subarray(0, length)));
      } else if (length === 0) {
        this.#end();
      } else {
        const error = errno();
        if (error !== os.errno.EAGAIN) this.#end(systemError('read', error));
        return;
      }
    }
  }

  #end(error?: Error): void {
    this.close();
    this.onEnd(error);
  }
}
