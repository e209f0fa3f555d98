import { invalid } from '#/base/errors.ts';

const nothing = Buffer.alloc(0);

/**
 * Reads a stream of chunks in pieces of wanted sizes, holding no more than one chunk and one piece. A chunk need not be valid
 * longer than until the next one is asked for; a piece is valid until the next call.
 */
export class ByteSource {
  readonly #chunks: AsyncIterator<Uint8Array>;
  readonly #tap: ((piece: Buffer) => void) | undefined;
  #current: Buffer = nothing;

  /** `tap` sees every byte that is taken, in order, before the one who takes it. */
  constructor(source: AsyncIterable<Uint8Array>, tap?: (piece: Buffer) => void) {
    this.#chunks = source[Symbol.asyncIterator]();
    this.#tap = tap;
  }

  /** What is left of the current chunk, at most `limit` bytes, or of the next one; undefined at the end. */
  async some(limit: number): Promise<Buffer | undefined> {
    while (this.#current.length === 0) {
      const next = await this.#chunks.next();
      if (next.done === true) return undefined;
      this.#current = Buffer.from(next.value.buffer, next.value.byteOffset, next.value.byteLength);
    }
    return this.#take(limit);
  }

  /** `size` bytes if they are at hand, without waiting. */
  ready(size: number): Buffer | undefined {
    return this.#current.length < size ? undefined : this.#take(size);
  }

  /** Exactly `size` bytes; undefined when the stream ends before the first of them, an error when it ends among them. */
  async exactly(size: number): Promise<Buffer | undefined> {
    const whole = this.ready(size);
    if (whole !== undefined) return whole;
    const pieces: Buffer[] = [];
    for (let missing = size; missing > 0; ) {
      const piece = await this.some(missing);
      if (piece === undefined) {
        if (missing === size) return undefined;
        throw truncated();
      }
      pieces.push(Buffer.from(piece));
      missing -= piece.length;
    }
    return Buffer.concat(pieces, size);
  }

  /** Passes over `size` bytes. */
  async skip(size: number): Promise<void> {
    if (!(await this.skipIfThere(size))) throw truncated();
  }

  /** Passes over `size` bytes; false if the stream ends before. */
  async skipIfThere(size: number): Promise<boolean> {
    for (let missing = size; missing > 0; ) {
      const piece = await this.some(missing);
      if (piece === undefined) return false;
      missing -= piece.length;
    }
    return true;
  }

  /** Reads to the end of the stream and throws the bytes away. */
  async drain(): Promise<void> {
    while ((await this.some(Number.MAX_SAFE_INTEGER)) !== undefined);
  }

  /** Tells the stream that nobody reads on. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  #take(limit: number): Buffer {
    const piece = this.#current.subarray(0, limit);
    this.#current = this.#current.subarray(piece.length);
    this.#tap?.(piece);
    return piece;
  }
}

/** The error for an archive that ends in the middle of something. */
export function truncated(): Error {
  return invalid('Cannot read archive: unexpected end of data');
}
