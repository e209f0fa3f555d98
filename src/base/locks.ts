import { unlessAborted } from './abort.ts';

/**
 * Mutual exclusion by key, first come first served: `using _held = await locks.acquire(id)`.
 * A key costs memory only while somebody holds or awaits it.
 */
export class KeyedLocks {
  readonly #tails = new Map<string, Promise<void>>();

  /** Waits for every earlier holder of `key`; dispose of the result to let the next one go on. */
  async acquire(key: string): Promise<Disposable> {
    const before = this.#tails.get(key);
    const { promise: released, resolve: release } = Promise.withResolvers<void>();
    const tail = (before ?? Promise.resolve()).then(() => released);
    this.#tails.set(key, tail);
    await before;
    return {
      [Symbol.dispose]: () => {
        if (this.#tails.get(key) === tail) this.#tails.delete(key);
        release();
      },
    };
  }

  /** As `acquire`, but whoever is told to stop waits no longer: rejects with the signal's reason. */
  async acquireUnless(key: string, signal: AbortSignal): Promise<Disposable> {
    const pending = this.acquire(key);
    try {
      return await unlessAborted(pending, signal);
    } catch (error) {
      // Its turn comes all the same, and is given to the next one.
      void pending.then((held) => held[Symbol.dispose]());
      throw error;
    }
  }

  /** Tells whether somebody holds `key` now. */
  isHeld(key: string): boolean {
    return this.#tails.has(key);
  }
}
