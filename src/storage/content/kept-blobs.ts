import type { Digest } from '#/oci/digest.ts';
import type { Database, Statement } from '#/state/db.ts';

/** How long the blobs of an interrupted pull are kept for the next attempt. Milliseconds. */
const keepFor = 7 * 24 * 3600 * 1000;

/**
 * Blobs that belong to no image yet, and are to survive a restart nevertheless: those that a pull downloads. Rows come
 * before the blobs, and go when the image has them, when the pull finds them to be wrong, or after a week.
 */
export class KeptBlobs {
  readonly #db: Database;
  readonly #keep: Statement;
  readonly #release: Statement;

  /** Forgets what has been kept for long enough; the next sweep of blobs then takes it. */
  constructor(db: Database) {
    this.#db = db;
    this.#keep = db.prepare(
      'INSERT INTO kept_blobs (digest, since) VALUES (?, ?) ON CONFLICT DO UPDATE SET since = excluded.since',
    );
    this.#release = db.prepare('DELETE FROM kept_blobs WHERE digest = ?');
    db.prepare('DELETE FROM kept_blobs WHERE since < ?').run(Date.now() - keepFor);
  }

  /** Keeps blobs that are there, or will be. */
  keep(digests: readonly Digest[]): void {
    this.#db.transaction(() => {
      for (const digest of digests) this.#keep.run(digest, Date.now());
    });
  }

  /** From now on they are kept only if something else needs them. */
  release(digests: readonly Digest[]): void {
    this.#db.transaction(() => {
      for (const digest of digests) this.#release.run(digest);
    });
  }
}
