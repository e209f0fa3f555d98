import type { Digest } from '#/oci/digest.ts';
import type { Database, Statement } from '#/state/db.ts';
import type { BlobLinks } from './metadata.ts';

/** The row of a repository, made if it is new; for use inside a transaction. */
export function repositoryRows(db: Database): (name: string) => number {
  const add = db.prepare('INSERT INTO repositories (name) VALUES (?) ON CONFLICT DO NOTHING');
  const find = db.prepare('SELECT id FROM repositories WHERE name = ?');
  return (name) => {
    const known = find.get(name)?.['id'];
    if (known !== undefined) return Number(known);
    return Number(add.run(name).lastInsertRowid);
  };
}

/** What the parts of `SqliteMetadata` need beside the database. */
export interface SqliteParts {
  /** The present time in milliseconds since 1970. */
  readonly now: () => number;
  /** Resolves when what was committed so far survives a power cut. */
  readonly durable: () => Promise<void>;
}

/** `BlobLinks` in SQLite. */
export class SqliteLinks implements BlobLinks {
  readonly #db: Database;
  readonly #now: () => number;
  readonly #durable: () => Promise<void>;
  readonly #repository: (name: string) => number;
  readonly #size: Statement;
  readonly #total: Statement;
  readonly #holders: Statement;
  readonly #addBlob: Statement;
  readonly #link: Statement;
  readonly #unlink: Statement;
  readonly #touch: Statement;

  constructor(db: Database, { now, durable }: SqliteParts) {
    this.#db = db;
    this.#now = now;
    this.#durable = durable;
    this.#repository = repositoryRows(db);
    this.#size = db.prepare(`
      SELECT b.size FROM repositories r
      JOIN repository_blobs l ON l.repository = r.id AND l.digest = ?2
      JOIN blobs b ON b.digest = l.digest
      WHERE r.name = ?1`);
    this.#total = db.prepare(`
      SELECT coalesce(sum(b.size), 0) AS total FROM repositories r
      JOIN repository_blobs l ON l.repository = r.id
      JOIN blobs b ON b.digest = l.digest
      WHERE r.name = ?`);
    this.#holders = db.prepare(`
      SELECT r.name FROM repository_blobs l JOIN repositories r ON r.id = l.repository
      WHERE l.digest = ? ORDER BY r.name LIMIT ?`);
    this.#addBlob = db.prepare('INSERT INTO blobs (digest, size) VALUES (?, ?) ON CONFLICT DO NOTHING');
    this.#link = db.prepare(`
      INSERT INTO repository_blobs (repository, digest, touched) VALUES (?, ?, ?)
      ON CONFLICT DO UPDATE SET touched = excluded.touched`);
    this.#unlink = db.prepare(`
      DELETE FROM repository_blobs
      WHERE digest = ?2 AND repository = (SELECT id FROM repositories WHERE name = ?1)`);
    this.#touch = db.prepare(`
      UPDATE repository_blobs SET touched = ?3
      WHERE digest = ?2 AND repository = (SELECT id FROM repositories WHERE name = ?1) AND touched < ?3`);
  }

  async size(repository: string, digest: Digest): Promise<number | undefined> {
    return this.#sizeOf(repository, digest);
  }

  async total(repository: string): Promise<number> {
    return Number(this.#total.get(repository)?.['total'] ?? 0);
  }

  async holders(digest: Digest, limit: number): Promise<string[]> {
    return this.#holders.all(digest, limit).map((row) => String(row['name']));
  }

  async link(
    repository: string,
    { digest, size }: { readonly digest: Digest; readonly size: number },
  ): Promise<void> {
    this.#db.transaction(() => {
      this.#addBlob.run(digest, size);
      this.#link.run(this.#repository(repository), digest, this.#now());
    });
    await this.#durable();
  }

  async mount(repository: string, digest: Digest, from: string): Promise<number | undefined> {
    const size = this.#db.transaction(() => {
      const found = this.#sizeOf(from, digest);
      if (found !== undefined) this.#link.run(this.#repository(repository), digest, this.#now());
      return found;
    });
    if (size !== undefined) await this.#durable();
    return size;
  }

  async unlink(repository: string, digest: Digest): Promise<boolean> {
    const { changes } = this.#unlink.run(repository, digest);
    await this.#durable();
    return Number(changes) > 0;
  }

  async touch(repository: string, digest: Digest): Promise<void> {
    this.#touch.run(repository, digest, this.#now());
  }

  #sizeOf(repository: string, digest: Digest): number | undefined {
    const size = this.#size.get(repository, digest)?.['size'];
    return size === undefined ? undefined : Number(size);
  }
}
