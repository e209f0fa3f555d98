import type { CacheConfig } from '../config/edges.ts';
import type { Services } from '../services.ts';
import type { CachedBlob, CacheRecords } from './cache-records.ts';

/** Blobs that are looked at in one go. */
const batch = 50;

/** Makes room in caches that have more than their quota: what was not used for the longest time goes. */
export class Eviction {
  readonly #services: Services;
  readonly #records: CacheRecords;
  #running: Promise<void> = Promise.resolve();

  constructor(services: Services, records: CacheRecords) {
    this.#services = services;
    this.#records = records;
  }

  /** Removes blobs of the cache until it fits; never `fresh`, which has just come. */
  run({ prefix, quota }: CacheConfig, fresh: Pick<CachedBlob, 'repository' | 'digest'>): Promise<void> {
    if (quota === undefined) return Promise.resolve();
    // One after the other: two would remove more than need be.
    const run = this.#running.then(() => this.#makeRoom({ prefix, quota, fresh }));
    this.#running = run.catch(() => undefined);
    return run;
  }

  async #makeRoom({
    prefix,
    quota,
    fresh,
  }: {
    prefix: string;
    quota: number;
    fresh: Pick<CachedBlob, 'digest'>;
  }): Promise<void> {
    while (this.#records.total(prefix) > quota) {
      const oldest = this.#records.oldest(prefix, batch).filter(({ digest }) => digest !== fresh.digest);
      if (oldest.length === 0) return;
      for (const blob of oldest) {
        await this.#remove(blob);
        if (this.#records.total(prefix) <= quota) return;
      }
    }
  }

  /** The blob leaves its repository, and the storage if no other one has it. */
  async #remove({ repository, digest }: CachedBlob): Promise<void> {
    const { metadata, storage, blobLocks } = this.#services;
    using _held = await blobLocks.acquire(digest);
    await metadata.links.unlink(repository, digest);
    this.#records.forget({ repository, digest });
    if (!(await metadata.unused.claim(digest))) return;
    await storage.remove(digest);
    await metadata.unused.forget(digest);
  }
}
