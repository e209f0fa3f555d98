/** Something that builds keep to be quicker next time, as `docker buildx du` and `docker system df` show it. */
export interface CacheRecord {
  readonly id: string;
  /** Records that this one builds on. */
  readonly parents: readonly string[];
  readonly kind: CacheKind;
  /** `mount / from exec /bin/sh -c make`. */
  readonly description: string;
  /** A build works with it now. */
  readonly inUse: boolean;
  /** An image needs it too: removing it frees nothing. */
  readonly shared: boolean;
  /** Bytes. */
  readonly size: number;
  readonly createdAt: Date;
  readonly lastUsedAt: Date;
  readonly usageCount: number;
  /** Why it is still there and what would make it go, for people. */
  readonly reason?: string;
}

/** BuildKit's kinds of records. */
export type CacheKind = 'regular' | 'source.local' | 'source.git.checkout' | 'exec.cachemount';

/** What to remove of the cache. */
export interface PruneRequest {
  /** Also what builds have used lately or an image shares; otherwise only what nothing builds on. */
  readonly all: boolean;
  /** Docker's filters (`until`, `type`, `id`, `inuse`, `shared`, `private`, `description`, `parent`), several values: any. */
  readonly filters: ReadonlyMap<string, readonly string[]>;
  /** Bytes that may stay; the least recently used go first. Undefined: nothing stays. */
  readonly maxUsed?: number | undefined;
  /** Bytes that stay in any case. */
  readonly reserved?: number | undefined;
  /** Bytes of the disk that are to be free. */
  readonly minFree?: number | undefined;
}

/** What was removed. */
export interface PruneResult {
  readonly removed: readonly CacheRecord[];
  /** Bytes that are free now. */
  readonly reclaimed: number;
}

/** How much may be kept when nobody asks. */
export interface CacheBudget {
  /** Bytes. */
  readonly maxUsed: number;
  /** Milliseconds that something may lie unused. */
  readonly maxAge: number;
  /** Bytes that are kept whatever the other bounds say, but for age. */
  readonly reserved?: number;
  /** Bytes of the disk that are to be free. */
  readonly minFree?: number;
}
