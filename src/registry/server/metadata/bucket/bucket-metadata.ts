import type { Bucket } from '../../storage/s3/bucket.ts';
import type { S3BlobStorage } from '../../storage/s3/s3-storage.ts';
import type { Metadata, Page } from '../metadata.ts';
import { BucketLinks } from './bucket-links.ts';
import { BucketManifests } from './bucket-manifests.ts';
import { BucketUnused } from './bucket-unused.ts';
import { BucketUploads } from './bucket-uploads.ts';
import { decodeName, nameKey } from './keys.ts';

/**
 * The metadata of a registry as small objects of the bucket that also has the blobs, for any number of processes. S3 has no
 * transactions; instead, each change writes what announces it before it looks whether it may happen, and each removal
 * removes before it looks whether somebody has announced a need. As S3 is strongly consistent, one of the two always sees
 * the other: a manifest is never there without its blobs, and a link never without its blob.
 */
export class BucketMetadata implements Metadata {
  readonly links: BucketLinks;
  readonly manifests: BucketManifests;
  readonly uploads: BucketUploads;
  readonly unused: BucketUnused;
  readonly #bucket: Bucket;

  /** `settle`: see `UnusedInput`. */
  constructor(bucket: Bucket, storage: S3BlobStorage, settle: number = 10 * 60_000) {
    this.#bucket = bucket;
    this.links = new BucketLinks(bucket, (digest) => storage.renew(digest));
    this.manifests = new BucketManifests(bucket, this.links);
    this.uploads = new BucketUploads(bucket);
    this.unused = new BucketUnused({ bucket, links: this.links, storage, settle });
  }

  async repositories({ after, limit }: Page): Promise<string[]> {
    const from = after === undefined || after === '' ? {} : { after: nameKey(after) };
    const found: string[] = [];
    for await (const { key } of this.#bucket.list({
      prefix: 'names/',
      ...from,
      page: Math.min(limit, 1000) || 1,
    })) {
      if (found.length >= limit) break;
      found.push(decodeName(key.slice('names/'.length)));
    }
    return found;
  }

  async hasRepository(repository: string): Promise<boolean> {
    return (await this.#bucket.size(nameKey(repository))) !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
