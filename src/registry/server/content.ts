import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RegistryConfig } from './config/config.ts';
import type { S3Config } from './config/storage.ts';
import { BucketMetadata } from './metadata/bucket/bucket-metadata.ts';
import type { Metadata } from './metadata/metadata.ts';
import { SqliteMetadata } from './metadata/sqlite-metadata.ts';
import type { BlobStorage } from './storage/blob-storage.ts';
import { FsBlobStorage } from './storage/fs-storage.ts';
import { Bucket } from './storage/s3/bucket.ts';
import { S3Credentials } from './storage/s3/credentials.ts';
import { S3Requests } from './storage/s3/s3-request.ts';
import { S3BlobStorage } from './storage/s3/s3-storage.ts';

/** Storage and metadata that belong together. */
export interface Content extends AsyncDisposable {
  readonly storage: BlobStorage;
  readonly metadata: Metadata;
}

/** Opens or creates the content of a registry that is one process, in the directory `root`. */
export async function openLocalContent({ root }: { readonly root: string }): Promise<Content> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  await using stack = new AsyncDisposableStack();
  const metadata = stack.use(new SqliteMetadata({ path: join(root, 'registry.db') }));
  const storage = stack.use(await FsBlobStorage.open({ root }));
  const owned = stack.move();
  return { storage, metadata, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Opens the content that a configuration names. */
export async function openContent({
  data,
  storage,
}: Pick<RegistryConfig, 'data' | 'storage'>): Promise<Content> {
  switch (storage.kind) {
    case 'filesystem':
      return await openLocalContent({ root: data });
    case 's3':
      return await openBucketContent({ root: data, config: storage.s3 });
  }
}

/** Where the content of several processes is. */
export interface BucketContentOptions {
  /** For what is this process's own: keys and queues. */
  readonly root: string;
  readonly config: S3Config;
  /** Milliseconds for which a blob that nothing links is left alone. */
  readonly settle?: number;
}

/** Opens the content of a registry that any number of processes share, in a bucket. Throws if the bucket cannot be had. */
export async function openBucketContent({ root, config, settle }: BucketContentOptions): Promise<Content> {
  await mkdir(root, { recursive: true, mode: 0o700 });
  const bucket = new Bucket(new S3Requests(config, new S3Credentials(config.credentials)), config.prefix);
  const storage = new S3BlobStorage(bucket, config);
  const metadata = new BucketMetadata(bucket, storage, settle);
  // A wrong name, address or key should be heard of now.
  await metadata.repositories({ limit: 1 });
  return { storage, metadata, [Symbol.asyncDispose]: () => storage[Symbol.asyncDispose]() };
}
