import { createHash, type Hash } from 'node:crypto';
import { algorithmOf, type Digest, isDigest } from '#/oci/digest.ts';
import type { S3Part } from './bucket.ts';

/** What an upload is made of in the bucket, kept as `uploads/<id>`. */
export interface UploadState {
  /** S3's identifier of the multipart upload of `data/<id>`; undefined: nothing has filled a part yet. */
  readonly multipart: string | undefined;
  readonly parts: readonly S3Part[];
  /** The object with what has not filled a part yet. */
  readonly tail: { readonly key: string; readonly size: number } | undefined;
  /** The object has been put together from the parts. */
  readonly isWhole: boolean;
  /** The blob that the upload is about to become. */
  readonly digest: Digest | undefined;
}

/** An upload without bytes. */
export const emptyUpload: UploadState = Object.freeze({
  multipart: undefined,
  parts: [],
  tail: undefined,
  isWhole: false,
  digest: undefined,
});

/** Bytes of an upload. */
export function uploadSize({ parts, tail }: UploadState): number {
  return parts.reduce((sum, { size }) => sum + size, tail?.size ?? 0);
}

/** The state as it is kept. */
export function serializeUpload(state: UploadState): string {
  return JSON.stringify(state);
}

/** The state that an object holds; it was written by a registry, perhaps by an older one. */
export function parseUpload(bytes: Buffer): UploadState {
  const {
    multipart,
    parts = [],
    tail,
    isWhole = false,
    digest,
  } = JSON.parse(bytes.toString()) as Partial<UploadState>;
  return {
    multipart,
    parts,
    tail,
    isWhole,
    digest: digest !== undefined && isDigest(digest) ? digest : undefined,
  };
}

/** A hash over the beginning of an upload, known only to the process that took it in. */
export interface HashState {
  readonly algorithm: string;
  readonly hash: Hash;
  /** Bytes hashed, from the first. */
  bytes: number;
}

/** Unfinished hashes by upload; beyond some thousand the least recently used are forgotten, and computed again if needed. */
export class HashStates {
  readonly #states = new Map<string, HashState>();
  readonly #most = 4096;

  /** The hash of an upload that has `size` bytes; undefined if it is not known. */
  at(id: string, algorithm: string, size: number): HashState | undefined {
    const state = size === 0 ? { algorithm, hash: createHash(algorithm), bytes: 0 } : this.#states.get(id);
    if (state?.algorithm !== algorithm || state.bytes !== size) return undefined;
    this.#states.delete(id);
    this.#states.set(id, state);
    const oldest = this.#states.keys().next().value;
    if (this.#states.size > this.#most && oldest !== undefined) this.#states.delete(oldest);
    return state;
  }

  /** The digest of an upload that is complete with `size` bytes; undefined if it must be computed. */
  digest(id: string, wanted: Digest, size: number): string | undefined {
    const state = this.at(id, algorithmOf(wanted), size);
    return state === undefined ? undefined : `${state.algorithm}:${state.hash.copy().digest('hex')}`;
  }

  forget(id: string): void {
    this.#states.delete(id);
  }

  clear(): void {
    this.#states.clear();
  }
}
