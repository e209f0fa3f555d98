import type { Worker } from 'node:worker_threads';
import { unlessAborted } from '#/base/abort.ts';
import { siblingModule } from '#/base/sibling-module.ts';
import type { GrowingFile } from '../content/partial-blob.ts';
import type { WorkSlot } from '../threads/work-slots.ts';
import { callWorker } from '../threads/worker-call.ts';
import { WorkerPool } from '../threads/worker-pool.ts';
import { type Growth, GrowthGauge } from './growing-file.ts';
import { type Packed, type PackJob, packArchive } from './pack-archive.ts';
import { makeRecipe, type Recipe, type RecipeJob } from './tar-recipe.ts';
import { type UnpackControl, type Unpacked, type UnpackJob, unpackBlob } from './unpack-blob.ts';

/** What a worker is asked. */
export type UnpackRequest =
  | { readonly kind: 'start'; readonly job: UnpackJob }
  | { readonly kind: 'recipe'; readonly job: RecipeJob }
  | { readonly kind: 'pack'; readonly job: PackJob }
  | { readonly kind: 'grown'; readonly growth: Growth }
  | { readonly kind: 'stop' };

/** What a worker tells meanwhile: how many bytes of the blob it has read. */
export type UnpackNews = number;

/** Blobs up to this size are not worth the start of a thread (about 40 ms). */
const inlineSize = 1024 * 1024;

/** A thread whose download has brought nothing for so long lets another one work, in milliseconds. */
const defaultStallTime = 1000;

/** Threads of stalled downloads that there may be besides those at work. */
const maxStalled = 8;

/** A hostile archive must not take more than this from the daemon, in MiB. */
const maxHeap = 512;

/** Entries of an archive are short-lived: with room for them, nearly none has to be moved. MiB. */
const youngHeap = 16;

/**
 * Unpacks and packs layers in threads of their own, so that hashing, parsing, deflating and tens of thousands of system calls
 * leave the daemon responsive. Threads are started when needed and end when idle.
 */
export class UnpackThreads implements AsyncDisposable {
  readonly #pool: WorkerPool;
  readonly #stallTime: number;

  constructor({ limit, stallTime = defaultStallTime }: { limit?: number; stallTime?: number } = {}) {
    this.#stallTime = stallTime;
    this.#pool = new WorkerPool({
      module: siblingModule('unpack-worker', import.meta.url),
      name: 'unpack',
      limit,
      resting: maxStalled,
      resourceLimits: { maxOldGenerationSizeMb: maxHeap, maxYoungGenerationSizeMb: youngHeap },
    });
  }

  /**
   * Unpacks `job`, whose blob has `size` bytes; `file` is the blob if it still grows: then it is read along. Throws as
   * `extractTar`, and the signal's reason.
   */
  async unpack(
    job: UnpackJob,
    size: number,
    control: UnpackControl & { readonly file?: GrowingFile | undefined } = {},
  ): Promise<Unpacked> {
    control.signal?.throwIfAborted();
    const { file } = control;
    if (size <= inlineSize)
      return file === undefined ? unpackBlob(job, control) : unpackAlong(job, file, control);
    if (file !== undefined) await begun(file, control.signal);
    using lease = await this.#pool.acquire(control.signal);
    const { worker } = lease;
    if (file === undefined) return await runIn<Unpacked>(worker, { kind: 'start', job }, control);
    using pace = new Pace(file, lease, this.#stallTime);
    const unwatch = file.watch(() => {
      pace.look();
      worker.postMessage({ kind: 'grown', growth: growthOf(file) } satisfies UnpackRequest);
    });
    const onProgress = (bytes: number): void => {
      pace.look(bytes);
      control.onProgress?.(bytes);
    };
    try {
      const request: UnpackRequest = { kind: 'start', job: following(job, file) };
      return await runIn<Unpacked>(worker, request, { ...control, onProgress });
    } finally {
      unwatch();
    }
  }

  /** Makes the recipe of an archive whose blob has `size` bytes. Throws as `makeRecipe`. */
  async makeRecipe(job: RecipeJob, size: number): Promise<Recipe> {
    if (size <= inlineSize) return makeRecipe(job);
    using lease = await this.#pool.acquire();
    return await runIn<Recipe>(lease.worker, { kind: 'recipe', job }, {});
  }

  /** Compresses an archive of `size` bytes. Throws as `packArchive`, and the signal's reason. */
  async pack(job: PackJob, size: number, control: { readonly signal: AbortSignal }): Promise<Packed> {
    if (size <= inlineSize) return packArchive(job, control);
    using lease = await this.#pool.acquire(control.signal);
    return await runIn<Packed>(lease.worker, { kind: 'pack', job }, control);
  }

  /** Ends all threads, whatever they do. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#pool[Symbol.asyncDispose]();
  }
}

/** Tells whether a thread that reads along with a file is at work, or has waited for more for a while. */
class Pace implements Disposable {
  readonly #file: GrowingFile;
  readonly #slot: WorkSlot;
  readonly #stallTime: number;
  #read = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(file: GrowingFile, slot: WorkSlot, stallTime: number) {
    this.#file = file;
    this.#slot = slot;
    this.#stallTime = stallTime;
    this.look();
  }

  /** The file has grown, or so much of it has been read. */
  look(read: number = this.#read): void {
    this.#read = read;
    this.#slot.rest(false);
    clearTimeout(this.#timer);
    if (this.#file.ended || this.#read < this.#file.available) return;
    this.#timer = setTimeout(() => this.#slot.rest(true), this.#stallTime).unref();
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }
}

/** Waits for the first byte: a download that others have to make room for needs no thread yet. */
async function begun(file: GrowingFile, signal: AbortSignal | undefined): Promise<void> {
  if (file.available > 0 || file.ended) return;
  const { promise, resolve } = Promise.withResolvers<void>();
  const unwatch = file.watch(resolve);
  try {
    await (signal === undefined ? promise : unlessAborted(promise, signal));
  } finally {
    unwatch();
  }
}

function growthOf({ available, ended }: GrowingFile): Growth {
  return { available, ended };
}

/** The job with what has to be known of a file that grows. */
function following(job: UnpackJob, file: GrowingFile): UnpackJob {
  return { ...job, growing: { growth: growthOf(file), later: file.later } };
}

async function unpackAlong(job: UnpackJob, file: GrowingFile, control: UnpackControl): Promise<Unpacked> {
  const gauge = new GrowthGauge(growthOf(file));
  const unwatch = file.watch(() => gauge.set(growthOf(file)));
  try {
    return await unpackBlob(following(job, file), control, gauge);
  } finally {
    unwatch();
  }
}

function runIn<T extends Unpacked | Recipe | Packed>(
  worker: Worker,
  request: UnpackRequest,
  { signal, onProgress }: UnpackControl,
): Promise<T> {
  const stop: UnpackRequest = { kind: 'stop' };
  const onNews = (bytes: UnpackNews): void => onProgress?.(bytes);
  return callWorker<T, UnpackNews>(
    worker,
    { request, stop, doing: `${request.kind === 'pack' ? 'pack' : 'unpack'} archive` },
    { signal, onNews },
  );
}
