import { createHash, type Hash } from 'node:crypto';
import { type FileHandle, open, rm } from 'node:fs/promises';
import { conflict, invalid } from '#/base/errors.ts';
import { algorithmOf, type Digest, hexOf } from '#/oci/digest.ts';
import type { BlobInfo } from './content-store.ts';
import { WriteBehind } from './write-behind.ts';

/** What is known of a blob before it is here. */
export interface ExpectedBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** What somebody who reads along needs to know of a file that grows. */
export interface GrowingFile {
  readonly path: string;
  /** Where it is when it is complete. */
  readonly later: string;
  /** Bytes that can be read now. */
  readonly available: number;
  /** No more bytes will come. */
  readonly ended: boolean;
  /** Calls `listener` when `available` or `ended` has changed; the result ends that. */
  watch(listener: () => void): () => void;
}

const readSize = 1024 * 1024;

/**
 * A blob that is being downloaded, in a file of its own that outlives interruptions and the daemon. Bytes are hashed as they
 * come. Nobody sees it as content before `complete`; those who unpack it meanwhile must wait for `completed` before they use
 * what they made. One writer at a time.
 */
export class PartialBlob implements GrowingFile {
  readonly path: string;
  readonly later: string;
  readonly #expected: ExpectedBlob;
  readonly #file: FileHandle;
  readonly #hash: Hash;
  readonly #finish: (state: 'complete' | 'closed') => Promise<void>;
  readonly #listeners = new Set<() => void>();
  readonly #completed = Promise.withResolvers<BlobInfo>();
  readonly #output: WriteBehind;
  #size: number;
  #available: number;
  #ended = false;
  #isComplete = false;

  private constructor(parts: {
    path: string;
    later: string;
    expected: ExpectedBlob;
    file: FileHandle;
    hash: Hash;
    size: number;
    finish: (state: 'complete' | 'closed') => Promise<void>;
  }) {
    this.path = parts.path;
    this.later = parts.later;
    this.#expected = parts.expected;
    this.#file = parts.file;
    this.#hash = parts.hash;
    this.#size = parts.size;
    this.#available = parts.size;
    // Opened for appending: every write goes to the end.
    this.#output = new WriteBehind(parts.file, (bytes) => {
      this.#available += bytes;
      this.#tell();
    });
    this.#finish = parts.finish;
    // It may be that nobody waits for it.
    this.#completed.promise.catch(() => {});
  }

  /**
   * Opens the file at `path`, or makes it, and reads what is there. `finish` is called once: with `complete` when the content
   * is verified, to move it to `later`; with `closed` when the writer leaves.
   */
  static async open(
    { path, later }: { readonly path: string; readonly later: string },
    expected: ExpectedBlob,
    finish: (state: 'complete' | 'closed') => Promise<void>,
  ): Promise<PartialBlob> {
    const file = await open(path, 'a+', 0o600);
    try {
      const hash = createHash(algorithmOf(expected.digest));
      let { size } = await file.stat();
      // More than the whole cannot be right.
      if (size > expected.size) {
        await file.truncate(0);
        size = 0;
      }
      const buffer = Buffer.allocUnsafe(Math.min(readSize, Math.max(size, 1)));
      for (let at = 0; at < size; ) {
        const { bytesRead } = await file.read(buffer, 0, Math.min(buffer.length, size - at), at);
        if (bytesRead === 0)
          throw invalid(`Partial content ${expected.digest} became shorter while it was read`);
        hash.update(buffer.subarray(0, bytesRead));
        at += bytesRead;
      }
      return new PartialBlob({ path, later, expected, file, hash, size, finish });
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /** Bytes that have been received: what to ask for next begins there. */
  get size(): number {
    return this.#size;
  }

  get available(): number {
    return this.#available;
  }

  get ended(): boolean {
    return this.#ended;
  }

  /** Resolves when the whole blob is verified and in the content store; rejects when it will not be. */
  get completed(): Promise<BlobInfo> {
    return this.#completed.promise;
  }

  /** The content store has it. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  watch(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Adds the next bytes; they must not be changed afterwards. Throws `invalid` beyond the expected size, system errors. */
  async append(chunk: Uint8Array): Promise<void> {
    if (this.#ended) throw conflict(`Partial content ${this.#expected.digest} is closed`);
    if (this.size + chunk.length > this.#expected.size) {
      throw invalid(
        `Content ${this.#expected.digest} is longer than the expected ${this.#expected.size} bytes`,
      );
    }
    this.#hash.update(chunk);
    this.#size += chunk.length;
    try {
      await this.#output.append(chunk);
    } catch (error) {
      throw this.#broken(error);
    }
  }

  /** Verifies the blob and puts it into the content store. Throws `invalid` for other content; then the file is gone. */
  async complete(): Promise<BlobInfo> {
    const { digest, size } = this.#expected;
    try {
      await this.#flush();
      const found = `${algorithmOf(digest)}:${this.#hash.digest('hex')}`;
      if (this.#available !== size || found !== digest) {
        await rm(this.path, { force: true });
        throw invalid(
          this.#available === size
            ? `Content has digest ${found}, expected ${digest}`
            : `Content ${hexOf(digest).slice(0, 12)} has ${this.#available} bytes, expected ${size}`,
        );
      }
      this.#end();
      await this.#file.close();
      await this.#finish('complete');
      this.#isComplete = true;
      this.#completed.resolve({ digest, size });
      return { digest, size };
    } catch (error) {
      this.#completed.reject(error);
      await this.close();
      throw error;
    }
  }

  /** Leaves what has come for another time, and tells those who wait for `completed` why. Without effect after `complete`. */
  async close(reason?: unknown): Promise<void> {
    if (this.#file.fd < 0) return;
    this.#completed.reject(
      reason ?? conflict(`the download of ${this.#expected.digest} has ended before its end`),
    );
    try {
      await this.#flush();
    } finally {
      this.#end();
      await this.#file.close();
      // Nothing is nothing to go on with.
      if (this.#available === 0) await rm(this.path, { force: true });
      await this.#finish('closed');
    }
  }

  async #flush(): Promise<void> {
    try {
      await this.#output.flush();
    } catch (error) {
      throw this.#broken(error);
    }
  }

  /** What is in the file now is not what was hashed: opening it again finds out. */
  #broken(error: unknown): unknown {
    this.#end();
    return error;
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#tell();
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
