import { setImmediate as turn } from 'node:timers/promises';
import { type Digest, parseDigest } from '#/oci/digest.ts';
import type { Database, Row, Statement } from '#/state/db.ts';
import type { CollectOptions, Unused, UnusedBlob } from './metadata.ts';
import type { SqliteParts } from './sqlite-links.ts';

/** Rows of one transaction: pushes wait for no longer than it takes. */
const batch = 500;

const unreferenced = `
  l.touched < ?
  AND NOT EXISTS (
    SELECT 1 FROM manifest_references m WHERE m.repository = l.repository AND m.digest = l.digest
  )`;

/** `Unused` in SQLite: references are rows, so nothing has to be marked, and each transaction looks again. */
export class SqliteUnused implements Unused {
  readonly #db: Database;
  readonly #durable: () => Promise<void>;
  readonly #links: Statement;
  readonly #dropLink: Statement;
  readonly #blobs: Statement;
  readonly #isLinked: Statement;
  readonly #forget: Statement;
  readonly #knows: Statement;
  readonly #dropRepositories: Statement;

  constructor(db: Database, { durable }: Pick<SqliteParts, 'durable'>) {
    this.#db = db;
    this.#durable = durable;
    this.#links = db.prepare(`
      SELECT l.repository AS id, r.name AS repository, l.digest, b.size
      FROM repository_blobs l
      JOIN repositories r ON r.id = l.repository
      JOIN blobs b ON b.digest = l.digest
      WHERE (l.repository, l.digest) > (?, ?) AND ${unreferenced}
      ORDER BY l.repository, l.digest LIMIT ${batch}`);
    this.#dropLink = db.prepare('DELETE FROM repository_blobs WHERE repository = ? AND digest = ?');
    this.#blobs = db.prepare(`
      SELECT digest, size FROM blobs b
      WHERE digest > ? AND NOT EXISTS (SELECT 1 FROM repository_blobs l WHERE l.digest = b.digest)
      ORDER BY digest LIMIT ${batch}`);
    this.#isLinked = db.prepare('SELECT 1 FROM repository_blobs WHERE digest = ? LIMIT 1');
    this.#forget = db.prepare('DELETE FROM blobs WHERE digest = ?');
    this.#knows = db.prepare('SELECT 1 FROM blobs WHERE digest = ?');
    this.#dropRepositories = db.prepare(`
      DELETE FROM repositories WHERE id IN (
        SELECT id FROM repositories
        EXCEPT SELECT repository FROM repository_blobs
        EXCEPT SELECT repository FROM manifests
      )`);
  }

  async *dropLinks({ before, dryRun }: CollectOptions): AsyncGenerator<UnusedBlob, void, undefined> {
    let last: Link | undefined = { repository: 0, digest: '' };
    while (last !== undefined) {
      const rows = this.#dropBatch(last, { before, dryRun });
      for (const row of rows) yield { ...blobOf(row), repository: String(row['repository']) };
      last = rows.length === batch ? linkOf(rows.at(-1)) : undefined;
      await turn();
    }
  }

  async *blobs(): AsyncGenerator<UnusedBlob, void, undefined> {
    let last: string | undefined = '';
    while (last !== undefined) {
      const rows: Row[] = this.#blobs.all(last);
      // No link may come back after a power cut when its blob is gone.
      if (rows.length > 0) await this.#durable();
      for (const row of rows) yield { ...blobOf(row), repository: undefined };
      last = rows.length === batch ? String(rows.at(-1)?.['digest']) : undefined;
      await turn();
    }
  }

  /** Finds and drops in one transaction: no manifest can come in between. */
  #dropBatch(after: Link, { before, dryRun }: CollectOptions): Row[] {
    return this.#db.transaction(() => {
      const found = this.#links.all(after.repository, after.digest, before);
      if (!dryRun) for (const row of found) this.#dropLink.run(Number(row['id']), String(row['digest']));
      return found;
    });
  }

  async claim(digest: Digest): Promise<boolean> {
    // To mount takes a link, and to commit the lock of the digest, which the caller holds.
    return this.#isLinked.get(digest) === undefined;
  }

  async forget(digest: Digest): Promise<void> {
    this.#forget.run(digest);
  }

  async knows(digest: Digest): Promise<boolean> {
    return this.#knows.get(digest) !== undefined;
  }

  async dropRepositories(): Promise<void> {
    this.#dropRepositories.run();
  }
}

/** Key of a row of repository_blobs. */
interface Link {
  readonly repository: number;
  readonly digest: string;
}

function linkOf(row: Row | undefined): Link | undefined {
  return row === undefined ? undefined : { repository: Number(row['id']), digest: String(row['digest']) };
}

function blobOf(row: Row): { digest: Digest; size: number } {
  return { digest: parseDigest(String(row['digest'])), size: Number(row['size']) };
}
