import type { Digest } from '#/oci/digest.ts';
import { Database, type Statement } from '#/state/db.ts';
import type { Migration } from '#/state/migrations.ts';

/** Times are milliseconds since 1970. `cache` is the prefix of the configuration. */
const migrations: readonly Migration[] = [
  {
    name: 'cache',
    sql: `
      CREATE TABLE repositories (
        name TEXT PRIMARY KEY,
        cache TEXT NOT NULL
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE tags (
        repository TEXT NOT NULL REFERENCES repositories (name),
        tag TEXT NOT NULL,
        checked INTEGER NOT NULL,
        PRIMARY KEY (repository, tag)
      ) STRICT, WITHOUT ROWID;

      CREATE TABLE blobs (
        repository TEXT NOT NULL REFERENCES repositories (name),
        digest TEXT NOT NULL,
        size INTEGER NOT NULL,
        used INTEGER NOT NULL,
        PRIMARY KEY (repository, digest)
      ) STRICT, WITHOUT ROWID;
      CREATE INDEX blobs_by_use ON blobs (used);
    `,
  },
];

/** A blob that a cache has. */
export interface CachedBlob {
  readonly repository: string;
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

/** What this process knows of the content of its caches: whose a repository is, when tags were compared, when blobs were used. */
export class CacheRecords implements Disposable {
  readonly #db: Database;
  readonly #own: Statement;
  readonly #cacheOf: Statement;
  readonly #checked: Statement;
  readonly #check: Statement;
  readonly #use: Statement;
  readonly #sum: Statement;
  readonly #oldest: Statement;
  readonly #forget: Statement;

  /** `:memory:` is for tests. */
  constructor(path: string) {
    this.#db = new Database(path, migrations);
    this.#own = this.#db.prepare(
      'INSERT INTO repositories (name, cache) VALUES (?, ?) ON CONFLICT DO NOTHING',
    );
    this.#cacheOf = this.#db.prepare('SELECT cache FROM repositories WHERE name = ?');
    this.#checked = this.#db.prepare('SELECT checked FROM tags WHERE repository = ? AND tag = ?');
    this.#check = this.#db.prepare(
      'INSERT INTO tags (repository, tag, checked) VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET checked = excluded.checked',
    );
    this.#use = this.#db.prepare(
      'INSERT INTO blobs (repository, digest, size, used) VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET used = excluded.used',
    );
    this.#sum = this.#db.prepare(
      `SELECT coalesce(sum(size), 0) AS total FROM (
        SELECT b.digest, max(b.size) AS size FROM blobs b JOIN repositories r ON r.name = b.repository
        WHERE r.cache = ? GROUP BY b.digest)`,
    );
    this.#oldest = this.#db.prepare(
      `SELECT b.repository, b.digest, b.size FROM blobs b JOIN repositories r ON r.name = b.repository
       WHERE r.cache = ? ORDER BY b.used LIMIT ?`,
    );
    this.#forget = this.#db.prepare('DELETE FROM blobs WHERE repository = ? AND digest = ?');
  }

  /** The repository is a copy of the upstream's from now on. */
  own(repository: string, cache: string): void {
    this.#own.run(repository, cache);
  }

  /** Whether the repository is a copy from this cache's upstream. */
  owns(repository: string, cache: string): boolean {
    return this.#cacheOf.get(repository)?.['cache'] === cache;
  }

  /** When the tag was last compared with the upstream's; 0 for never. */
  checked(repository: string, tag: string): number {
    return Number(this.#checked.get(repository, tag)?.['checked'] ?? 0);
  }

  /** The tag was compared at this time; 0 forgets that it ever was. */
  check(repository: string, tag: string, now: number): void {
    this.#check.run(repository, tag, now);
  }

  /** The blob was fetched or asked for. */
  use({ repository, digest, size }: CachedBlob, now: number): void {
    this.#use.run(repository, digest, size, now);
  }

  /** Bytes of a cache's blobs, those in several repositories once. */
  total(cache: string): number {
    return Number(this.#sum.get(cache)?.['total'] ?? 0);
  }

  /** What was not used for the longest time. */
  oldest(cache: string, limit: number): readonly CachedBlob[] {
    return this.#oldest.all(cache, limit).map((row) => ({
      repository: String(row['repository']),
      // It was a digest when it was written.
      digest: String(row['digest']) as Digest,
      size: Number(row['size']),
    }));
  }

  /** The blob is no longer there. */
  forget({ repository, digest }: Pick<CachedBlob, 'repository' | 'digest'>): void {
    this.#forget.run(repository, digest);
  }

  [Symbol.dispose](): void {
    this.#db.close();
  }
}
