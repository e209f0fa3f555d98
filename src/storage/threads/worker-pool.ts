import { availableParallelism } from 'node:os';
import { type ResourceLimits, Worker } from 'node:worker_threads';

/** How long a thread waits for more to do before it ends, in milliseconds. */
const idleTime = 5000;

/** What the threads of a pool are. */
export interface PoolOptions {
  /** The module that each runs. */
  readonly module: URL;
  readonly name: string;
  readonly resourceLimits: ResourceLimits;
  /** How many there are at most. Default: one for each processor. */
  readonly limit?: number | undefined;
}

/** Threads that are started when needed, each for one user at a time, and end when idle. */
export class WorkerPool implements AsyncDisposable {
  readonly #options: PoolOptions;
  readonly #limit: number;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #waiting: ((worker: Worker) => void)[] = [];

  constructor(options: PoolOptions) {
    this.#options = options;
    this.#limit = options.limit ?? availableParallelism();
  }

  /** A thread that nobody else uses. Hand it back with `release`. */
  acquire(): Promise<Worker> | Worker {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#all.size < this.#limit) return this.#start();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** As `acquire`, if there is one without waiting for others. */
  acquireNow(): Worker | undefined {
    const worker = this.#idle.pop();
    return worker ?? (this.#all.size < this.#limit ? this.#start() : undefined);
  }

  /** Takes a thread back that has finished its work, or ended. */
  release(worker: Worker): void {
    const next = this.#waiting.shift();
    if (next !== undefined) {
      next(this.#all.has(worker) ? worker : this.#start());
    } else if (this.#all.has(worker)) {
      this.#idle.push(worker);
      worker.unref();
      setTimeout(() => {
        if (this.#idle.includes(worker)) void worker.terminate();
      }, idleTime).unref();
    }
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
