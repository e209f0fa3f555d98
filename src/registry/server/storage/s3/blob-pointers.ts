import { unavailable } from '#/base/errors.ts';
import { algorithmOf, type Digest, hexOf } from '#/oci/digest.ts';
import type { Bucket } from './bucket.ts';

const maxRemembered = 10_000;
const attempts = 10;

/** Where the bytes of a blob are; the content of `blobs/<algorithm>/<digits>`. */
export interface Pointer {
  readonly key: string;
  /** Bytes. */
  readonly size: number;
}

/** A pointer as it was found. */
export interface FoundPointer {
  /** Undefined: the blob was removed. */
  readonly pointer: Pointer | undefined;
  /** Names this version of it. */
  readonly etag: string;
}

/** The pointers of blobs: written only under the condition that nobody else has written them since they were looked at. */
export class BlobPointers {
  readonly #bucket: Bucket;
  /** Pointers that were seen; least recently used first. */
  readonly #remembered = new Map<Digest, Pointer>();

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  /** The pointer as it was last seen here: its bytes never change, but they may be gone. */
  remembered(digest: Digest): Pointer | undefined {
    return this.#remembered.get(digest);
  }

  /** Forgets what was seen. */
  forget(digest: Digest): void {
    this.#remembered.delete(digest);
  }

  /** The pointer of now; undefined if there never was one. */
  async find(digest: Digest): Promise<FoundPointer | undefined> {
    const object = await this.#bucket.get(pointerKey(digest));
    if (object === undefined) return undefined;
    const { bytes, etag } = object;
    if (bytes.length === 0) return { pointer: undefined, etag };
    const { key, size } = JSON.parse(bytes.toString()) as Pointer;
    this.#remember(digest, { key, size });
    return { pointer: { key, size }, etag };
  }

  /** Points the digest at these bytes. False: it points at others that are as good. */
  async publish(digest: Digest, pointer: Pointer): Promise<boolean> {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const found = await this.find(digest);
      if (found?.pointer?.key === pointer.key) return true;
      if (found?.pointer !== undefined) {
        if (await this.#renew(digest, found.pointer, found.etag)) return false;
        continue;
      }
      const condition = found === undefined ? ({ absent: true } as const) : { etag: found.etag };
      if ((await this.#bucket.put(pointerKey(digest), pointerText(pointer), condition)) !== undefined) {
        this.#remember(digest, pointer);
        return true;
      }
    }
    throw busy(digest);
  }

  /** Writes the pointer anew if there is one, so that nobody who found the blob unused removes it; false if it is gone. */
  async renew(digest: Digest): Promise<boolean> {
    for (let attempt = 1; attempt <= attempts; attempt += 1) {
      const found = await this.find(digest);
      if (found?.pointer === undefined) return false;
      if (await this.#renew(digest, found.pointer, found.etag)) return true;
    }
    throw busy(digest);
  }

  /** Takes the pointer away if it still is this version; false if it is not. */
  async bury(digest: Digest, etag: string): Promise<boolean> {
    this.#remembered.delete(digest);
    return (await this.#bucket.put(pointerKey(digest), '', { etag })) !== undefined;
  }

  async #renew(digest: Digest, pointer: Pointer, etag: string): Promise<boolean> {
    return (await this.#bucket.put(pointerKey(digest), pointerText(pointer), { etag })) !== undefined;
  }

  #remember(digest: Digest, pointer: Pointer): void {
    this.#remembered.delete(digest);
    this.#remembered.set(digest, pointer);
    const oldest = this.#remembered.keys().next().value;
    if (this.#remembered.size > maxRemembered && oldest !== undefined) this.#remembered.delete(oldest);
  }
}

function pointerKey(digest: Digest): string {
  return `blobs/${algorithmOf(digest)}/${hexOf(digest)}`;
}

/** Different each time, so that each write makes another version, also where versions are named by their content. */
function pointerText({ key, size }: Pointer): string {
  return JSON.stringify({ key, size, written: crypto.randomUUID() });
}

function busy(digest: Digest): Error {
  return unavailable(`too many processes push or use blob "${digest}" at once`);
}
