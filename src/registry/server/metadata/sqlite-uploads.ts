import type { Database, Row, Statement } from '#/state/db.ts';
import type { UploadRecord, Uploads } from './metadata.ts';

/** `Uploads` in SQLite. */
export class SqliteUploads implements Uploads {
  readonly #now: () => number;
  readonly #begin: Statement;
  readonly #get: Statement;
  readonly #touch: Statement;
  readonly #end: Statement;
  readonly #stale: Statement;

  constructor(db: Database, now: () => number) {
    this.#now = now;
    this.#begin = db.prepare('INSERT INTO uploads (id, repository, algorithm, touched) VALUES (?, ?, ?, ?)');
    this.#get = db.prepare('SELECT * FROM uploads WHERE id = ?');
    this.#touch = db.prepare('UPDATE uploads SET touched = ? WHERE id = ?');
    this.#end = db.prepare('DELETE FROM uploads WHERE id = ?');
    this.#stale = db.prepare('SELECT * FROM uploads WHERE touched < ?');
  }

  async begin({ id, repository, algorithm }: Omit<UploadRecord, 'touched'>): Promise<void> {
    this.#begin.run(id, repository, algorithm, this.#now());
  }

  async get(id: string): Promise<UploadRecord | undefined> {
    const row = this.#get.get(id);
    return row === undefined ? undefined : recordOf(row);
  }

  async touch(id: string): Promise<void> {
    this.#touch.run(this.#now(), id);
  }

  async end(id: string): Promise<void> {
    this.#end.run(id);
  }

  async stale(before: number): Promise<UploadRecord[]> {
    return this.#stale.all(before).map(recordOf);
  }
}

function recordOf(row: Row): UploadRecord {
  return {
    id: String(row['id']),
    repository: String(row['repository']),
    algorithm: String(row['algorithm']),
    touched: Number(row['touched']),
  };
}
