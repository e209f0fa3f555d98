/** What a subscriber may be behind before it is cut off; a slow reader must not grow the daemon. */
const defaultCapacity = 1024;

interface Subscriber<T> {
  readonly queue: T[];
  wake: (() => void) | undefined;
  overflowed: boolean;
  closed: boolean;
}

/**
 * Hands each published value to every subscriber, in order, through a bounded queue each. Publishing never waits: a
 * subscriber that falls behind by more than its capacity gets an error from its iterator.
 */
export class Broadcaster<T> {
  readonly #subscribers = new Set<Subscriber<T>>();
  readonly #capacity: number;

  constructor(capacity: number = defaultCapacity) {
    this.#capacity = capacity;
  }

  /** How many read now. */
  get size(): number {
    return this.#subscribers.size;
  }

  publish(value: T): void {
    for (const subscriber of this.#subscribers) {
      if (subscriber.queue.length >= this.#capacity) subscriber.overflowed = true;
      else subscriber.queue.push(value);
      subscriber.wake?.();
    }
  }

  /**
   * Values published from now on (the subscription exists when this returns, not at the first read), until `signal`
   * aborts or the reader stops.
   */
  subscribe({ signal }: { signal: AbortSignal }): AsyncGenerator<T, void, undefined> {
    const subscriber: Subscriber<T> = {
      queue: [],
      wake: undefined,
      overflowed: false,
      closed: signal.aborted,
    };
    const close = (): void => {
      subscriber.closed = true;
      this.#subscribers.delete(subscriber);
      subscriber.wake?.();
    };
    if (!subscriber.closed) {
      this.#subscribers.add(subscriber);
      signal.addEventListener('abort', close, { once: true });
    }
    return read(subscriber, () => {
      signal.removeEventListener('abort', close);
      close();
    });
  }
}

async function* read<T>(subscriber: Subscriber<T>, close: () => void): AsyncGenerator<T, void, undefined> {
  try {
    for (;;) {
      while (subscriber.queue.length > 0) yield subscriber.queue.shift() as T;
      if (subscriber.overflowed) throw new Error('the reader fell too far behind the events');
      if (subscriber.closed) return;
      await new Promise<void>((resolve) => {
        subscriber.wake = resolve;
      });
      subscriber.wake = undefined;
    }
  } finally {
    close();
  }
}
