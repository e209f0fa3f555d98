import { availableParallelism } from 'node:os';
import { Worker } from 'node:worker_threads';
import { EngineError, type ErrorKind, tooLarge } from '#/base/errors.ts';
import { siblingModule } from '#/base/sibling-module.ts';
import type { GrowingFile } from '../content/partial-blob.ts';
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

/** What a worker answers: progress any number of times, then one of the others. */
export type UnpackReply =
  | { readonly kind: 'progress'; readonly bytes: number }
  | { readonly kind: 'done'; readonly result: Unpacked | Recipe | Packed }
  | {
      readonly kind: 'refused';
      readonly errorKind: ErrorKind;
      readonly message: string;
      readonly cause: unknown;
    }
  | { readonly kind: 'failed'; readonly error: unknown };

/** Blobs up to this size are not worth the start of a thread (about 40 ms). */
const inlineSize = 1024 * 1024;

/** How long a thread waits for more to do before it ends, in milliseconds. */
const idleTime = 5000;

/** A hostile archive must not take more than this from the daemon, in MiB. */
const maxHeap = 512;

/** Entries of an archive are short-lived: with room for them, nearly none has to be moved. MiB. */
const youngHeap = 16;

/**
 * Unpacks and packs layers in threads of their own, so that hashing, parsing, deflating and tens of thousands of system calls
 * leave the daemon responsive. Threads are started when needed and end when idle.
 */
export class UnpackThreads implements AsyncDisposable {
  readonly #limit: number;
  readonly #idle: Worker[] = [];
  readonly #all = new Set<Worker>();
  readonly #waiting: ((worker: Worker) => void)[] = [];

  constructor({ limit = availableParallelism() }: { limit?: number } = {}) {
    this.#limit = limit;
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
    const worker = await this.#acquire();
    const unwatch = file?.watch(() => {
      worker.postMessage({ kind: 'grown', growth: growthOf(file) } satisfies UnpackRequest);
    });
    try {
      return await runIn<Unpacked>(worker, { kind: 'start', job: following(job, file) }, control);
    } finally {
      unwatch?.();
      this.#release(worker);
    }
  }

  /** Makes the recipe of an archive whose blob has `size` bytes. Throws as `makeRecipe`. */
  async makeRecipe(job: RecipeJob, size: number): Promise<Recipe> {
    if (size <= inlineSize) return makeRecipe(job);
    const worker = await this.#acquire();
    try {
      return await runIn<Recipe>(worker, { kind: 'recipe', job }, {});
    } finally {
      this.#release(worker);
    }
  }

  /** Compresses an archive of `size` bytes. Throws as `packArchive`, and the signal's reason. */
  async pack(job: PackJob, size: number, control: { readonly signal: AbortSignal }): Promise<Packed> {
    if (size <= inlineSize) return packArchive(job, control);
    const worker = await this.#acquire();
    try {
      return await runIn<Packed>(worker, { kind: 'pack', job }, control);
    } finally {
      this.#release(worker);
    }
  }

  /** Ends all threads, whatever they do. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#all].map((worker) => worker.terminate()));
  }

  #acquire(): Promise<Worker> | Worker {
    const idle = this.#idle.pop();
    if (idle !== undefined) return idle;
    if (this.#all.size < this.#limit) return this.#start();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(): Worker {
    const worker = new Worker(siblingModule('unpack-worker', import.meta.url), {
      name: 'unpack',
      // Descriptors of openat2 are not known to Node.
      trackUnmanagedFds: false,
      resourceLimits: { maxOldGenerationSizeMb: maxHeap, maxYoungGenerationSizeMb: youngHeap },
    });
    this.#all.add(worker);
    worker.once('exit', () => {
      this.#all.delete(worker);
      const index = this.#idle.indexOf(worker);
      if (index >= 0) this.#idle.splice(index, 1);
    });
    return worker;
  }

  #release(worker: Worker): void {
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
}

function growthOf({ available, ended }: GrowingFile): Growth {
  return { available, ended };
}

/** The job with what has to be known of a file that grows. */
function following(job: UnpackJob, file: GrowingFile | undefined): UnpackJob {
  return file === undefined ? job : { ...job, growing: { growth: growthOf(file), later: file.later } };
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
  control: UnpackControl,
): Promise<T> {
  const { promise, resolve, reject } = Promise.withResolvers<T>();
  const onMessage = (reply: UnpackReply): void => {
    if (reply.kind === 'progress') return control.onProgress?.(reply.bytes);
    // What a request is answered with goes by its kind.
    if (reply.kind === 'done') return resolve(reply.result as T);
    if (control.signal?.aborted) return reject(control.signal.reason);
    if (reply.kind === 'failed') return reject(reply.error);
    return reject(new EngineError(reply.errorKind, reply.message, { cause: reply.cause }));
  };
  const onError = (error: Error): void => {
    const outOfMemory = 'code' in error && error.code === 'ERR_WORKER_OUT_OF_MEMORY';
    reject(outOfMemory ? tooLarge('Cannot unpack archive: it takes too much memory', error) : error);
  };
  const onExit = (): void => reject(new Error('the unpacking thread ended before its work'));
  const onAbort = (): void => worker.postMessage({ kind: 'stop' } satisfies UnpackRequest);
  worker.ref();
  worker.on('message', onMessage).on('error', onError).on('exit', onExit);
  control.signal?.addEventListener('abort', onAbort);
  worker.postMessage(request);
  return promise.finally(() => {
    worker.off('message', onMessage).off('error', onError).off('exit', onExit);
    control.signal?.removeEventListener('abort', onAbort);
  });
}
