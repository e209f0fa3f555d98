interface Waiting {
  readonly grant: () => void;
}

/** So many at once and no more, first come first served: `using _slot = await slots.acquire({ signal })`. */
export class Slots {
  readonly #limit: () => number;
  readonly #queue: Waiting[] = [];
  #taken = 0;

  /** `limit` is asked each time, so that it may change; 0 is no limit. */
  constructor(limit: () => number) {
    this.#limit = limit;
  }

  /** Waits for a slot; dispose of it to let the next one go on. Rejects with the signal's reason. */
  async acquire({ signal, onWait }: { signal: AbortSignal; onWait?: () => void }): Promise<Disposable> {
    signal.throwIfAborted();
    if (this.#queue.length > 0 || !this.#hasRoom()) {
      onWait?.();
      await this.#wait(signal);
    } else {
      this.#taken += 1;
    }
    let held = true;
    return {
      [Symbol.dispose]: () => {
        if (!held) return;
        held = false;
        this.#taken -= 1;
        this.#next();
      },
    };
  }

  #hasRoom(): boolean {
    const limit = this.#limit();
    return limit <= 0 || this.#taken < limit;
  }

  #wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiting: Waiting = {
        grant: () => {
          signal.removeEventListener('abort', leave);
          // Taken for the waiter at once, so that nobody who comes in between can have it.
          this.#taken += 1;
          resolve();
        },
      };
      const leave = (): void => {
        this.#queue.splice(this.#queue.indexOf(waiting), 1);
        reject(signal.reason);
      };
      signal.addEventListener('abort', leave, { once: true });
      this.#queue.push(waiting);
    });
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#hasRoom()) this.#queue.shift()?.grant();
  }
}
