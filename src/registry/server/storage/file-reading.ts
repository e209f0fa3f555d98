import { read, readSync } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { setImmediate as turn } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { BlobReading, ByteRange } from './blob-storage.ts';

/** Bytes of one piece: small ones while the reader is slow, so that a thousand slow readers need little; large ones are faster. */
const pieceSizes = [64 * 1024, 256 * 1024, 1024 * 1024] as const;
/** A reader that takes a piece within so many milliseconds gets a larger one, and one that takes longer a smaller one. */
const quick = 5;
const slow = 100;
/** A read that takes more milliseconds than this has waited for the disk. */
const cached = 1;
/** Pieces that are read on another thread after that, before the cache is tried again. */
const detour = 16;
/** Bytes after which others get their turn, however fast reader and disk are. */
const fairShare = 4 * 1024 * 1024;
/** Buffers of one size that wait for the next reading. */
const maxSpare = 16;

const readFd = promisify(read);

/** Buffers that are free, by piece size, shared by all readings: fresh memory costs more than the copying. */
const spare = new Map<number, Buffer[]>(pieceSizes.map((size) => [size, []]));

/**
 * Reads part of a file, one piece after the other into the same buffer. What is in the kernel's cache is copied at once; to hand that
 * to another thread would take longer (measured: 1.5 times). When a read shows that the disk has to be waited for, the next ones go to
 * another thread, so that no more than one piece in sixteen can make everybody wait. Owns the handle. Fails if the file is
 * shorter than the range says.
 */
export class FileReading implements BlobReading {
  readonly #file: FileHandle;
  readonly #range: ByteRange;
  #buffer: Buffer | undefined;
  #pending: Promise<unknown> = Promise.resolve();
  /** Pieces to read on another thread; the first one, because nothing is known yet. */
  #detour = 1;

  constructor(file: FileHandle, range: ByteRange) {
    this.#file = file;
    this.#range = range;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    const stop = this.#range.end + 1;
    let level = 0;
    let share = 0;
    for (let at = this.#range.start; at < stop; ) {
      const piece = await this.#next(at, Math.min(pieceSizes[level] ?? 0, stop - at));
      if (piece.length === 0) throw new Error(`a stored blob ends at byte ${at} instead of ${stop}`);
      at += piece.length;
      const began = performance.now();
      yield piece;
      const taken = performance.now() - began;
      if (taken < quick && level < pieceSizes.length - 1) level += 1;
      else if (taken > slow && level > 0) level -= 1;
      share += piece.length;
      if (share < fairShare) continue;
      share = 0;
      await turn();
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The buffer may be given away only when nothing is being read into it.
    await this.#pending.catch(() => undefined);
    this.#release();
    await this.#file.close();
  }

  async #next(at: number, length: number): Promise<Uint8Array> {
    const buffer = this.#bufferFor(length);
    if (this.#detour > 0) {
      this.#detour -= 1;
      const reading = readFd(this.#file.fd, buffer, 0, length, at);
      this.#pending = reading;
      return buffer.subarray(0, (await reading).bytesRead);
    }
    const began = performance.now();
    const bytes = readSync(this.#file.fd, buffer, 0, length, at);
    if (performance.now() - began > cached) this.#detour = detour;
    return buffer.subarray(0, bytes);
  }

  #bufferFor(length: number): Buffer {
    const size = pieceSizes.find((one) => one >= length) ?? pieceSizes[0];
    if (this.#buffer?.length === size) return this.#buffer;
    this.#release();
    const buffer = spare.get(size)?.pop() ?? Buffer.allocUnsafeSlow(size);
    this.#buffer = buffer;
    return buffer;
  }

  #release(): void {
    const buffer = this.#buffer;
    this.#buffer = undefined;
    const free = buffer === undefined ? undefined : spare.get(buffer.length);
    if (buffer !== undefined && free !== undefined && free.length < maxSpare) free.push(buffer);
  }
}
