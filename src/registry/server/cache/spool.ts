import { type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

const readSize = 256 * 1024;

/**
 * A file that one writer makes grow and any number of readers follow, each at its own pace and from where it likes: what is
 * fetched once goes to the storage and to all clients that wait. The last one that lets go of it removes it.
 */
export class Spool {
  readonly #file: FileHandle;
  readonly #path: string;
  #size = 0;
  #end: { readonly error: Error | undefined } | undefined;
  #wake: PromiseWithResolvers<void> = Promise.withResolvers();
  #holders = 1;

  private constructor(file: FileHandle, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /** Makes a spool in a folder, which is made if need be. The caller holds it. */
  static async create(folder: string, name: string): Promise<Spool> {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const path = join(folder, name);
    return new Spool(await open(path, 'w+', 0o600), path);
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Adds bytes at the end. */
  async write(chunk: Uint8Array): Promise<void> {
    for (let done = 0; done < chunk.length; ) {
      const { bytesWritten } = await this.#file.write(chunk, done, chunk.length - done, this.#size + done);
      done += bytesWritten;
    }
    this.#size += chunk.length;
    this.#notify();
  }

  /** Nothing more comes; with an error, readers fail when they have read what is there. */
  end(error?: Error): void {
    this.#end ??= { error };
    this.#notify();
  }

  /** Follows the bytes from `start` to before `end`; undefined if everybody has let go of the spool. Dispose of it. */
  follow(part: SpoolPart): SpoolReader | undefined {
    if (this.#holders === 0) return undefined;
    this.#holders += 1;
    return new SpoolReader(this.#read(part), () => this.release());
  }

  /** Lets go of the file. */
  async release(): Promise<void> {
    this.#holders -= 1;
    if (this.#holders > 0) return;
    await this.#file.close();
    await rm(this.#path, { force: true });
  }

  async *#read({ start, end, signal }: SpoolPart): AsyncGenerator<Uint8Array, void, undefined> {
    const stopped = Promise.withResolvers<never>();
    stopped.promise.catch(() => undefined);
    const stop = (): void => stopped.reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      for (let at = start; at < end; ) {
        signal.throwIfAborted();
        const there = Math.min(end, this.#size);
        if (at < there) {
          const buffer = Buffer.allocUnsafe(Math.min(readSize, there - at));
          const { bytesRead } = await this.#file.read(buffer, 0, buffer.length, at);
          at += bytesRead;
          yield buffer.subarray(0, bytesRead);
        } else if (this.#end !== undefined) {
          throw this.#end.error ?? new Error(`a spool ends at byte ${this.#size} instead of ${end}`);
        } else await Promise.race([this.#wake.promise, stopped.promise]);
      }
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  #notify(): void {
    const { resolve } = this.#wake;
    this.#wake = Promise.withResolvers();
    resolve();
  }
}

/** Which bytes are wanted, and until when somebody wants them. */
export interface SpoolPart {
  readonly start: number;
  readonly end: number;
  readonly signal: AbortSignal;
}

/** One who follows a spool. */
export class SpoolReader implements AsyncIterable<Uint8Array>, AsyncDisposable {
  readonly #bytes: AsyncGenerator<Uint8Array, void, undefined>;
  #release: (() => Promise<void>) | undefined;

  constructor(bytes: AsyncGenerator<Uint8Array, void, undefined>, release: () => Promise<void>) {
    this.#bytes = bytes;
    this.#release = release;
  }

  [Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    return this.#bytes;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const release = this.#release;
    this.#release = undefined;
    await this.#bytes.return();
    await release?.();
  }
}
