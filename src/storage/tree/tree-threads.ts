import type { Worker } from 'node:worker_threads';
import { siblingModule } from '#/base/sibling-module.ts';
import { type HashedTree, hashTree, type TreePackJob } from '../archive/hash-tree.ts';
import { packTree } from '../archive/pack-tree.ts';
import { callWorker } from '../threads/worker-call.ts';
import { type PoolOptions, WorkerPool } from '../threads/worker-pool.ts';
import type { TreeJobs } from './tree-jobs.ts';

/** What a worker is asked. */
export type TreeRequest =
  | { readonly kind: 'job'; readonly name: keyof TreeJobs; readonly job: unknown }
  /** To be answered piece by piece. */
  | { readonly kind: 'pack'; readonly job: TreePackJob }
  | { readonly kind: 'more' }
  | { readonly kind: 'stop' };

/** An archive up to this size is not worth a thread. Bytes. */
const inlineSize = 1024 * 1024;

/** Pieces that are on their way at the same time. */
const piecesAhead = 4;

/** Archives that are sent somewhere, at whatever speed, by threads of their own. */
const maxStreams = 4;

const stopRequest: TreeRequest = { kind: 'stop' };

/** Works on trees of files in threads of its own, which are started when needed and end when idle. */
export class TreeThreads implements AsyncDisposable {
  readonly #jobs: WorkerPool;
  readonly #streams: WorkerPool;

  constructor() {
    const options: PoolOptions = {
      module: siblingModule('tree-worker', import.meta.url),
      name: 'tree',
      resourceLimits: { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 16 },
    };
    this.#jobs = new WorkerPool(options);
    this.#streams = new WorkerPool({ ...options, limit: maxStreams });
  }

  /** The digest of an archive. Throws system errors, and the signal's reason. */
  async hash(job: TreePackJob, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<HashedTree> {
    const small = await hashTree(job, { signal, budget: inlineSize });
    if (small !== undefined) return small;
    const large = await this.run('hash', job, { signal });
    if (large === undefined) throw new Error('hashed without a budget, it cannot be exceeded');
    return large;
  }

  /**
   * The archive as a stream that is made as it is read. Where too many are being read already, this thread makes it.
   */
  async *pack(job: TreePackJob): AsyncGenerator<Uint8Array, void, undefined> {
    using lease = this.#streams.acquireNow();
    if (lease === undefined) yield* packTree(job.source, job);
    else yield* streamFrom(lease.worker, job);
  }

  /** Does a piece of work in a thread. Throws what it throws, and the signal's reason. */
  async run<Name extends keyof TreeJobs>(
    name: Name,
    job: Parameters<TreeJobs[Name]>[0],
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Awaited<ReturnType<TreeJobs[Name]>>> {
    using lease = await this.#jobs.acquire(signal);
    const request: TreeRequest = { kind: 'job', name, job };
    return await callWorker<Awaited<ReturnType<TreeJobs[Name]>>>(
      lease.worker,
      { request, stop: stopRequest, doing: 'work on files' },
      { signal },
    );
  }

  /** Ends all threads, whatever they do. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#jobs[Symbol.asyncDispose](), this.#streams[Symbol.asyncDispose]()]);
  }
}

async function* streamFrom(worker: Worker, job: TreePackJob): AsyncGenerator<Uint8Array, void, undefined> {
  const more = (): void => worker.postMessage({ kind: 'more' } satisfies TreeRequest);
  const arrived: Uint8Array[] = [];
  let wake = Promise.withResolvers<void>();
  const onNews = (piece: Uint8Array): void => {
    arrived.push(piece);
    wake.resolve();
  };
  let ended = false;
  const request: TreeRequest = { kind: 'pack', job };
  const work = callWorker(worker, { request, stop: stopRequest, doing: 'pack files' }, { onNews }).finally(
    () => {
      ended = true;
      wake.resolve();
    },
  );
  work.catch(() => {});
  for (let i = 0; i < piecesAhead; i += 1) more();
  try {
    for (;;) {
      const piece = arrived.shift();
      if (piece !== undefined) {
        yield piece;
        more();
      } else if (ended) return void (await work);
      else {
        await wake.promise;
        wake = Promise.withResolvers();
      }
    }
  } finally {
    if (!ended) {
      worker.postMessage(stopRequest);
      await work;
    }
  }
}
