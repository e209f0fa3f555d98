/**
 * The multiplexing of stdout and stderr over one connection (media type application/vnd.docker.multiplexed-stream):
 * each frame is one byte of stream number, three zero bytes, a 32-bit big-endian length and that many bytes.
 */

/** Whose bytes a frame carries. `systemerr` tells of a failure of the stream itself. */
export type StreamName = 'stdin' | 'stdout' | 'stderr' | 'systemerr';

/** Bytes of a frame header. */
const frameHeaderSize = 8;

const names: readonly StreamName[] = ['stdin', 'stdout', 'stderr', 'systemerr'];

/** The eight bytes that go before `length` bytes of `stream`. */
export function frameHeader(stream: StreamName, length: number): Buffer {
  const header = Buffer.alloc(frameHeaderSize);
  header[0] = names.indexOf(stream);
  header.writeUInt32BE(length, 4);
  return header;
}

/** A whole frame. Copies `data`: for large data write the header and the data one after the other. */
export function encodeFrame(stream: StreamName, data: Uint8Array): Buffer {
  return Buffer.concat([frameHeader(stream, data.length), data]);
}

/** A piece of a frame. */
export interface FramePart {
  readonly stream: StreamName;
  readonly data: Buffer;
}

/**
 * Takes frames apart as bytes arrive. The data of a frame is handed on in the pieces in which it comes, so memory does
 * not depend on what length a frame claims.
 */
export class FrameDecoder {
  #header = Buffer.alloc(frameHeaderSize);
  #headerFill = 0;
  #stream: StreamName = 'stdout';
  #left = 0;

  /** The parts in `chunk`, in order. They share its memory. Throws a SyntaxError for a stream that does not exist. */
  *push(chunk: Buffer): Generator<FramePart, void, undefined> {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#left > 0) {
        const data = chunk.subarray(offset, offset + this.#left);
        offset += data.length;
        this.#left -= data.length;
        yield { stream: this.#stream, data };
        continue;
      }
      const copied = chunk.copy(this.#header, this.#headerFill, offset);
      offset += copied;
      this.#headerFill += copied;
      if (this.#headerFill === frameHeaderSize) this.#startFrame();
    }
  }

  /** Throws a SyntaxError if the bytes ended in the middle of a frame. */
  end(): void {
    if (this.#headerFill > 0 || this.#left > 0) throw new SyntaxError('stream ended inside a frame');
  }

  #startFrame(): void {
    const number = this.#header[0] ?? 0;
    const stream = names[number];
    if (stream === undefined) throw new SyntaxError(`unrecognized stream: ${number}`);
    this.#stream = stream;
    this.#left = this.#header.readUInt32BE(4);
    this.#headerFill = 0;
  }
}
