import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { conflict, isSystemError } from '#/base/errors.ts';
import { O_CLOEXEC } from '#/kernel/at.ts';

/** Size of a terminal in characters. */
export interface WindowSize {
  readonly height: number;
  readonly width: number;
}

/**
 * conmon 2.1.6 handles the first of several orders that it reads at once as often as there are orders. So they go one
 * by one, with time to be read between them.
 */
const orderIntervalMs = 20;

/**
 * The orders that a monitor takes through the FIFO `ctl` in the folder of its container or exec session: window size,
 * and opening the log again.
 */
export class MonitorControl {
  readonly #fifo: string;
  #size: WindowSize | undefined;
  #queue: Promise<void> = Promise.resolve();

  /** `folder` is the container's bundle or the exec session's folder. */
  constructor(folder: string) {
    this.#fifo = join(folder, 'ctl');
  }

  /** Sets the size of the terminal. Of several that wait the last one counts. Throws `conflict` when nothing runs. */
  async resize(size: WindowSize): Promise<void> {
    const waiting = this.#size !== undefined;
    this.#size = size;
    if (waiting) return this.#queue;
    return this.#enqueue(() => {
      const { height, width } = this.#size ?? size;
      this.#size = undefined;
      return `1 ${height} ${width}\n`;
    });
  }

  /** Makes the monitor write to a new log file; the old one must have been renamed before. */
  async reopenLog(): Promise<void> {
    return this.#enqueue(() => '2 0 0\n');
  }

  #enqueue(order: () => string): Promise<void> {
    const previous = this.#queue;
    const sent = previous.then(() => send(this.#fifo, order()));
    // The next one waits whether this one went well or not; its own caller hears of the failure.
    this.#queue = sent.catch(() => {}).then(() => sleep(orderIntervalMs, undefined, { ref: false }));
    return sent;
  }
}

function send(fifo: string, order: string): void {
  let fd: number;
  try {
    fd = openSync(fifo, constants.O_WRONLY | constants.O_NONBLOCK | O_CLOEXEC);
  } catch (error) {
    if (isSystemError(error, 'ENXIO', 'ENOENT')) throw conflict('the process is not running', error);
    throw error;
  }
  try {
    writeSync(fd, order);
  } finally {
    closeSync(fd);
  }
}
