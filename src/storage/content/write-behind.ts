import type { FileHandle } from 'node:fs/promises';

/** Pieces are written together when there is this much of them. */
const writeSize = 512 * 1024;

/**
 * Appends chunks to a file in large writes, one of which is on its way while the next is collected. Nothing is copied: chunks must
 * not change afterwards. Holds about 1 MiB.
 */
export class WriteBehind {
  readonly #file: FileHandle;
  readonly #onWritten: (bytes: number) => void;
  #pieces: Uint8Array[] = [];
  #size = 0;
  #writing: Promise<void> = Promise.resolve();

  /** `onWritten` is told of every write that is done, in order. */
  constructor(file: FileHandle, onWritten: (bytes: number) => void = () => {}) {
    this.#file = file;
    this.#onWritten = onWritten;
  }

  /** Takes a chunk. Throws the failure of an earlier write; then nothing more can be written. */
  async append(chunk: Uint8Array): Promise<void> {
    if (chunk.length === 0) return;
    this.#pieces.push(chunk);
    this.#size += chunk.length;
    if (this.#size >= writeSize) await this.#next();
  }

  /** Waits until all is written. Throws as `append`. */
  async flush(): Promise<void> {
    await this.#next();
    await this.#writing;
  }

  async #next(): Promise<void> {
    await this.#writing;
    const pieces = this.#pieces;
    this.#pieces = [];
    this.#size = 0;
    this.#writing = this.#write(pieces);
    // Whoever comes next is told.
    this.#writing.catch(() => {});
  }

  async #write(pieces: readonly Uint8Array[]): Promise<void> {
    // writev(2) may write less than it was given (disk full, signals).
    for (let rest = pieces; rest.length > 0; ) {
      const { bytesWritten } = await this.#file.writev(rest);
      this.#onWritten(bytesWritten);
      rest = remaining(rest, bytesWritten);
    }
  }
}

function remaining(pieces: readonly Uint8Array[], written: number): readonly Uint8Array[] {
  let left = written;
  for (const [index, piece] of pieces.entries()) {
    if (left < piece.length) return [piece.subarray(left), ...pieces.slice(index + 1)];
    left -= piece.length;
  }
  return [];
}
