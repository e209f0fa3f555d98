/**
 * Deflating to gzip on the calling thread, with ISA-L where its library is installed (five to ten times as fast as zlib), or with
 * the zlib that Node carries and exports. The layouts of both streams are those of 64-bit machines (zlib.h, igzip_lib.h).
 */
import { type Address, allocate, bindLibrary, cstring, type Memory, memoryAt, release } from './libc.ts';

/** Who deflates. Each makes the same bytes of the same content on one machine, however that comes, but not the bytes that the other makes. */
export type Deflater = 'isal' | 'zlib';

interface Zlib {
  deflateInit2_(
    stream: Address,
    level: number,
    method: number,
    windowBits: number,
    memLevel: number,
    strategy: number,
    version: Memory,
    size: number,
  ): number;
  deflate(stream: Address, flush: number): number;
  deflateEnd(stream: Address): number;
}

const zlib: Zlib = bindLibrary<Zlib>(null, {
  deflateInit2_: 'int deflateInit2_(void *, int, int, int, int, int, const char *, int)',
  deflate: 'int deflate(void *, int)',
  deflateEnd: 'int deflateEnd(void *)',
});

interface Isal {
  isal_deflate_init(stream: Address): void;
  isal_deflate(stream: Address): number;
}

const isal: Isal = bindLibrary<Isal>('libisal.so.2', {
  isal_deflate_init: 'void isal_deflate_init(void *)',
  isal_deflate: 'int isal_deflate(void *)',
});

/** The members of a stream that both have, by their offsets. */
interface Layout {
  readonly size: number;
  readonly availIn: number;
  readonly nextOut: number;
  readonly availOut: number;
}

/** What the two do differently. */
interface Codec extends Layout {
  /** Sets up a stream of zeros. `extra` is memory that it may keep. */
  init(stream: Address, bytes: Buffer, extra: Address): void;
  /** Takes input and gives output as far as there is room. `isLast`: no more input comes. */
  run(stream: Address, bytes: Buffer, isLast: boolean): void;
  end(stream: Address): void;
  readonly extraSize: number;
}

/** Of zlib; nothing could be done without more input or more room. */
const bufferError = -5;

const codecs: Readonly<Record<Deflater, Codec>> = {
  zlib: {
    size: 112,
    availIn: 8,
    nextOut: 24,
    availOut: 32,
    extraSize: 8,
    init(stream) {
      // Level 6, deflate, the largest window and gzip around it, the default memory and strategy.
      check('zlib', zlib.deflateInit2_(stream, 6, 8, 15 + 16, 8, 0, cstring('1'), this.size));
    },
    run(stream, _bytes, isLast) {
      const result = zlib.deflate(stream, isLast ? 4 : 0);
      if (result !== bufferError) check('zlib', result);
    },
    end(stream) {
      zlib.deflateEnd(stream);
    },
  },
  isal: {
    // 82384 in version 2.30, the most of it for its own use.
    size: 256 * 1024,
    availIn: 8,
    nextOut: 16,
    availOut: 24,
    // What version 2.30 recommends for the level; blocks are as long as this has room for, so it decides about the bytes.
    extraSize: 348_160,
    init(stream, bytes, extra) {
      isal.isal_deflate_init(stream);
      bytes.writeUInt32LE(isalLevel, 40);
      bytes.writeUInt32LE(this.extraSize, 44);
      bytes.writeBigUInt64LE(extra, 48);
      // Of a gzip stream, with header and trailer.
      bytes.writeUInt16LE(1, 60);
    },
    run(stream, bytes, isLast) {
      bytes.writeUInt16LE(isLast ? 1 : 0, 56);
      check('ISA-L', isal.isal_deflate(stream));
    },
    end() {},
  },
};

/** The best that it has: results are as large as those of zlib's level 1. */
const isalLevel = 3;

function check(library: string, result: number): void {
  if (result < 0) throw new Error(`${library} failed: error ${result}`);
}

const inputSize = 256 * 1024;
const outputSize = 256 * 1024;

const usable = new Map<Deflater, boolean>();

/** Tells whether a deflater is there. */
export function canDeflate(deflater: Deflater): boolean {
  let known = usable.get(deflater);
  if (known === undefined) {
    known = isThere(deflater);
    usable.set(deflater, known);
  }
  return known;
}

function isThere(deflater: Deflater): boolean {
  try {
    if (deflater === 'isal') return typeof isal.isal_deflate === 'function';
    return typeof zlib.deflateInit2_ === 'function';
  } catch {
    // That is what a missing library or symbol looks like; whoever asks has another way.
    return false;
  }
}

/** Makes one gzip stream of one member (RFC 1952), without name and time. Holds 1.2 MB outside of the heap until disposed of. */
export class GzipDeflater implements Disposable {
  readonly #codec: Codec;
  readonly #stream: Address;
  readonly #extra: Address;
  readonly #input: Address = allocate(inputSize);
  readonly #output: Address = allocate(outputSize);
  readonly #streamBytes: Buffer;
  readonly #inputBytes: Buffer = memoryAt(this.#input, inputSize);
  readonly #outputBytes: Buffer = memoryAt(this.#output, outputSize);
  /** Bytes of input that wait for more. */
  #pending = 0;

  constructor(deflater: Deflater) {
    this.#codec = codecs[deflater];
    this.#stream = allocate(this.#codec.size);
    this.#extra = allocate(this.#codec.extraSize);
    this.#streamBytes = memoryAt(this.#stream, this.#codec.size);
    this.#streamBytes.fill(0);
    this.#codec.init(this.#stream, this.#streamBytes, this.#extra);
  }

  /** What `chunk` adds, in pieces of at most 256 KiB. Each is only valid until the next is asked for. */
  *deflate(chunk: Uint8Array): Generator<Buffer, void, undefined> {
    // What ISA-L makes depends on how its input is cut: so that it does not depend on that of `chunk`, only whole pieces are passed on.
    for (let at = 0; at < chunk.length; ) {
      const taken = Math.min(inputSize - this.#pending, chunk.length - at);
      this.#inputBytes.set(chunk.subarray(at, at + taken), this.#pending);
      this.#pending += taken;
      at += taken;
      if (this.#pending === inputSize) yield* this.#run(false);
    }
  }

  /** The end of the stream, as `deflate`. */
  *end(): Generator<Buffer, void, undefined> {
    yield* this.#run(true);
  }

  [Symbol.dispose](): void {
    this.#codec.end(this.#stream);
    for (const memory of [this.#stream, this.#extra, this.#input, this.#output]) release(memory);
  }

  *#run(isLast: boolean): Generator<Buffer, void, undefined> {
    const { availIn, nextOut, availOut } = this.#codec;
    const bytes = this.#streamBytes;
    // Both begin with the place of the input.
    bytes.writeBigUInt64LE(this.#input, 0);
    bytes.writeUInt32LE(this.#pending, availIn);
    this.#pending = 0;
    let produced: number;
    do {
      bytes.writeBigUInt64LE(this.#output, nextOut);
      bytes.writeUInt32LE(outputSize, availOut);
      this.#codec.run(this.#stream, bytes, isLast);
      produced = outputSize - bytes.readUInt32LE(availOut);
      if (produced > 0) yield this.#outputBytes.subarray(0, produced);
    } while (produced === outputSize);
  }
}
