import { type FSWatcher, readdirSync, renameSync, rmSync, statSync, watch } from 'node:fs';
import { basename, dirname } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { rotatedNumbers } from './files.ts';

/** When a log is to be rotated, and how. */
export interface RotationLimits {
  /** Size from which on a new file is begun. */
  readonly maxBytes: number;
  /** Files kept, with the one that is being written; at least 1. */
  readonly maxFiles: number;
}

/** Which log, and who writes it. */
export interface RotatedLog extends RotationLimits {
  readonly path: string;
  /** Makes the writer begin a new file at `path`. */
  readonly reopen: () => Promise<void>;
  readonly onError: (error: unknown) => void;
}

/** A log that is being written is looked at so often at most. Milliseconds. */
const interval = 50;
/** How long the writer may take to begin a new file before it is asked again. Milliseconds. */
const patience = 1_000;

/**
 * Keeps the log of one run below a size: `path` becomes `path`.1, that `path`.2 and so on, the oldest goes. Costs nothing
 * while nothing is written. Each rotation is one synchronous step, so that no reader in this process sees half of it.
 * Whatever the daemon's death cuts off is made good by the next one: a gap in the numbers is filled first, and a writer
 * that still has the renamed file is told again.
 */
export class LogRotation implements Disposable {
  readonly #log: RotatedLog;
  readonly #watcher: FSWatcher;
  #timer: NodeJS.Timeout | undefined;
  /** When the timer fires. */
  #due = Number.POSITIVE_INFINITY;

  /** Starts looking after it. */
  constructor(log: RotatedLog) {
    this.#log = log;
    const name = basename(log.path);
    this.#watcher = watch(dirname(log.path), { persistent: false }, (_event, changed) => {
      if (changed === null || changed === name) this.#lookIn(interval);
    });
    this.#watcher.on('error', log.onError);
    this.#lookIn(0);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#watcher.close();
  }

  #lookIn(milliseconds: number): void {
    const due = performance.now() + milliseconds;
    if (due >= this.#due) return;
    clearTimeout(this.#timer);
    this.#due = due;
    this.#timer = setTimeout(() => {
      this.#due = Number.POSITIVE_INFINITY;
      this.#look();
    }, milliseconds).unref();
  }

  #look(): void {
    const { path, maxBytes, maxFiles, reopen, onError } = this.#log;
    try {
      const size = statSync(path, { throwIfNoEntry: false })?.size;
      if (size !== undefined && size < maxBytes) return;
      if (size !== undefined) rotate(path, maxFiles);
      this.#lookIn(patience);
      reopen().catch(onError);
    } catch (error) {
      onError(error);
    }
  }
}

/** Moves each file one number up; the numbers that are kept end at `maxFiles` - 1. */
export function rotate(path: string, maxFiles: number): void {
  const numbers = rotatedNumbers(path, readdirSync(dirname(path)));
  // Left by a larger limit.
  for (const number of numbers) if (number >= maxFiles) remove(`${path}.${number}`);
  const last = Math.max(maxFiles - 1, 1);
  let free = 1;
  while (free < last && numbers.includes(free)) free += 1;
  for (let number = free; number > 1; number -= 1) renameSync(`${path}.${number - 1}`, `${path}.${number}`);
  renameSync(path, `${path}.1`);
  if (maxFiles === 1) remove(`${path}.1`);
}

function remove(path: string): void {
  try {
    rmSync(path);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
}
