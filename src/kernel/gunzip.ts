/**
 * Inflating gzip on the calling thread, with the zlib that Node carries and exports: without the trips through the thread pool
 * and the new buffer for each piece that node:zlib's streams cost. The layout of `z_stream` is that of 64-bit machines (zlib.h).
 */
import { type Address, allocate, bindLibrary, cstring, type Memory, memoryAt, release } from './libc.ts';

interface Zlib {
  inflateInit2_(stream: Address, windowBits: number, version: Memory, size: number): number;
  inflateReset(stream: Address): number;
  inflate(stream: Address, flush: number): number;
  inflateEnd(stream: Address): number;
}

const zlib: Zlib = bindLibrary<Zlib>(null, {
  inflateInit2_: 'int inflateInit2_(void *, int, const char *, int)',
  inflateReset: 'int inflateReset(void *)',
  inflate: 'int inflate(void *, int)',
  inflateEnd: 'int inflateEnd(void *)',
});

/** Members of the struct. */
const stream = { size: 112, nextIn: 0, availIn: 8, nextOut: 24, availOut: 32 };
/** The largest window, and nothing but gzip. */
const gzipWindow = 15 + 16;
const noFlush = 0;
const streamEnd = 1;
const dataError = -3;
/** Nothing could be done without more input or more room. */
const bufferError = -5;

const inputSize = 256 * 1024;
/** Small enough that hashing and writing a piece find it in the processor's cache. */
const outputSize = 256 * 1024;

/** Tells whether this Node exports zlib's functions. */
export function canGunzip(): boolean {
  try {
    return typeof zlib.inflateInit2_ === 'function';
  } catch {
    // That is what a missing symbol looks like; whoever asks has another way.
    return false;
  }
}

/** Compressed data that is damaged. */
export class InflateError extends Error {
  override readonly name = 'InflateError';
}

/** Inflates one gzip stream, of one member or several (RFC 1952). Holds 0.6 MB outside of the heap until disposed of. */
export class GzipInflater implements Disposable {
  readonly #stream: Address = allocate(stream.size);
  readonly #input: Address = allocate(inputSize);
  readonly #output: Address = allocate(outputSize);
  readonly #streamBytes: Buffer = memoryAt(this.#stream, stream.size);
  readonly #inputBytes: Buffer = memoryAt(this.#input, inputSize);
  readonly #outputBytes: Buffer = memoryAt(this.#output, outputSize);
  /** `between`: a member has ended; `padding`: only zeros may follow. */
  #at: 'inside' | 'between' | 'padding' = 'inside';

  constructor() {
    this.#streamBytes.fill(0);
    const result = zlib.inflateInit2_(this.#stream, gzipWindow, cstring('1'), stream.size);
    if (result !== 0) throw new Error(`cannot set up zlib: error ${result}`);
  }

  /** What `chunk` adds, in pieces of at most 256 KiB. Each is only valid until the next is asked for. Throws InflateError. */
  *inflate(chunk: Uint8Array): Generator<Buffer, void, undefined> {
    for (let at = 0; at < chunk.length; at += inputSize) {
      const piece = chunk.subarray(at, at + inputSize);
      this.#inputBytes.set(piece);
      this.#streamBytes.writeBigUInt64LE(this.#input, stream.nextIn);
      this.#streamBytes.writeUInt32LE(piece.length, stream.availIn);
      yield* this.#run();
    }
  }

  /** Call it at the end of the input. Throws InflateError if that is not the end of the data. */
  end(): void {
    if (this.#at === 'inside') throw new InflateError('unexpected end of file');
  }

  [Symbol.dispose](): void {
    zlib.inflateEnd(this.#stream);
    for (const memory of [this.#stream, this.#input, this.#output]) release(memory);
  }

  *#run(): Generator<Buffer, void, undefined> {
    for (;;) {
      if (this.#at !== 'inside' && !this.#nextMember()) return;
      this.#streamBytes.writeBigUInt64LE(this.#output, stream.nextOut);
      this.#streamBytes.writeUInt32LE(outputSize, stream.availOut);
      const result = zlib.inflate(this.#stream, noFlush);
      if (result === dataError) throw new InflateError('invalid block, code, distance or check sum');
      if (result < 0 && result !== bufferError) throw new Error(`zlib failed: error ${result}`);
      const produced = outputSize - this.#streamBytes.readUInt32LE(stream.availOut);
      if (produced > 0) yield this.#outputBytes.subarray(0, produced);
      if (result === streamEnd) this.#at = 'between';
      // Room was left, so the input is used up.
      else if (produced < outputSize) return;
    }
  }

  /** Passes over zeros that pad a stream; anything else must be another member. False: nothing is left of the input. */
  #nextMember(): boolean {
    const left = this.#streamBytes.readUInt32LE(stream.availIn);
    if (left === 0) return false;
    const start = Number(this.#streamBytes.readBigUInt64LE(stream.nextIn) - this.#input);
    if (this.#at === 'padding' || this.#inputBytes[start] === 0) {
      this.#at = 'padding';
      return false;
    }
    zlib.inflateReset(this.#stream);
    this.#at = 'inside';
    return true;
  }
}
