import { availableParallelism } from 'node:os';
import type { Worker } from 'node:worker_threads';
import { siblingModule } from '#/base/sibling-module.ts';
import { breakRing, chunkRing } from '../archive/chunk-ring.ts';
import { fillRing, type HashedTree, hashRing, hashTree, type TreePackJob } from '../archive/hash-tree.ts';
import { packTree } from '../archive/pack-tree.ts';
import { JobThreads } from '../threads/job-threads.ts';
import { callWorker } from '../threads/worker-call.ts';
import { WorkerPool } from '../threads/worker-pool.ts';
import { type LinkTreeJob, linkTree } from './copy-tree.ts';

/** What a thread is asked that makes a stream, beside what `serveJobs` knows. */
export type StreamRequest =
  /** To be answered piece by piece. */
  | { readonly kind: 'pack'; readonly job: TreePackJob }
  | { readonly kind: 'more' }
  | { readonly kind: 'stop' };

/** What is done in threads. */
export const treeJobs: {
  readonly hash: typeof hashTree;
  readonly fill: typeof fillRing;
  readonly hashRing: typeof hashRing;
  readonly link: typeof linkTree;
} = { hash: hashTree, fill: fillRing, hashRing, link: linkTree };

/** An archive up to this size is not worth a thread. Bytes. */
const inlineSize = 1024 * 1024;

/** Pairs of threads that read and hash: not more than either pool has, or readers could wait for hashers that wait for others. */
const maxPairs = availableParallelism() > 1 ? availableParallelism() : 0;

/** Pieces that are on their way at the same time. */
const piecesAhead = 4;

/** Archives that are sent somewhere, at whatever speed, by threads of their own. */
const maxStreams = 4;

const stopRequest: StreamRequest = { kind: 'stop' };

/** Works on trees of files in threads of its own, which are started when needed and end when idle. */
export class TreeThreads implements AsyncDisposable {
  readonly #jobs: JobThreads<typeof treeJobs>;
  /** Each works for one that reads. */
  readonly #hashers: JobThreads<typeof treeJobs>;
  readonly #streams: WorkerPool;
  #pairs = 0;

  constructor() {
    const module = siblingModule('tree-worker', import.meta.url);
    this.#jobs = new JobThreads(module, 'tree');
    this.#hashers = new JobThreads(module, 'hash');
    const resourceLimits = { maxOldGenerationSizeMb: 512, maxYoungGenerationSizeMb: 16 };
    this.#streams = new WorkerPool({ module, name: 'archive', limit: maxStreams, resourceLimits });
  }

  /** The digest of an archive. Throws system errors, and the signal's reason. */
  async hash(job: TreePackJob, { signal }: { signal?: AbortSignal | undefined } = {}): Promise<HashedTree> {
    const small = await hashTree(job, { signal, budget: inlineSize });
    if (small !== undefined) return small;
    if (this.#pairs < maxPairs) return this.#hashInPair(job, signal);
    const large = await this.#jobs.run('hash', job, { signal });
    if (large === undefined) throw new Error('hashed without a budget, it cannot be exceeded');
    return large;
  }

  /** See `linkTree`. */
  link(job: LinkTreeJob, options: { signal?: AbortSignal | undefined } = {}): Promise<void> {
    return this.#jobs.run('link', job, options);
  }

  /**
   * The archive as a stream that is made as it is read. Where too many are being read already, this thread makes it.
   */
  async *pack(job: TreePackJob): AsyncGenerator<Uint8Array, void, undefined> {
    using lease = this.#streams.acquireNow();
    if (lease === undefined) yield* packTree(job.source, job);
    else yield* streamFrom(lease.worker, job);
  }

  /** One thread reads while another hashes. */
  async #hashInPair(job: TreePackJob, signal: AbortSignal | undefined): Promise<HashedTree> {
    const ring = chunkRing();
    this.#pairs += 1;
    try {
      const filling = this.#jobs.run('fill', { ...job, ring }, { signal });
      const hashing = this.#hashers.run('hashRing', { ring });
      // Neither waits for a thread that is gone.
      for (const side of [filling, hashing]) side.catch(() => breakRing(ring));
      await Promise.allSettled([filling, hashing]);
      // What goes wrong with reading is the reason for all else.
      return { ...(await filling), diffId: await hashing };
    } finally {
      this.#pairs -= 1;
    }
  }

  /** Ends all threads, whatever they do. */
  async [Symbol.asyncDispose](): Promise<void> {
    const pools = [this.#jobs, this.#hashers, this.#streams];
    await Promise.all(pools.map((pool) => pool[Symbol.asyncDispose]()));
  }
}

async function* streamFrom(worker: Worker, job: TreePackJob): AsyncGenerator<Uint8Array, void, undefined> {
  const more = (): void => worker.postMessage({ kind: 'more' } satisfies StreamRequest);
  const arrived: Uint8Array[] = [];
  let wake = Promise.withResolvers<void>();
  const onNews = (piece: Uint8Array): void => {
    arrived.push(piece);
    wake.resolve();
  };
  let ended = false;
  const request: StreamRequest = { kind: 'pack', job };
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
