import { internal } from '#/base/errors.ts';
import type { Bucket } from './bucket.ts';
import { type HashState, serializeUpload, type UploadState } from './upload-state.ts';

/** S3 takes so many parts ("Amazon S3 multipart upload limits"). */
const maxParts = 10_000;

/** Where and what is written. */
export interface PartWriterInput {
  readonly bucket: Bucket;
  readonly id: string;
  /** Of all parts but what becomes the last one, in bytes. */
  readonly partSize: number;
  readonly state: UploadState;
  /** Undefined: the content so far was not hashed here. */
  readonly hash: HashState | undefined;
}

/** Keys of an upload's objects. */
export function stateKey(id: string): string {
  return `uploads/${id}`;
}

/** The object that the parts become. */
export function dataKey(id: string): string {
  return `data/${id}`;
}

/**
 * Writes what comes to the bucket in parts of one size. While one part travels, the next is gathered, so that an upload holds
 * two parts in memory at most. After each part the state is written, so that another process can go on behind it.
 */
export class PartWriter {
  readonly #input: PartWriterInput;
  #state: UploadState;
  /** Of the state's object: nobody else may have changed it. */
  #etag: string;
  #pieces: Uint8Array[] = [];
  #length = 0;
  #sending: Promise<void> = Promise.resolve();

  constructor(input: PartWriterInput, etag: string) {
    this.#input = input;
    this.#state = input.state;
    this.#etag = etag;
  }

  get state(): UploadState {
    return this.#state;
  }

  /** The version of the state's object. */
  get etag(): string {
    return this.#etag;
  }

  /** Takes the tail of an earlier append back into memory; it was hashed then. */
  async resume(): Promise<void> {
    const { tail } = this.#state;
    if (tail === undefined) return;
    const object = await this.#input.bucket.get(tail.key);
    if (object?.bytes.length !== tail.size) throw internal(`the bucket has lost "${tail.key}" of an upload`);
    this.#pieces = [object.bytes];
    this.#length = tail.size;
  }

  async take(chunk: Uint8Array): Promise<void> {
    const { hash, partSize } = this.#input;
    if (hash !== undefined) {
      hash.hash.update(chunk);
      hash.bytes += chunk.length;
    }
    // Whoever yields the chunk may use its memory again.
    let rest: Uint8Array = Buffer.from(chunk);
    while (this.#length + rest.length >= partSize) {
      const cut = partSize - this.#length;
      this.#pieces.push(rest.subarray(0, cut));
      rest = rest.subarray(cut);
      const part = Buffer.concat(this.#pieces, partSize);
      this.#pieces = [];
      this.#length = 0;
      await this.#sending;
      this.#sending = this.#send(part);
      // Looked at before the next part, and in the end.
      this.#sending.catch(() => undefined);
    }
    if (rest.length === 0) return;
    this.#pieces.push(rest);
    this.#length += rest.length;
  }

  /** Writes the rest as tail, and waits until all is in the bucket. */
  async end(): Promise<void> {
    await this.#sending;
    const { bucket, id } = this.#input;
    const before = this.#state.tail;
    if (this.#length === (before?.size ?? 0)) return;
    // Another name each time: the old tail stays until the state names the new one.
    const key = `tails/${id}/${this.#state.parts.length}-${this.#length}`;
    if (this.#length > 0) await bucket.put(key, Buffer.concat(this.#pieces, this.#length));
    await this.#save({ ...this.#state, tail: this.#length === 0 ? undefined : { key, size: this.#length } });
  }

  async #send(part: Buffer<ArrayBuffer>): Promise<void> {
    const { bucket, id } = this.#input;
    const { parts } = this.#state;
    const number = parts.length + 1;
    if (number > maxParts) {
      throw internal(`a blob can have ${maxParts} parts; raise storage.partSize to store larger ones`);
    }
    const multipart = this.#state.multipart ?? (await bucket.beginMultipart(dataKey(id)));
    if (this.#state.multipart === undefined) await this.#save({ ...this.#state, multipart });
    const etag = await bucket.putPart(dataKey(id), { id: multipart, number }, part);
    // The first part has swallowed the tail of an earlier append.
    await this.#save({
      ...this.#state,
      parts: [...parts, { number, etag, size: part.length }],
      tail: undefined,
    });
  }

  async #save(state: UploadState): Promise<void> {
    const { bucket, id } = this.#input;
    const etag = await bucket.put(stateKey(id), serializeUpload(state), { etag: this.#etag });
    if (etag === undefined) throw internal('another process goes on with this upload');
    const old = this.#state.tail;
    this.#state = state;
    this.#etag = etag;
    if (old !== undefined && old.key !== state.tail?.key) await bucket.remove(old.key);
  }
}
