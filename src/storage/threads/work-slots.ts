/** The right to be at work. Dispose of it when the work is done. */
export interface WorkSlot extends Disposable {
  /** Tells whether its holder only waits for something: meanwhile another one may be at work. */
  rest(isResting: boolean): void;
}

/** So many at work at once, first come first served; with those who only wait for something not more than `most`. */
export class WorkSlots {
  readonly #limit: number;
  readonly #most: number;
  readonly #queue: (() => void)[] = [];
  #held = 0;
  #resting = 0;

  constructor({ limit, most }: { limit: number; most: number }) {
    this.#limit = limit;
    this.#most = most;
  }

  /** Waits for a slot. Rejects with the signal's reason. */
  async acquire(signal?: AbortSignal): Promise<WorkSlot> {
    signal?.throwIfAborted();
    const now = this.acquireNow();
    if (now !== undefined) return now;
    await this.#wait(signal);
    return this.#slot();
  }

  /** A slot, if there is one without waiting for others. */
  acquireNow(): WorkSlot | undefined {
    if (this.#queue.length > 0 || !this.#hasRoom()) return undefined;
    this.#held += 1;
    return this.#slot();
  }

  #slot(): WorkSlot {
    let isHeld = true;
    let rests = false;
    const rest = (isResting: boolean): void => {
      if (!isHeld || rests === isResting) return;
      rests = isResting;
      this.#resting += rests ? 1 : -1;
      this.#next();
    };
    return {
      rest,
      [Symbol.dispose]: () => {
        if (!isHeld) return;
        rest(false);
        isHeld = false;
        this.#held -= 1;
        this.#next();
      },
    };
  }

  #hasRoom(): boolean {
    return this.#held - this.#resting < this.#limit && this.#held < this.#most;
  }

  #wait(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const grant = (): void => {
        signal?.removeEventListener('abort', leave);
        // Taken for the one who waits at once, so that nobody who comes in between can have it.
        this.#held += 1;
        resolve();
      };
      const leave = (): void => {
        this.#queue.splice(this.#queue.indexOf(grant), 1);
        reject(signal?.reason);
      };
      signal?.addEventListener('abort', leave, { once: true });
      this.#queue.push(grant);
    });
  }

  #next(): void {
    while (this.#queue.length > 0 && this.#hasRoom()) this.#queue.shift()?.();
  }
}
