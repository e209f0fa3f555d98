import { availableParallelism } from 'node:os';
import { type ResourceLimits, Worker } from 'node:worker_threads';
import { type WorkSlot, WorkSlots } from './work-slots.ts';

/** How long a thread waits for more to do before it ends, in milliseconds. */
const idleTime = 5000;

/** What the threads of a pool are. */
export interface PoolOptions {
  /** The module that each runs. */
  readonly module: URL;
  readonly name: string;
  readonly resourceLimits: ResourceLimits;
  /** How many there are at most that do not rest. Default: one for each processor. */
  readonly limit?: number | undefined;
  /** How many there may be besides that rest. Default: none. */
  readonly resting?: number;
}

/** A thread that nobody else uses until this is disposed of, when the thread has finished its work or has ended. */
export interface Lease extends WorkSlot {
  readonly worker: Worker;
}

/** Threads that are started when needed, each for one user at a time, and end when idle. */
export class WorkerPool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #slots: WorkSlots;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();

  constructor(options: PoolOptions) {
    const { limit = availableParallelism(), resting = 0 } = options;
    this.#options = options;
    this.#slots = new WorkSlots({ limit, most: limit + resting });
  }

  /** Waits for a thread. Rejects with the signal's reason. */
  async acquire(signal?: AbortSignal): Promise<Lease> {
    return this.#lease(await this.#slots.acquire(signal));
  }

  /** As `acquire`, if there is one without waiting for others. */
  acquireNow(): Lease | undefined {
    const slot = this.#slots.acquireNow();
    return slot && this.#lease(slot);
  }

  #lease(slot: WorkSlot): Lease {
    const worker = this.#idle.pop() ?? this.#start();
    return {
      worker,
      rest: (isResting) => slot.rest(isResting),
      [Symbol.dispose]: () => {
        this.#release(worker);
        slot[Symbol.dispose]();
      },
    };
  }

  #release(worker: Worker): void {
    if (!this.#all.has(worker)) return;
    this.#idle.push(worker);
    worker.unref();
    setTimeout(() => {
      const index = this.#idle.indexOf(worker);
      if (index < 0) return;
      // One that is ending must not get anything to do.
      this.#idle.splice(index, 1);
      void worker.terminate();
    }, idleTime).unref();
  }

  /** Ends all threads, whatever they do. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #start(): Worker {
    const { module, name, resourceLimits } = this.#options;
    // Descriptors of openat2 are not known to Node.
    const worker = new Worker(module, { name, trackUnmanagedFds: false, resourceLimits });
    this.#all.add(worker);
    worker.once('exit', () => {
      this.#all.delete(worker);
      const index = this.#idle.indexOf(worker);
      if (index >= 0) this.#idle.splice(index, 1);
    });
    return worker;
  }
}
