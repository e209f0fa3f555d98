import { Database, type Statement } from '#/state/db.ts';
import type { Metadata, Page } from './metadata.ts';
import { registryMigrations } from './migrations.ts';
import { SqliteLinks } from './sqlite-links.ts';
import { SqliteManifests } from './sqlite-manifests.ts';
import { SqliteUnused } from './sqlite-unused.ts';
import { SqliteUploads } from './sqlite-uploads.ts';
import { WriteLog } from './write-log.ts';

/** Where and how the file is opened. */
export interface SqliteMetadataOptions {
  readonly path: string;
  /** The present time in milliseconds since 1970, for leases. */
  readonly now?: () => number;
}

/**
 * The metadata of a registry that is one process, in one SQLite file. Every change is a transaction, and they come one after
 * the other: a manifest is stored only while all links that it needs are there, and a link goes only while no manifest needs
 * it. What a client is told of as done survives a power cut; leases and uploads under way need not.
 */
export class SqliteMetadata implements Metadata {
  readonly links: SqliteLinks;
  readonly manifests: SqliteManifests;
  readonly uploads: SqliteUploads;
  readonly unused: SqliteUnused;
  readonly #db: Database;
  readonly #log: WriteLog;
  readonly #page: Statement;
  readonly #find: Statement;

  constructor({ path, now = Date.now }: SqliteMetadataOptions) {
    this.#db = new Database(path, registryMigrations);
    this.#log = new WriteLog(path);
    const durable = (): Promise<void> => this.#log.flush();
    this.links = new SqliteLinks(this.#db, { now, durable });
    this.manifests = new SqliteManifests(this.#db, { now, durable });
    this.uploads = new SqliteUploads(this.#db, now);
    this.unused = new SqliteUnused(this.#db, { durable });
    this.#page = this.#db.prepare('SELECT name FROM repositories WHERE name > ? ORDER BY name LIMIT ?');
    this.#find = this.#db.prepare('SELECT 1 FROM repositories WHERE name = ?');
  }

  async repositories({ after = '', limit }: Page): Promise<string[]> {
    return this.#page.all(after, limit).map((row) => String(row['name']));
  }

  async hasRepository(repository: string): Promise<boolean> {
    return this.#find.get(repository) !== undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#log[Symbol.asyncDispose]();
    this.#db.close();
  }
}
