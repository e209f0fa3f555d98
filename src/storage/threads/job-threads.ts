import type { MessagePort } from 'node:worker_threads';
import { answer, callWorker } from './worker-call.ts';
import { WorkerPool } from './worker-pool.ts';

/** Work by name: what it is given, and what it gives; both are plain data. */
export type Jobs<T> = { readonly [Name in keyof T]: (job: never, control: JobControl) => Promise<unknown> };

/** What a piece of work has of who asked for it. */
interface JobControl {
  readonly signal: AbortSignal;
}

/** How work is handed over. */
export interface JobOptions {
  readonly signal?: AbortSignal | undefined;
  /** Memory of the job that goes to the thread instead of being copied. */
  readonly transfer?: readonly ArrayBuffer[];
}

/** What a thread is asked. */
type JobRequest =
  | { readonly kind: 'job'; readonly name: string; readonly job: unknown }
  | { readonly kind: 'stop' };

const stop: JobRequest = { kind: 'stop' };

/** Threads that do work of certain kinds; they are started when needed and end when idle. */
export class JobThreads<T extends Jobs<T>> implements AsyncDisposable {
  readonly #pool: WorkerPool;

  /** `module` calls `serveJobs` with the work itself. */
  constructor(module: URL, name: string) {
    const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 16 };
    this.#pool = new WorkerPool({ module, name, resourceLimits });
  }

  /** Does a piece of work. Throws what it throws, and the signal's reason. */
  async run<Name extends keyof T & string>(
    name: Name,
    job: Parameters<T[Name]>[0],
    { signal, transfer }: JobOptions = {},
  ): Promise<Awaited<ReturnType<T[Name]>>> {
    using lease = await this.#pool.acquire(signal);
    signal?.throwIfAborted();
    const request: JobRequest = { kind: 'job', name, job };
    const call = { request, stop, doing: 'work on files', transfer };
    return await callWorker<Awaited<ReturnType<T[Name]>>>(lease.worker, call, { signal });
  }

  /** Ends all threads, whatever they do. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

/** In a thread: does what it is asked, one piece of work at a time. */
export function serveJobs<T extends Jobs<T>>(port: MessagePort, jobs: T): void {
  let current = new AbortController();
  port.on('message', (request: JobRequest) => {
    if (request.kind === 'stop') current.abort();
    if (request.kind !== 'job') return;
    current = new AbortController();
    const work = jobs[request.name as keyof T];
    void answer(port, () => work(request.job as never, { signal: current.signal }));
  });
}
