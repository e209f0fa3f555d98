import { read } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { BlobReading, ByteRange } from './blob-storage.ts';

/** Bytes of one read. Two of these stay in a core's cache while they are copied into a socket. */
const pieceSize = 256 * 1024;
/** Buffers that wait for the next reading. */
const maxSpare = 32;

const readFd = promisify(read);

/** Buffers that are free, shared by all readings: fresh memory costs more than the copying. */
const spare: Buffer[] = [];

/**
 * Reads part of a file into two buffers in turn: while the reader works on one, the other is filled. Owns the handle. Fails if
 * the file is shorter than the range says.
 */
export class FileReading implements BlobReading {
  readonly #file: FileHandle;
  readonly #range: ByteRange;
  readonly #buffers: Buffer[] = [];
  #pending: Promise<unknown> = Promise.resolve();

  constructor(file: FileHandle, range: ByteRange) {
    this.#file = file;
    this.#range = range;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    let at = this.#range.start;
    const stop = this.#range.end + 1;
    let next = this.#fill(at, stop);
    for (let turn = 1; at < stop; turn += 1) {
      const piece = await next;
      if (piece.length === 0) throw new Error(`a stored blob ends at byte ${at} instead of ${stop}`);
      at += piece.length;
      if (at < stop) next = this.#fill(at, stop, turn);
      yield piece;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // A buffer may be given away only when nothing is being read into it.
    await this.#pending.catch(() => undefined);
    for (const buffer of this.#buffers) if (spare.length < maxSpare) spare.push(buffer);
    this.#buffers.length = 0;
    await this.#file.close();
  }

  #fill(at: number, stop: number, turn: number = 0): Promise<Uint8Array> {
    const index = turn % 2;
    const buffer = (this.#buffers[index] ??= spare.pop() ?? Buffer.allocUnsafeSlow(pieceSize));
    const filled = readFd(this.#file.fd, buffer, 0, Math.min(pieceSize, stop - at), at).then(
      ({ bytesRead }) => buffer.subarray(0, bytesRead),
    );
    this.#pending = filled;
    // Whoever stops reading does not wait for it.
    filled.catch(() => undefined);
    return filled;
  }
}
