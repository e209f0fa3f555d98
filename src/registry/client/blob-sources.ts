import type { Digest } from '#/oci/digest.ts';
import type { Database, Statement } from '#/state/db.ts';

/** A repository at a registry. */
export interface RepositoryName {
  /** The registry's host, as in image names. */
  readonly domain: string;
  readonly path: string;
}

/** Repositories offered for one mount: each that does not have the blob costs the registry a look. */
const maxOffers = 4;
const defaultMaxRows = 50_000;

/** Which repositories are known to have which blobs: a bounded memory, and only a hint. */
export class BlobSources {
  readonly #maxRows: number;
  readonly #note: Statement;
  readonly #forget: Statement;
  readonly #find: Statement;
  readonly #known: Statement;
  readonly #count: Statement;
  readonly #trim: Statement;
  #sinceTrim = 0;

  constructor(db: Database, { maxRows = defaultMaxRows }: { maxRows?: number } = {}) {
    this.#maxRows = maxRows;
    this.#note = db.prepare(
      `INSERT INTO blob_sources (digest, registry, repository, seen) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET seen = excluded.seen`,
    );
    this.#forget = db.prepare(
      'DELETE FROM blob_sources WHERE digest = ? AND registry = ? AND repository = ?',
    );
    this.#find = db.prepare(
      `SELECT repository FROM blob_sources WHERE digest = ? AND registry = ? AND repository <> ?
       ORDER BY seen DESC, repository LIMIT ${maxOffers}`,
    );
    this.#known = db.prepare('SELECT 1 FROM blob_sources WHERE digest = ? LIMIT 1');
    this.#count = db.prepare('SELECT count(*) AS n FROM blob_sources');
    this.#trim = db.prepare(
      `DELETE FROM blob_sources WHERE (digest, registry, repository) IN (
         SELECT digest, registry, repository FROM blob_sources ORDER BY seen LIMIT ?)`,
    );
    this.#trimNow();
  }

  /** Remembers that the repository has the blob. */
  note(digest: Digest, { domain, path }: RepositoryName): void {
    this.#note.run(digest, domain, path, Date.now());
    this.#sinceTrim += 1;
    // Counting and looking for the oldest take a while: a tenth of them at once.
    if (this.#sinceTrim * 10 >= this.#maxRows) this.#trimNow();
  }

  /** It does not have it, after all. */
  forget(digest: Digest, { domain, path }: RepositoryName): void {
    this.#forget.run(digest, domain, path);
  }

  /** Tells whether any registry is known to have had the blob. */
  isKnown(digest: Digest): boolean {
    return this.#known.get(digest) !== undefined;
  }

  /** Other repositories of the same registry that may have the blob, those heard of last first. */
  others(digest: Digest, { domain, path }: RepositoryName): string[] {
    return this.#find.all(digest, domain, path).map((row) => String(row['repository']));
  }

  #trimNow(): void {
    this.#sinceTrim = 0;
    const rows = Number(this.#count.get()?.['n']);
    const most = Math.trunc(this.#maxRows * 0.9);
    if (rows > most) this.#trim.run(rows - most);
  }
}
