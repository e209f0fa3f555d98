import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open } from 'node:fs/promises';
import { isSystemError, notFound } from '#/base/errors.ts';

/** Pieces are joined to writes of this size. */
const writeSize = 1024 * 1024;
/** Bytes after which the disk is asked to write what it has, so that little is left to do in the end. */
const syncSize = 64 * 1024 * 1024;
const rehashSize = 1024 * 1024;

/** What is known of an upload's content without reading it again. */
export interface HashState {
  readonly algorithm: string;
  readonly hash: Hash;
  /** Bytes hashed, from the first. */
  bytes: number;
}

/** A hash over nothing yet. */
export function newHashState(algorithm: string): HashState {
  return { algorithm, hash: createHash(algorithm), bytes: 0 };
}

/** Opens the file of an upload; throws `notFound` when it has ended. */
export async function openUpload(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) throw notFound('The upload has ended', error);
    throw error;
  }
}

/** Brings `state` up to the end of the file, at byte `size`. */
export async function catchUp(file: FileHandle, state: HashState, size: number): Promise<void> {
  if (state.bytes >= size) return;
  const buffer = Buffer.allocUnsafeSlow(Math.min(rehashSize, size - state.bytes));
  while (state.bytes < size) {
    const { bytesRead } = await file.read(
      buffer,
      0,
      Math.min(buffer.length, size - state.bytes),
      state.bytes,
    );
    if (bytesRead === 0) throw new Error(`an upload ends at byte ${state.bytes} instead of ${size}`);
    state.hash.update(buffer.subarray(0, bytesRead));
    state.bytes += bytesRead;
  }
}

/** How an append went on disk. */
export interface Appended {
  /** Bytes of the upload now. */
  readonly size: number;
  /** What ended it early: the source or the disk. */
  readonly error: Error | undefined;
  /** True: `state` is of no use any more, because the disk failed. */
  readonly isStateLost: boolean;
}

/**
 * Appends what `source` yields at the end of the file, which is where `state` is, hashing along. Receiving, hashing and
 * writing overlap. Never throws: what came before a failure stays, as far as it is really written.
 */
export async function appendTo(
  file: FileHandle,
  source: AsyncIterable<Uint8Array>,
  state: HashState,
): Promise<Appended> {
  const writer = new Writer(file, state);
  let error: Error | undefined;
  try {
    for await (const chunk of source) await writer.take(chunk);
  } catch (reason) {
    error = asError(reason);
  }
  return writer.end(error);
}

class Writer {
  readonly #file: FileHandle;
  readonly #state: HashState;
  #written: number;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #writing: Promise<void> = Promise.resolve();
  #unsynced = 0;
  #syncing: Promise<void> = Promise.resolve();

  constructor(file: FileHandle, state: HashState) {
    this.#file = file;
    this.#state = state;
    this.#written = state.bytes;
  }

  async take(chunk: Uint8Array): Promise<void> {
    this.#pieces.push(chunk);
    this.#length += chunk.length;
    if (this.#length < writeSize) return;
    await this.#writing;
    this.#write();
  }

  /** Writes the rest, waits until nothing is under way, and tells what became of all. */
  async end(sourceError: Error | undefined): Promise<Appended> {
    try {
      await this.#writing;
      this.#write();
      await this.#writing;
      await this.#syncing;
      return { size: this.#written, error: sourceError, isStateLost: false };
    } catch (diskError) {
      // Part of a write can have happened.
      await this.#file.truncate(this.#written);
      return { size: this.#written, error: asError(diskError), isStateLost: true };
    }
  }

  /** Begins to write what has been gathered, and meanwhile hashes it. */
  #write(): void {
    const pieces = this.#pieces;
    const length = this.#length;
    if (length === 0) return;
    this.#pieces = [];
    this.#length = 0;
    this.#writing = this.#writeAll(pieces, length);
    // Looked at when the next write begins, or in the end.
    this.#writing.catch(() => undefined);
    for (const piece of pieces) this.#state.hash.update(piece);
    this.#state.bytes += length;
  }

  async #writeAll(pieces: readonly Uint8Array[], length: number): Promise<void> {
    let rest = pieces;
    for (let done = 0; done < length; ) {
      const { bytesWritten } = await this.#file.writev(rest, this.#written + done);
      done += bytesWritten;
      if (done < length) rest = dropBytes(rest, bytesWritten);
    }
    this.#written += length;
    this.#unsynced += length;
    if (this.#unsynced < syncSize) return;
    this.#unsynced = 0;
    await this.#syncing;
    this.#syncing = this.#file.datasync();
    this.#syncing.catch(() => undefined);
  }
}

/** What is left of `pieces` after a write that took fewer bytes than it was given. */
function dropBytes(pieces: readonly Uint8Array[], count: number): Uint8Array[] {
  let left = count;
  return pieces.flatMap((piece) => {
    const cut = Math.min(left, piece.length);
    left -= cut;
    return cut === piece.length ? [] : [piece.subarray(cut)];
  });
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(`the source of an upload failed: ${String(reason)}`);
}
