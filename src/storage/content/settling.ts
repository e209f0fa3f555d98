import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { algorithmOf, type Digest, hexOf, isDigest } from '#/oci/digest.ts';

/**
 * Large blobs whose bytes are on their way to the disk. Waiting for that would take longer than everything else about a load or
 * pull. A marker, which is on the disk before a row refers to the blob, tells of each: after a power cut the blob is compared with
 * its digest, and one that is damaged is removed, so that nobody is ever given it.
 */
export class Settling {
  readonly #directory: string;
  readonly #pathOf: (digest: Digest) => string;
  #queue: Promise<void> = Promise.resolve();

  /** `directory` holds the markers; `pathOf` tells where a blob is. */
  constructor(directory: string, pathOf: (digest: Digest) => string) {
    this.#directory = directory;
    this.#pathOf = pathOf;
  }

  /** Looks after what an earlier daemon left. Call it once, before anything else. */
  async recover(): Promise<void> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const boot = await bootId();
    for (const name of await readdir(this.#directory)) {
      const marker = join(this.#directory, name);
      const digest = name.replace('-', ':');
      // As long as the kernel runs, it has what was written.
      const isSame = isDigest(digest) && (await readFile(marker, 'utf8')) === boot;
      if (isSame) this.#settle(digest);
      else {
        if (isDigest(digest)) await this.#removeDamaged(digest);
        await rm(marker);
      }
    }
  }

  /** Returns when the markers of these blobs are on the disk. The blobs follow. */
  async mark(digests: readonly Digest[]): Promise<void> {
    if (digests.length === 0) return;
    const boot = await bootId();
    const markers = digests.map((digest) => this.#markerOf(digest));
    for (const marker of markers) await writeFile(marker, boot, { mode: 0o600 });
    await Promise.all([...markers, this.#directory].map(syncPath));
    for (const digest of digests) this.#settle(digest);
  }

  /** One after the other: each occupies a thread of the pool. */
  #settle(digest: Digest): void {
    this.#queue = this.#queue.then(async () => {
      await syncPath(this.#pathOf(digest));
      await rm(this.#markerOf(digest), { force: true });
    });
    // The marker stays, and the next daemon looks at the blob: a disk that fails fails whatever reads it, too.
    this.#queue = this.#queue.catch(() => {});
  }

  async #removeDamaged(digest: Digest): Promise<void> {
    const hash = createHash(algorithmOf(digest));
    try {
      for await (const chunk of createReadStream(this.#pathOf(digest), { highWaterMark: readSize })) {
        hash.update(chunk as Buffer);
      }
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return;
      throw error;
    }
    if (hash.digest('hex') !== hexOf(digest)) await rm(this.#pathOf(digest), { force: true });
    else await syncPath(this.#pathOf(digest));
  }

  #markerOf(digest: Digest): string {
    return join(this.#directory, `${algorithmOf(digest)}-${hexOf(digest)}`);
  }
}

const readSize = 1024 * 1024;

/** Flushes a file or directory to the disk. Without effect on what has been removed meanwhile. */
export async function syncPath(path: string): Promise<void> {
  try {
    await using file = await open(path, 'r');
    await file.sync();
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
}

/** Another one after each start of the kernel. */
function bootId(): Promise<string> {
  return readFile('/proc/sys/kernel/random/boot_id', 'utf8');
}
