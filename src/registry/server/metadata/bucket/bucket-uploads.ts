import type { Bucket } from '../../storage/s3/bucket.ts';
import type { UploadRecord, Uploads } from '../metadata.ts';

/** `Uploads` as objects `sessions/<id>`; when they were last written is when something was last sent. */
export class BucketUploads implements Uploads {
  readonly #bucket: Bucket;

  constructor(bucket: Bucket) {
    this.#bucket = bucket;
  }

  async begin({ id, repository, algorithm }: Omit<UploadRecord, 'touched'>): Promise<void> {
    await this.#bucket.put(keyOf(id), JSON.stringify({ repository, algorithm }));
  }

  async get(id: string): Promise<UploadRecord | undefined> {
    // It comes from a client and becomes part of a key.
    if (!/^[0-9a-f-]{36}$/.test(id)) return undefined;
    const object = await this.#bucket.get(keyOf(id));
    if (object === undefined) return undefined;
    const { repository, algorithm } = JSON.parse(object.bytes.toString()) as UploadRecord;
    return { id, repository, algorithm, touched: object.modified };
  }

  async touch(id: string): Promise<void> {
    const object = await this.#bucket.get(keyOf(id));
    if (object !== undefined)
      await this.#bucket.put(keyOf(id), new Uint8Array(object.bytes), { etag: object.etag });
  }

  async end(id: string): Promise<void> {
    await this.#bucket.remove(keyOf(id));
  }

  async stale(before: number): Promise<UploadRecord[]> {
    const found: UploadRecord[] = [];
    for await (const { key, modified } of this.#bucket.list({ prefix: 'sessions/' })) {
      const record = modified < before ? await this.get(key.slice('sessions/'.length)) : undefined;
      if (record !== undefined && record.touched < before) found.push(record);
    }
    return found;
  }
}

function keyOf(id: string): string {
  return `sessions/${id}`;
}
