import { type FSWatcher, readFileSync, statSync, watch } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { watchProcess } from '#/kernel/pidfd.ts';

/** How a container's first process ended. */
export interface ContainerExit {
  /** 128 + signal if a signal ended it. */
  readonly exitCode: number;
  readonly finishedAt: Date;
  /** Its monitor has died without leaving a code; processes of the container may still run. */
  readonly lost: boolean;
}

/** A process for good: its start time tells it from a later one with the same number. */
export interface ProcessRef {
  readonly pid: number;
  readonly startTime: string;
}

/** What stands for the code when nobody knows it: as if killed. */
const lostExitCode = 137;

interface Waiter {
  readonly resolve: (exit: ContainerExit) => void;
  readonly reject: (error: Error) => void;
}

/**
 * Learns of exits from the files that monitors leave in one folder (named by container id, holding the exit code),
 * through one inotify watch. Files stay until the caller removes them, so that exits while no daemon ran are found.
 */
export class ExitWatcher implements Disposable {
  readonly #dir: string;
  readonly #watcher: FSWatcher;
  readonly #waiters = new Map<string, Set<Waiter>>();

  /** Watches `dir`, which must exist, from now on. */
  constructor(dir: string) {
    this.#dir = dir;
    this.#watcher = watch(dir, (_event, name) => {
      // Without a name events were lost: look at all.
      for (const id of name === null ? this.#waiters.keys() : [name]) this.#check(id);
    });
    this.#watcher.on('error', (error) => this.#failAll(error));
  }

  /**
   * Resolves when the container `id` has ended, also if it has before. `monitor` is its conmon: when that dies without
   * leaving a code, the exit is `lost`. Aborting rejects with the signal's reason.
   */
  async wait(
    id: string,
    { monitor, signal }: { monitor?: ProcessRef | undefined; signal?: AbortSignal | undefined } = {},
  ): Promise<ContainerExit> {
    signal?.throwIfAborted();
    using stack = new DisposableStack();
    return await new Promise<ContainerExit>((resolve, reject) => {
      const waiter: Waiter = { resolve, reject };
      const waiters = this.#waiters.get(id) ?? new Set<Waiter>();
      this.#waiters.set(id, waiters.add(waiter));
      stack.defer(() => {
        waiters.delete(waiter);
        if (waiters.size === 0 && this.#waiters.get(id) === waiters) this.#waiters.delete(id);
      });
      if (signal !== undefined) {
        const abort = (): void => reject(signal.reason as Error);
        signal.addEventListener('abort', abort, { once: true });
        stack.defer(() => signal.removeEventListener('abort', abort));
      }
      this.#check(id);
      if (monitor !== undefined) {
        const gone = (): void => {
          try {
            resolve(this.read(id) ?? { exitCode: lostExitCode, finishedAt: new Date(), lost: true });
          } catch (error) {
            reject(error as Error);
          }
        };
        stack.use(watchProcess(monitor, gone));
      }
    });
  }

  /** The exit of `id` if it is known already. */
  read(id: string): ContainerExit | undefined {
    const path = join(this.#dir, id);
    try {
      const text = readFileSync(path, 'utf8');
      if (!/^-?\d{1,9}$/.test(text)) throw new Error(`"${path}" holds no exit code`);
      return { exitCode: Number(text), finishedAt: statSync(path).mtime, lost: false };
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return undefined;
      throw error;
    }
  }

  #check(id: string): void {
    const waiters = this.#waiters.get(id);
    if (waiters === undefined) return;
    try {
      const exit = this.read(id);
      if (exit !== undefined) for (const waiter of waiters) waiter.resolve(exit);
    } catch (error) {
      // Nobody would catch it here: this is called by the event loop.
      for (const waiter of waiters) waiter.reject(error as Error);
    }
  }

  #failAll(error: Error): void {
    for (const waiters of this.#waiters.values()) for (const waiter of waiters) waiter.reject(error);
  }

  /** Stops watching. Who still waits gets an error. */
  [Symbol.dispose](): void {
    this.#watcher.close();
    this.#failAll(new Error('the exit watcher is closed'));
  }
}
