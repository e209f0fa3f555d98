import { randomUUID } from 'node:crypto';
import { isKind } from '#/base/errors.ts';
import { KeyedLocks } from '#/base/locks.ts';
import { algorithmOf, type Digest } from '#/oci/digest.ts';
import { digestInvalid, tooLarge, uploadUnknown } from './errors.ts';
import type { Metadata, UploadRecord } from './metadata/metadata.ts';
import type { BlobStorage } from './storage/blob-storage.ts';

/** What uploads stand on. */
export interface UploadParts {
  readonly storage: BlobStorage;
  readonly metadata: Metadata;
  /** By digest: held while a blob appears in or goes from the storage. */
  readonly blobLocks: KeyedLocks;
  /** Bytes of the largest blob that is accepted. Default: no bound. */
  readonly maxBlobBytes?: number;
}

/** Bytes that a request brings for an upload. */
export interface Incoming {
  readonly source: AsyncIterable<Uint8Array>;
  /** Makes `source` fail: a newer request goes on with the upload. */
  readonly cutOff: (reason: Error) => void;
  /** Is told where the upload stands before anything is written; throws to refuse. */
  readonly check: (size: number) => void;
}

/**
 * Uploads under way. An upload belongs to its repository; its id is random and is what a client must know to go on with it.
 * When a second request comes for an upload, the one before it is cut off: it can only be the remains of a lost connection.
 */
export class UploadSessions {
  readonly #storage: BlobStorage;
  readonly #metadata: Metadata;
  readonly #blobLocks: KeyedLocks;
  readonly #maxBlobBytes: number;
  readonly #turns = new KeyedLocks();
  readonly #active = new Map<string, (reason: Error) => void>();

  constructor({ storage, metadata, blobLocks, maxBlobBytes = Number.POSITIVE_INFINITY }: UploadParts) {
    this.#storage = storage;
    this.#metadata = metadata;
    this.#blobLocks = blobLocks;
    this.#maxBlobBytes = maxBlobBytes;
  }

  /** Begins an upload for a blob whose digest will be of this algorithm, and returns its id. */
  async begin(repository: string, algorithm: string): Promise<string> {
    const id = randomUUID();
    // The row first: bytes without a row are swept.
    await this.#metadata.uploads.begin({ id, repository, algorithm });
    await this.#storage.begin(id);
    return id;
  }

  /** Bytes that have arrived. Throws BLOB_UPLOAD_UNKNOWN. */
  async status(repository: string, id: string): Promise<number> {
    await this.#record(repository, id);
    return this.#sizeOf(id);
  }

  /** Adds bytes; returns how many there are then. What arrives before a failure stays. */
  async append(repository: string, id: string, incoming: Incoming): Promise<number> {
    await this.#record(repository, id);
    using _turn = await this.#turn(id, incoming.cutOff);
    // Awaited here, or the turn would end at once.
    return await this.#append(await this.#record(repository, id), incoming);
  }

  /**
   * Adds the last bytes and makes the upload a blob of the repository; returns its size. Throws DIGEST_INVALID when the content
   * is not what it should be; then the upload has ended.
   */
  async finish(
    repository: string,
    id: string,
    { digest, ...incoming }: Incoming & { readonly digest: Digest },
  ): Promise<number> {
    await this.#record(repository, id);
    using _turn = await this.#turn(id, incoming.cutOff);
    const record = await this.#record(repository, id);
    await this.#append({ ...record, algorithm: algorithmOf(digest) }, incoming);
    using _held = await this.#blobLocks.acquire(digest);
    try {
      const size = await this.#storage.commit(id, digest);
      await this.#metadata.links.link(repository, { digest, size });
      await this.#metadata.uploads.end(id);
      return size;
    } catch (error) {
      if (!isKind(error, 'invalid')) throw error;
      await this.drop(id);
      throw digestInvalid(error.message, digest);
    }
  }

  /** Ends an upload without a blob. Throws BLOB_UPLOAD_UNKNOWN. */
  async cancel(repository: string, id: string): Promise<void> {
    await this.#record(repository, id);
    using _turn = await this.#turn(id);
    await this.#record(repository, id);
    await this.drop(id);
  }

  /** Ends uploads to which nothing was sent since `before` (milliseconds since 1970); returns how many. */
  async dropStale(before: number): Promise<number> {
    const stale = await this.#metadata.uploads.stale(before);
    for (const { id } of stale) {
      using _turn = await this.#turn(id);
      await this.drop(id);
    }
    return stale.length;
  }

  async #append(record: UploadRecord, incoming: Incoming): Promise<number> {
    const size = await this.#sizeOf(record.id);
    incoming.check(size);
    await this.#metadata.uploads.touch(record.id);
    return this.#storage.append(record.id, this.#bounded(incoming.source, size), {
      algorithm: record.algorithm,
    });
  }

  #bounded(source: AsyncIterable<Uint8Array>, start: number): AsyncIterable<Uint8Array> {
    return Number.isFinite(this.#maxBlobBytes) ? this.#counted(source, start) : source;
  }

  async *#counted(
    source: AsyncIterable<Uint8Array>,
    start: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    let size = start;
    for await (const chunk of source) {
      size += chunk.length;
      if (size > this.#maxBlobBytes)
        throw tooLarge(`a blob may have ${this.#maxBlobBytes} bytes, this one has more`);
      yield chunk;
    }
  }

  async #record(repository: string, id: string): Promise<UploadRecord> {
    const record = await this.#metadata.uploads.get(id);
    if (record?.repository !== repository) throw uploadUnknown(id);
    return record;
  }

  async #sizeOf(id: string): Promise<number> {
    const size = await this.#storage.uploaded(id);
    if (size === undefined) throw uploadUnknown(id);
    return size;
  }

  /** Ends an upload, whether or not it exists. */
  async drop(id: string): Promise<void> {
    await this.#storage.cancel(id);
    await this.#metadata.uploads.end(id);
  }

  /** Cuts off whoever works on the upload, and waits until they have let go of it. */
  async #turn(id: string, cutOff: (reason: Error) => void = () => undefined): Promise<Disposable> {
    this.#active.get(id)?.(new Error('another request goes on with this upload'));
    const held = await this.#turns.acquire(id);
    this.#active.set(id, cutOff);
    return {
      [Symbol.dispose]: () => {
        if (this.#active.get(id) === cutOff) this.#active.delete(id);
        held[Symbol.dispose]();
      },
    };
  }
}
