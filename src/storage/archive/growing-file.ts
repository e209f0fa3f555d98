import { type FileHandle, open } from 'node:fs/promises';
import { invalid, isSystemError } from '#/base/errors.ts';

/** How far a file has grown. */
export interface Growth {
  /** Bytes that can be read. */
  readonly available: number;
  /** No more will come. */
  readonly ended: boolean;
}

/** Tells a reader how far a file that grows can be read. */
export class GrowthGauge {
  #growth: Growth;
  #changed = Promise.withResolvers<void>();

  constructor(growth: Growth) {
    this.#growth = growth;
  }

  get growth(): Growth {
    return this.#growth;
  }

  /** Resolves at the next change. */
  get changed(): Promise<void> {
    return this.#changed.promise;
  }

  set(growth: Growth): void {
    this.#growth = growth;
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** A file that moves to another place, once. */
export interface MovingFile {
  readonly path: string;
  /** Where it is afterwards. */
  readonly later: string;
}

/**
 * The bytes of a file while somebody writes to it, to the end that the gauge tells. `signal` ends the wait for more. Each chunk
 * is the reader's own.
 */
export async function* readGrowing(
  { path, later }: MovingFile,
  gauge: GrowthGauge,
  { chunkSize, signal }: { chunkSize: number; signal: AbortSignal | undefined },
): AsyncGenerator<Uint8Array, void, undefined> {
  await using file = await openMoving(path, later);
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const abort = (): void => aborted.reject(signal?.reason);
  signal?.addEventListener('abort', abort);
  try {
    for (let at = 0; ; ) {
      signal?.throwIfAborted();
      const { available, ended } = gauge.growth;
      if (at < available) {
        const buffer = Buffer.allocUnsafe(Math.min(chunkSize, available - at));
        const { bytesRead } = await file.read(buffer, 0, buffer.length, at);
        if (bytesRead === 0) throw invalid(`Cannot read "${path}": it became shorter`);
        at += bytesRead;
        yield buffer.subarray(0, bytesRead);
      } else if (ended) return;
      else await Promise.race([gauge.changed, aborted.promise]);
    }
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

async function openMoving(path: string, later: string): Promise<FileHandle> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
    return open(later, 'r');
  }
}
