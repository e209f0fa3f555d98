import { createHash } from 'node:crypto';
import { invalid, isKind, notFound, unavailable } from '#/base/errors.ts';
import { algorithmOf, type Digest, isDigest } from '#/oci/digest.ts';
import type { S3Config } from '../../config/storage.ts';
import type { AppendOptions, BlobReading, BlobStorage, ByteRange, StoredBlob } from '../blob-storage.ts';
import { BlobPointers, type Pointer } from './blob-pointers.ts';
import type { Bucket } from './bucket.ts';
import { dataKey, PartWriter, stateKey } from './part-writer.ts';
import {
  emptyUpload,
  HashStates,
  parseUpload,
  serializeUpload,
  type UploadState,
  uploadSize,
} from './upload-state.ts';

/** Seconds that a signed URL is good for. */
const signedFor = 600;
/** Milliseconds after which what is left of a removed blob goes too. */
const tombstoneAge = 24 * 3600 * 1000;

/**
 * Blobs in a bucket, for any number of processes. `data/<upload>` (or, for small blobs, `tails/<upload>/…`) has the bytes,
 * `blobs/<algorithm>/<digits>` says where they are; so a blob never has to be copied when its digest becomes known.
 *
 * Consistency. The pointer decides: a blob exists from the moment that its pointer is written, after its bytes were put
 * together and their digest was checked. It is only ever changed by conditional writes:
 * - commit writes it if there is none (If-None-Match), or replaces the very version that it has seen (If-Match). Of two
 *   processes with the same blob one wins, and the other one drops its bytes;
 * - remove replaces the version that it has seen by an empty object, a tombstone, before it removes the bytes. Whoever
 *   commits meanwhile either makes remove fail, because the version has changed (commit also writes a pointer anew that it
 *   finds as it wants it), or finds the tombstone and replaces it by a pointer to their own bytes.
 * Readers may keep a pointer in memory: its bytes never change, and when they are gone the pointer is looked up again.
 * A process that dies leaves at most an upload, which is found by `uploads` and dropped by `cancel`. A service without
 * conditional writes can be used by one process.
 */
export class S3BlobStorage implements BlobStorage {
  readonly #bucket: Bucket;
  readonly #partSize: number;
  readonly #hashes = new HashStates();
  readonly #pointers: BlobPointers;
  /** Versions of pointers that `remove` may replace, see `prepareRemoval`. */
  readonly #doomed = new Map<Digest, string>();
  /** Where clients may fetch a blob themselves; only there if the configuration wants it. */
  readonly redirect?: (digest: Digest) => Promise<string | undefined>;

  constructor(bucket: Bucket, { partSize, redirect }: Pick<S3Config, 'partSize' | 'redirect'>) {
    this.#bucket = bucket;
    this.#pointers = new BlobPointers(bucket);
    this.#partSize = partSize;
    if (redirect) this.redirect = (digest) => this.#presign(digest);
  }

  async begin(id: string): Promise<void> {
    await this.#bucket.put(stateKey(id), serializeUpload(emptyUpload));
  }

  async uploaded(id: string): Promise<number | undefined> {
    const object = await this.#bucket.get(stateKey(id));
    return object === undefined ? undefined : uploadSize(parseUpload(object.bytes));
  }

  async append(id: string, source: AsyncIterable<Uint8Array>, { algorithm }: AppendOptions): Promise<number> {
    const { state, etag } = await this.#upload(id);
    if (state.isWhole) throw invalid('the upload is complete; nothing can be added to it');
    const hash = this.#hashes.at(id, algorithm, uploadSize(state));
    const writer = new PartWriter({ bucket: this.#bucket, id, partSize: this.#partSize, state, hash }, etag);
    let failure: { readonly error: unknown } | undefined;
    try {
      await writer.resume();
      for await (const chunk of source) await writer.take(chunk);
    } catch (error) {
      failure = { error };
    }
    try {
      await writer.end();
    } catch (error) {
      // What is in the bucket is less than what was hashed.
      this.#hashes.forget(id);
      throw failure?.error ?? error;
    }
    if (failure !== undefined) throw failure.error;
    return uploadSize(writer.state);
  }

  async commit(id: string, digest: Digest): Promise<number> {
    const { state, etag } = await this.#upload(id);
    const size = uploadSize(state);
    const known = this.#hashes.digest(id, digest, size);
    if (known !== undefined) checkDigest(known, digest, size);
    if (known !== undefined && (await this.#pointers.renew(digest))) {
      await this.cancel(id);
      return size;
    }
    const pointer = await this.#putTogether(id, { state, etag, digest });
    if (known === undefined) checkDigest(await this.#hash(pointer, digest), digest, size);
    if (await this.#pointers.publish(digest, pointer)) await this.#bucket.remove(stateKey(id));
    else await this.cancel(id);
    this.#hashes.forget(id);
    return size;
  }

  async cancel(id: string): Promise<void> {
    this.#hashes.forget(id);
    const object = await this.#bucket.get(stateKey(id));
    if (object === undefined) return;
    const { multipart, tail, digest } = parseUpload(object.bytes);
    // It may have become a blob just before its process died.
    const live = digest === undefined ? undefined : (await this.#pointers.find(digest))?.pointer;
    if (multipart !== undefined && live?.key !== dataKey(id)) {
      await this.#bucket.abortMultipart(dataKey(id), multipart);
      await this.#bucket.remove(dataKey(id));
    }
    if (tail !== undefined && live?.key !== tail.key) await this.#bucket.remove(tail.key);
    await this.#bucket.remove(stateKey(id));
  }

  async *uploads(): AsyncGenerator<string, void, undefined> {
    for await (const { key } of this.#bucket.list({ prefix: 'uploads/' })) yield key.slice('uploads/'.length);
  }

  async size(digest: Digest): Promise<number | undefined> {
    return (await this.#pointers.find(digest))?.pointer?.size;
  }

  async read(digest: Digest, range: ByteRange): Promise<BlobReading> {
    const known = this.#pointers.remembered(digest);
    if (known !== undefined) {
      try {
        return await this.#bucket.open(known.key, range);
      } catch (error) {
        if (!isKind(error, 'notFound')) throw error;
        this.#pointers.forget(digest);
      }
    }
    const pointer = (await this.#pointers.find(digest))?.pointer;
    if (pointer === undefined) throw notFound(`Blob "${digest}" is not in the storage`);
    return await this.#bucket.open(pointer.key, range);
  }

  /** Notes the version of the blob that the next `remove` is about: if it is written anew meanwhile, it stays. */
  async prepareRemoval(digest: Digest): Promise<void> {
    const found = await this.#pointers.find(digest);
    if (found !== undefined) this.#doomed.set(digest, found.etag);
  }

  async remove(digest: Digest): Promise<boolean> {
    const found = await this.#pointers.find(digest);
    const version = this.#doomed.get(digest) ?? found?.etag;
    this.#doomed.delete(digest);
    if (found?.pointer === undefined || version === undefined) return false;
    // Or somebody has just pushed it again.
    if (!(await this.#pointers.bury(digest, version))) return false;
    await this.#bucket.remove(found.pointer.key);
    return true;
  }

  /** Keeps whoever has found the blob unused from removing it; false if it is gone. */
  async renew(digest: Digest): Promise<boolean> {
    return await this.#pointers.renew(digest);
  }

  async *blobs(): AsyncGenerator<StoredBlob, void, undefined> {
    for await (const { key, size, etag, modified } of this.#bucket.list({ prefix: 'blobs/' })) {
      const digest = key.slice('blobs/'.length).replace('/', ':');
      if (!isDigest(digest)) continue;
      if (size === 0) {
        if (modified < Date.now() - tombstoneAge) await this.#bucket.remove(key, etag);
        continue;
      }
      const pointer = (await this.#pointers.find(digest))?.pointer;
      if (pointer !== undefined) yield { digest, size: pointer.size, modified };
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hashes.clear();
  }

  async #presign(digest: Digest): Promise<string | undefined> {
    const pointer = this.#pointers.remembered(digest) ?? (await this.#pointers.find(digest))?.pointer;
    return pointer === undefined ? undefined : await this.#bucket.presign(pointer.key, signedFor);
  }

  async #upload(id: string): Promise<{ state: UploadState; etag: string }> {
    const object = await this.#bucket.get(stateKey(id));
    if (object === undefined) throw notFound('The upload has ended');
    return { state: parseUpload(object.bytes), etag: object.etag };
  }

  /** Makes the content one object, and notes that it is about to become this blob. */
  async #putTogether(
    id: string,
    { state, etag, digest }: { state: UploadState; etag: string; digest: Digest },
  ): Promise<Pointer> {
    const size = uploadSize(state);
    const { multipart, tail } = state;
    let whole: UploadState = { ...state, digest };
    let key = tail?.key ?? `tails/${id}/empty`;
    if (multipart !== undefined) {
      key = dataKey(id);
      if (!state.isWhole) await this.#complete(id, multipart, state);
      whole = { ...whole, isWhole: true };
    } else if (tail === undefined) {
      await this.#bucket.put(key, '');
      whole = { ...whole, tail: { key, size: 0 } };
    }
    if ((await this.#bucket.put(stateKey(id), serializeUpload(whole), { etag })) === undefined) {
      throw unavailable('another process goes on with this upload');
    }
    return { key, size };
  }

  async #complete(id: string, multipart: string, { parts, tail }: UploadState): Promise<void> {
    const key = dataKey(id);
    const all = [...parts];
    if (tail !== undefined) {
      const rest = await this.#bucket.get(tail.key);
      if (rest?.bytes.length !== tail.size)
        throw unavailable(`the bucket has lost "${tail.key}" of an upload`);
      const number = parts.length + 1;
      const etag = await this.#bucket.putPart(key, { id: multipart, number }, Buffer.from(rest.bytes));
      all.push({ number, etag, size: tail.size });
    }
    if (await this.#bucket.completeMultipart(key, multipart, all)) return;
    // A process that died, or an answer that was lost, may have got so far.
    const size = all.reduce((sum, part) => sum + part.size, 0);
    if ((await this.#bucket.size(key)) !== size)
      throw notFound('The bucket has dropped the parts of the upload');
  }

  async #hash({ key, size }: Pointer, digest: Digest): Promise<string> {
    const hash = createHash(algorithmOf(digest));
    await using reading = await this.#bucket.open(key, { start: 0, end: size - 1 });
    for await (const chunk of reading) hash.update(chunk);
    return `${algorithmOf(digest)}:${hash.digest('hex')}`;
  }
}

function checkDigest(actual: string, digest: Digest, size: number): void {
  if (actual !== digest) {
    throw invalid(`The content has digest "${actual}" and ${size} bytes, not digest "${digest}"`);
  }
}
