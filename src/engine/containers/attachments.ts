import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { AttachSession } from '#/runtime/attach.ts';
import type { ProcessRef } from '#/runtime/exit-watcher.ts';

/** Where to connect to. */
export interface RunningProcess {
  /** The folder of the run. */
  readonly folder: string;
  /** The container's first process. */
  readonly init: ProcessRef;
}

interface Waiting {
  readonly resolve: (session: AttachSession | undefined) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Clients that attach before the start wait here: a start connects them after the process is created and before it
 * runs, so that they miss nothing.
 */
export class Attachments {
  readonly #waiting = new Map<string, Set<Waiting>>();

  /**
   * Connects to the process of a running container, or waits for the next run. Undefined: there will be none (the
   * start failed, or the container was removed), or the process has ended just now.
   */
  async open(
    id: string,
    { run, signal }: { run: RunningProcess | undefined; signal: AbortSignal },
  ): Promise<AttachSession | undefined> {
    signal.throwIfAborted();
    if (run !== undefined) return connect(run);
    const { promise, resolve, reject } = Promise.withResolvers<AttachSession | undefined>();
    const set = this.#waiting.get(id) ?? new Set();
    this.#waiting.set(id, set);
    const waiting: Waiting = { resolve, reject };
    set.add(waiting);
    const leave = (): void => resolve(undefined);
    signal.addEventListener('abort', leave, { once: true });
    try {
      return await promise;
    } finally {
      signal.removeEventListener('abort', leave);
      set.delete(waiting);
      if (set.size === 0 && this.#waiting.get(id) === set) this.#waiting.delete(id);
    }
  }

  /** Connects everybody who waits for a run of `id`. */
  connect(id: string, run: RunningProcess): void {
    const set = this.#waiting.get(id);
    if (set === undefined) return;
    this.#waiting.delete(id);
    for (const { resolve, reject } of set) {
      try {
        resolve(connect(run));
      } catch (error) {
        reject(error);
      }
    }
  }

  /** Tells everybody who waits that no run is to come. */
  abandon(id: string): void {
    for (const { resolve } of this.#waiting.get(id) ?? []) resolve(undefined);
    this.#waiting.delete(id);
  }
}

function connect({ folder, init }: RunningProcess): AttachSession | undefined {
  try {
    const session = AttachSession.connect(join(folder, 'attach'));
    session.follow(init);
    return session;
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ECONNREFUSED')) return undefined;
    throw error;
  }
}
