/**
 * Inflating with ISA-L (Debian: libisal2), several times as quick as zlib. The layout of `struct inflate_state` is that of
 * its ABI version 2 on 64-bit machines (isa-l/igzip_lib.h).
 */
import { existsSync } from 'node:fs';
import { type Address, allocate, bindLibrary, memoryAt, release } from './libc.ts';

interface Isal {
  isal_inflate_init(state: Address): void;
  isal_inflate_reset(state: Address): void;
  isal_inflate(state: Address): number;
}

const library = 'libisal.so.2';
const isal: Isal = bindLibrary<Isal>(library, {
  isal_inflate_init: 'void isal_inflate_init(void *)',
  isal_inflate_reset: 'void isal_inflate_reset(void *)',
  isal_inflate: 'int isal_inflate(void *)',
});

/** Members of the struct, and values of `block_state` and `crc_flag`. */
const state = {
  size: 87_368,
  nextOut: 0,
  availOut: 8,
  nextIn: 16,
  availIn: 32,
  blockState: 21_160,
  crcFlag: 21_172,
};
const blockFinish = 5;
const gzip = 1;

const inputSize = 256 * 1024;
const outputSize = 1024 * 1024;

const directories: readonly string[] = [
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
  '/usr/lib64',
  '/usr/lib',
];

/** Tells whether the library is on this machine. */
export function hasIsal(): boolean {
  return directories.some((directory) => existsSync(`${directory}/${library}`));
}

/** Compressed data that is damaged. */
export class InflateError extends Error {
  override readonly name = 'InflateError';
}

const failures: Readonly<Record<number, string>> = {
  [-1]: 'invalid block',
  [-2]: 'invalid symbol',
  [-3]: 'distance too far back',
  [-4]: 'incorrect header check',
  [-5]: 'unknown compression method',
  [-6]: 'incorrect data check',
};

/** Inflates one gzip stream, of one member or several (RFC 1952). Holds about 1.4 MB outside of the heap until disposed of. */
export class GzipInflater implements Disposable {
  readonly #state: Address = allocate(state.size);
  readonly #input: Address = allocate(inputSize);
  readonly #output: Address = allocate(outputSize);
  readonly #stateBytes: Buffer = memoryAt(this.#state, state.size);
  readonly #inputBytes: Buffer = memoryAt(this.#input, inputSize);
  readonly #outputBytes: Buffer = memoryAt(this.#output, outputSize);
  /** `between`: a member has ended; `padding`: only zeros may follow. */
  #at: 'inside' | 'between' | 'padding' = 'inside';

  constructor() {
    this.#stateBytes.fill(0);
    isal.isal_inflate_init(this.#state);
    this.#stateBytes.writeUInt32LE(gzip, state.crcFlag);
  }

  /** What `chunk` adds, in pieces of at most 1 MiB that are the caller's. Throws InflateError. */
  *inflate(chunk: Uint8Array): Generator<Buffer, void, undefined> {
    for (let at = 0; at < chunk.length; at += inputSize) {
      const piece = chunk.subarray(at, at + inputSize);
      this.#inputBytes.set(piece);
      this.#stateBytes.writeBigUInt64LE(this.#input, state.nextIn);
      this.#stateBytes.writeUInt32LE(piece.length, state.availIn);
      yield* this.#run();
    }
  }

  /** Call it at the end of the input. Throws InflateError if that is not the end of the data. */
  end(): void {
    if (this.#at === 'inside') throw new InflateError('unexpected end of file');
  }

  [Symbol.dispose](): void {
    for (const memory of [this.#state, this.#input, this.#output]) release(memory);
  }

  *#run(): Generator<Buffer, void, undefined> {
    for (;;) {
      if (this.#at !== 'inside' && !this.#nextMember()) return;
      this.#stateBytes.writeBigUInt64LE(this.#output, state.nextOut);
      this.#stateBytes.writeUInt32LE(outputSize, state.availOut);
      const result = isal.isal_inflate(this.#state);
      if (result < 0) throw new InflateError(failures[result] ?? `error ${result}`);
      const produced = outputSize - this.#stateBytes.readUInt32LE(state.availOut);
      if (produced > 0) yield Buffer.from(this.#outputBytes.subarray(0, produced));
      if (this.#stateBytes.readUInt32LE(state.blockState) === blockFinish) this.#at = 'between';
      // Room was left, so the input is used up.
      else if (produced < outputSize) return;
    }
  }

  /** Passes over zeros that pad a stream; anything else must be another member. False: nothing is left of the input. */
  #nextMember(): boolean {
    const left = this.#stateBytes.readUInt32LE(state.availIn);
    if (left === 0) return false;
    const start = Number(this.#stateBytes.readBigUInt64LE(state.nextIn) - this.#input);
    const rest = this.#inputBytes.subarray(start, start + left);
    if (this.#at === 'padding' || rest[0] === 0) {
      this.#at = 'padding';
      return false;
    }
    isal.isal_inflate_reset(this.#state);
    this.#stateBytes.writeUInt32LE(gzip, state.crcFlag);
    this.#stateBytes.writeBigUInt64LE(this.#input + BigInt(start), state.nextIn);
    this.#stateBytes.writeUInt32LE(left, state.availIn);
    this.#at = 'inside';
    return true;
  }
}
