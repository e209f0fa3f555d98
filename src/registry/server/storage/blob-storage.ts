import type { Digest } from '#/oci/digest.ts';

/** Part of a blob, in bytes; `end` is the last one, as in HTTP. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

/** A blob that is stored. */
export interface StoredBlob {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
  /** When it was written, in milliseconds since 1970. */
  readonly modified: number;
}

/**
 * Some bytes of a blob, in order, to be iterated once. Each piece is valid only until the next one is asked for: its memory is
 * used again. Dispose of it, read to the end or not.
 */
export interface BlobReading extends AsyncIterable<Uint8Array>, AsyncDisposable {}

/** How to take in the bytes of a request. */
export interface AppendOptions {
  /** The algorithm of the digest that will be committed, as far as is known; what comes can be hashed along. */
  readonly algorithm: string;
}

/**
 * Where the bytes of blobs are. It knows nothing of repositories, users or manifests: `Metadata` does.
 *
 * An upload has an id, chosen by the caller, and grows by `append` until `commit` makes it a blob or `cancel` drops it. It
 * outlives the process: another one that opens the same storage can go on with it. The caller sees to it that only one
 * call for an upload is under way in this process, and only one `commit` or `remove` of a digest.
 *
 * A blob appears only complete and verified, never changes, and is durable when `commit` returns. To commit what exists
 * already is no error. Whatever is cut off (by a crash, a full disk, a lost connection) leaves an upload that can be gone
 * on with or cancelled, and no half blob.
 */
export interface BlobStorage extends AsyncDisposable {
  /** Bytes that all but the last `append` of an upload should bring at least; undefined: any number will do. */
  readonly minChunk?: number;
  /** Begins an upload without bytes. */
  begin(id: string): Promise<void>;
  /** Bytes that the upload has; undefined if there is none. */
  uploaded(id: string): Promise<number | undefined>;
  /**
   * Adds what `source` yields, and returns the bytes that the upload has then. When the source fails, throws its
   * error; what came before stays. Throws `notFound` if there is no such upload.
   */
  append(id: string, source: AsyncIterable<Uint8Array>, options: AppendOptions): Promise<number>;
  /**
   * Makes the upload the blob `digest` and returns its size in bytes. Throws `invalid` when the content has another digest
   * (the upload stays until it is cancelled), `notFound` if there is no such upload.
   */
  commit(id: string, digest: Digest): Promise<number>;
  /** Drops the upload; nothing if there is none. */
  cancel(id: string): Promise<void>;
  /** Ids of all uploads. */
  uploads(): AsyncIterable<string>;

  /** Bytes of the blob; undefined if there is none. */
  size(digest: Digest): Promise<number | undefined>;
  /** Opens a part of the blob, which lies within it; throws `notFound`. */
  read(digest: Digest, range: ByteRange): Promise<BlobReading>;
  /** Where the client may fetch the blob itself, without authentication and for a short time; undefined: from here. */
  redirect?(digest: Digest): Promise<string | undefined>;
  /** Removes the blob; false if there was none. */
  remove(digest: Digest): Promise<boolean>;
  /** All blobs, in no order. */
  blobs(): AsyncIterable<StoredBlob>;
}
