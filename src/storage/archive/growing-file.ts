import { closeSync, openSync, readSync } from 'node:fs';
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

const chunkSize = 256 * 1024;

/**
 * The bytes of a file while somebody writes to it, to the end that the gauge tells. `signal` ends the wait for more. A chunk is
 * valid until the next one is asked for. Reads on the calling thread: what was just written comes from memory, and a trip through
 * the thread pool takes longer than that.
 */
export async function* readGrowing(
  { path, later }: MovingFile,
  gauge: GrowthGauge,
  signal: AbortSignal | undefined,
): AsyncGenerator<Uint8Array, void, undefined> {
  const fd = openMoving(path, later);
  const buffer = Buffer.allocUnsafe(chunkSize);
  const aborted = Promise.withResolvers<never>();
  aborted.promise.catch(() => {});
  const abort = (): void => aborted.reject(signal?.reason);
  signal?.addEventListener('abort', abort);
  try {
    for (let at = 0; ; ) {
      signal?.throwIfAborted();
      const { available, ended } = gauge.growth;
      if (at < available) {
        const count = readSync(fd, buffer, 0, Math.min(chunkSize, available - at), at);
        if (count === 0) throw invalid(`Cannot read "${path}": it became shorter`);
        at += count;
        yield buffer.subarray(0, count);
      } else if (ended) return;
      else await Promise.race([gauge.changed, aborted.promise]);
    }
  } finally {
    signal?.removeEventListener('abort', abort);
    closeSync(fd);
  }
}

function openMoving(path: string, later: string): number {
  try {
    return openSync(path, 'r');
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
    return openSync(later, 'r');
  }
}
