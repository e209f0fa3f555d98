/** Chunks that a ring holds, and their size. */
const slotCount = 32;
const slotSize = 256 * 1024;

/** Places in the control words, before the lengths of the chunks. */
const written = 0;
const taken = 1;
const state = 2;
const firstLength = 3;

/** How it is with the writer, or that the reader is gone. */
const states = { open: 0, ended: 1, broken: 2 } as const;

/** Milliseconds after which a waiting thread looks again, in case it was not told. */
const patience = 1000;

/** Memory that one thread puts chunks of bytes into, and another takes them from, in order. */
export interface ChunkRing {
  readonly control: SharedArrayBuffer;
  readonly data: SharedArrayBuffer;
}

/** An empty ring. */
export function chunkRing(): ChunkRing {
  const words = firstLength + slotCount;
  return {
    control: new SharedArrayBuffer(words * Int32Array.BYTES_PER_ELEMENT),
    data: new SharedArrayBuffer(slotCount * slotSize),
  };
}

/** Tells both sides that the other one is gone. */
export function breakRing({ control }: ChunkRing): void {
  const words = new Int32Array(control);
  Atomics.compareExchange(words, state, states.open, states.broken);
  for (const word of [written, taken]) Atomics.notify(words, word);
}

/** The side that puts chunks in. */
export class RingWriter {
  readonly #words: Int32Array;
  readonly #data: SharedArrayBuffer;

  constructor({ control, data }: ChunkRing) {
    this.#words = new Int32Array(control);
    this.#data = data;
  }

  /** A buffer for the next chunk; blocks the thread until one is free. Throws if the reader is gone. */
  next(): Buffer {
    const count = Atomics.load(this.#words, written);
    for (;;) {
      if (Atomics.load(this.#words, state) === states.broken)
        throw new Error('nobody takes the chunks any more');
      const done = Atomics.load(this.#words, taken);
      if (count - done < slotCount) return Buffer.from(this.#data, (count % slotCount) * slotSize, slotSize);
      Atomics.wait(this.#words, taken, done, patience);
    }
  }

  /** The buffer of `next` has a chunk of this many bytes. */
  put(length: number): void {
    const count = Atomics.load(this.#words, written);
    this.#words[firstLength + (count % slotCount)] = length;
    Atomics.store(this.#words, written, count + 1);
    Atomics.notify(this.#words, written);
  }

  /** There are no more. */
  end(): void {
    Atomics.compareExchange(this.#words, state, states.open, states.ended);
    Atomics.notify(this.#words, written);
  }
}

/** All chunks, each valid until the next is asked for. Blocks the thread while it waits. Throws if the writer is gone. */
export function* ringChunks({ control, data }: ChunkRing): Generator<Buffer, void, undefined> {
  const words = new Int32Array(control);
  for (let done = 0; ; ) {
    // In this order: what was written before the end is seen with it.
    const now = Atomics.load(words, state);
    const count = Atomics.load(words, written);
    if (count > done) {
      const slot = done % slotCount;
      yield Buffer.from(data, slot * slotSize, words[firstLength + slot]);
      done += 1;
      Atomics.store(words, taken, done);
      Atomics.notify(words, taken);
    } else if (now === states.ended) return;
    else if (now === states.broken) throw new Error('no more chunks come, though there is no end');
    else Atomics.wait(words, written, count, patience);
  }
}
