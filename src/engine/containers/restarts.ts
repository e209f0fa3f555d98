import { type ContainerRecord, lastRun } from './model.ts';
import { nextDelay } from './restart-policy.ts';

/** Starts containers again after a delay that grows while they keep failing. */
export class Restarts {
  readonly #pending = new Map<string, NodeJS.Timeout>();
  /** Milliseconds that each container waited last. */
  readonly #delays = new Map<string, number>();
  /** How many restarts by request each container is in. */
  readonly #held = new Map<string, number>();
  #closed = false;
  readonly #start: (id: string) => Promise<void>;

  /** `start` is called when a container's time has come; it reports its failures itself. */
  constructor(start: (id: string) => Promise<void>) {
    this.#start = start;
  }

  /** Starts the container after its delay. */
  schedule(record: ContainerRecord): void {
    if (this.#closed) return;
    const { id } = record;
    this.cancel(id);
    const last = lastRun(record.state);
    const ranFor = last === undefined ? 0 : Date.parse(last.finishedAt) - Date.parse(last.startedAt);
    const delay = nextDelay(this.#delays.get(id) ?? 0, ranFor);
    this.#delays.set(id, delay);
    const timer = setTimeout(() => {
      this.#pending.delete(id);
      void this.#start(id);
    }, delay);
    this.#pending.set(id, timer);
  }

  /** Forgets a planned start. */
  cancel(id: string): void {
    clearTimeout(this.#pending.get(id));
    this.#pending.delete(id);
  }

  /** The container was started or stopped by request: its delays begin anew. */
  reset(id: string): void {
    this.cancel(id);
    this.#delays.delete(id);
  }

  /** Somebody restarts the container by request: until all results are disposed, auto-remove leaves it alone. */
  hold(id: string): Disposable {
    this.#held.set(id, (this.#held.get(id) ?? 0) + 1);
    return {
      [Symbol.dispose]: () => {
        const left = (this.#held.get(id) ?? 0) - 1;
        if (left > 0) this.#held.set(id, left);
        else this.#held.delete(id);
      },
    };
  }

  /** Whether a restart by request is going on. */
  isHeld(id: string): boolean {
    return this.#held.has(id);
  }

  /** Forgets all planned starts and takes no more; the next daemon finds the containers as restarting. */
  close(): void {
    this.#closed = true;
    for (const id of this.#pending.keys()) this.cancel(id);
  }
}
