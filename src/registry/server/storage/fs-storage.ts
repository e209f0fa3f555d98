import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, isSystemError, notFound } from '#/base/errors.ts';
import { algorithmOf, type Digest, hexOf, isDigest } from '#/oci/digest.ts';
import type { AppendOptions, BlobReading, BlobStorage, ByteRange, StoredBlob } from './blob-storage.ts';
import { FileReading } from './file-reading.ts';
import { appendTo, catchUp, type HashState, newHashState, openUpload } from './upload-file.ts';

/** Unfinished hashes that are kept; the others are computed again when their upload goes on. */
const maxStates = 4096;

/**
 * Blobs as files: `blobs/<algorithm>/<first two digits>/<digits>`, uploads in `uploads/<id>`. A blob is hashed while it
 * arrives, flushed to the disk and then renamed, so that a name is a promise.
 */
export class FsBlobStorage implements BlobStorage {
  readonly #root: string;
  /** By upload; in the order of their use. */
  readonly #states = new Map<string, HashState>();

  private constructor(root: string) {
    this.#root = root;
  }

  /** Opens or creates the storage in the directory `root`. */
  static async open({ root }: { root: string }): Promise<FsBlobStorage> {
    await mkdir(join(root, 'blobs'), { recursive: true, mode: 0o700 });
    await mkdir(join(root, 'uploads'), { recursive: true, mode: 0o700 });
    return new FsBlobStorage(root);
  }

  async begin(id: string): Promise<void> {
    const file = await open(this.#uploadPath(id), 'wx', 0o600);
    await file.close();
  }

  async uploaded(id: string): Promise<number | undefined> {
    return sizeOf(this.#uploadPath(id));
  }

  async append(id: string, source: AsyncIterable<Uint8Array>, { algorithm }: AppendOptions): Promise<number> {
    await using file = await openUpload(this.#uploadPath(id));
    const state = this.#states.get(id) ?? newHashState(algorithm);
    await catchUp(file, state, (await file.stat()).size);
    const { size, error, isStateLost } = await appendTo(file, source, state);
    if (isStateLost) this.#states.delete(id);
    else this.#keep(id, state);
    if (error !== undefined) throw error;
    return size;
  }

  async commit(id: string, digest: Digest): Promise<number> {
    const path = this.#uploadPath(id);
    const target = this.#blobPath(digest);
    await using file = await openUpload(path);
    const { size } = await file.stat();
    const kept = this.#states.get(id);
    const state = kept?.algorithm === algorithmOf(digest) ? kept : newHashState(algorithmOf(digest));
    await catchUp(file, state, size);
    const actual = `${state.algorithm}:${state.hash.copy().digest('hex')}`;
    if (actual !== digest) {
      throw invalid(`The content has digest "${actual}" and ${size} bytes, not digest "${digest}"`);
    }
    // What has a name is on the disk already, unless somebody has damaged it.
    if ((await sizeOf(target)) !== size) {
      await file.sync();
      const directory = join(target, '..');
      await makeDirectory(directory, this.#root);
      await rename(path, target);
      await syncDirectory(directory);
    } else {
      await rm(path, { force: true });
    }
    this.#states.delete(id);
    return size;
  }

  async cancel(id: string): Promise<void> {
    this.#states.delete(id);
    await rm(this.#uploadPath(id), { force: true });
  }

  async *uploads(): AsyncGenerator<string, void, undefined> {
    yield* await readdir(join(this.#root, 'uploads'));
  }

  async size(digest: Digest): Promise<number | undefined> {
    return sizeOf(this.#blobPath(digest));
  }

  async read(digest: Digest, range: ByteRange): Promise<BlobReading> {
    try {
      return new FileReading(await open(this.#blobPath(digest), 'r'), range);
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) throw notFound(`Blob "${digest}" is not in the storage`, error);
      throw error;
    }
  }

  async remove(digest: Digest): Promise<boolean> {
    try {
      await rm(this.#blobPath(digest));
      return true;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return false;
      throw error;
    }
  }

  async *blobs(): AsyncGenerator<StoredBlob, void, undefined> {
    const root = join(this.#root, 'blobs');
    for (const algorithm of await readdir(root)) {
      for (const prefix of await readdir(join(root, algorithm))) {
        for (const hex of await readdir(join(root, algorithm, prefix))) {
          const digest = `${algorithm}:${hex}`;
          const found = isDigest(digest) ? await statOf(this.#blobPath(digest)) : undefined;
          if (isDigest(digest) && found !== undefined)
            yield { digest, size: found.size, modified: found.mtimeMs };
        }
      }
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#states.clear();
  }

  #keep(id: string, state: HashState): void {
    this.#states.delete(id);
    this.#states.set(id, state);
    if (this.#states.size <= maxStates) return;
    const [oldest = id] = this.#states.keys();
    this.#states.delete(oldest);
  }

  #uploadPath(id: string): string {
    return join(this.#root, 'uploads', id);
  }

  #blobPath(digest: Digest): string {
    const hex = hexOf(digest);
    return join(this.#root, 'blobs', algorithmOf(digest), hex.slice(0, 2), hex);
  }
}

async function statOf(path: string): Promise<{ size: number; mtimeMs: number } | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function sizeOf(path: string): Promise<number | undefined> {
  return (await statOf(path))?.size;
}

/** Makes a directory below `root` whose own name is as durable as what will be put into it. */
async function makeDirectory(path: string, root: string): Promise<void> {
  const made = await mkdir(path, { recursive: true, mode: 0o700 });
  if (made === undefined) return;
  for (let parent = join(path, '..'); parent.startsWith(root); parent = join(parent, '..'))
    await syncDirectory(parent);
}

async function syncDirectory(path: string): Promise<void> {
  await using directory = await open(path, 'r');
  await directory.sync();
}
