import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Metadata } from './metadata/metadata.ts';
import { SqliteMetadata } from './metadata/sqlite-metadata.ts';
import type { BlobStorage } from './storage/blob-storage.ts';
import { FsBlobStorage } from './storage/fs-storage.ts';

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
