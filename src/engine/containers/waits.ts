/** When a waiter is to be answered; Docker's `condition`. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/** What a waiter is told. */
export interface WaitResult {
  readonly exitCode: number;
  /** Why the wait could not end as asked, for example because removing failed. */
  readonly error?: string;
}

interface Waiter {
  readonly condition: WaitCondition;
  readonly resolve: (result: WaitResult) => void;
}

/** Who waits for which container. Kept in memory only: a client that waits has a connection to this very process. */
export class Waits {
  readonly #waiters = new Map<string, Set<Waiter>>();

  /** Resolves when `id` meets the condition; rejects with the signal's reason when that aborts. */
  wait(id: string, condition: WaitCondition, { signal }: { signal: AbortSignal }): Promise<WaitResult> {
    signal.throwIfAborted();
    return new Promise((resolve, reject) => {
      const set = this.#waiters.get(id) ?? new Set();
      this.#waiters.set(id, set);
      const leave = (): void => {
        set.delete(waiter);
        if (set.size === 0 && this.#waiters.get(id) === set) this.#waiters.delete(id);
        signal.removeEventListener('abort', abort);
      };
      const abort = (): void => {
        leave();
        reject(signal.reason);
      };
      const waiter: Waiter = {
        condition,
        resolve: (result) => {
          leave();
          resolve(result);
        },
      };
      set.add(waiter);
      signal.addEventListener('abort', abort, { once: true });
    });
  }

  /** A run of `id` ended: answers whoever waits for the exit. */
  exited(id: string, result: WaitResult): void {
    this.#answer(id, result, (condition) => condition !== 'removed');
  }

  /** `id` is gone, or (with an error) could not be removed: answers everybody. */
  removed(id: string, result: WaitResult): void {
    this.#answer(id, result, () => true);
  }

  #answer(id: string, result: WaitResult, meets: (condition: WaitCondition) => boolean): void {
    for (const waiter of this.#waiters.get(id) ?? []) {
      if (meets(waiter.condition)) waiter.resolve(result);
    }
  }
}
