import { GrpcError, grpcCodes } from './status.ts';

/** Bytes of one message that are accepted; BuildKit's own bound. */
const maxMessageSize = 16 * 1024 * 1024;
const prefixSize = 5;

/** A message as gRPC sends it: a byte that says "not compressed", four of length, the bytes. */
export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(prefixSize + message.length);
  framed[0] = 0;
  framed.writeUInt32BE(message.length, 1);
  framed.set(message, prefixSize);
  return framed;
}

/** Puts messages together from the chunks of a stream. A message is at most 16 MiB, and nobody makes us hold more. */
export class Unframer {
  #chunks: Buffer[] = [];
  #held = 0;

  /** Takes a chunk; gives the messages that are complete with it. Those may share memory with it. */
  *take(chunk: Buffer): Generator<Buffer> {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    for (;;) {
      if (this.#held < prefixSize) return;
      const prefix = this.#peek(prefixSize);
      const size = prefix.readUInt32BE(1);
      if (prefix[0] !== 0) {
        throw new GrpcError(grpcCodes.unimplemented, 'a message is compressed, which nobody asked for');
      }
      if (size > maxMessageSize) {
        throw new GrpcError(
          grpcCodes.resourceExhausted,
          `a message has ${size} bytes, at most ${maxMessageSize} are accepted`,
        );
      }
      if (this.#held < prefixSize + size) return;
      const joined = this.#peek(prefixSize + size);
      this.#drop(prefixSize + size);
      yield joined.subarray(prefixSize);
    }
  }

  /** Tells whether a part of a message came that was never completed. */
  get isIncomplete(): boolean {
    return this.#held > 0;
  }

  /** The first `size` bytes of what is held, without a copy if they are in one piece. */
  #peek(size: number): Buffer {
    const [first = Buffer.alloc(0)] = this.#chunks;
    if (first.length >= size) return first.subarray(0, size);
    const pieces: Buffer[] = [];
    let missing = size;
    for (const chunk of this.#chunks) {
      pieces.push(chunk.subarray(0, missing));
      missing -= Math.min(chunk.length, missing);
      if (missing === 0) break;
    }
    return Buffer.concat(pieces, size);
  }

  #drop(size: number): void {
    this.#held -= size;
    let rest = size;
    let gone = 0;
    for (const chunk of this.#chunks) {
      if (chunk.length > rest) break;
      rest -= chunk.length;
      gone++;
    }
    this.#chunks = this.#chunks.slice(gone);
    const [first] = this.#chunks;
    if (first !== undefined && rest > 0) this.#chunks[0] = first.subarray(rest);
  }
}
