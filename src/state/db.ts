import { closeSync, existsSync, openSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { internal, isSystemError } from '#/base/errors.ts';
import { type Migration, migrations } from './migrations.ts';

/** A result row: column name to value. */
export type Row = Record<string, unknown>;
/** A statement prepared once and run often. */
export type Statement = StatementSync;

const pragmas = `
  PRAGMA journal_mode = WAL;
  PRAGMA synchronous = NORMAL;
  PRAGMA foreign_keys = ON;
  PRAGMA busy_timeout = 5000;
  PRAGMA trusted_schema = OFF;
`;

/**
 * Size that the log of writes has from the start. SQLite begins it anew at 1000 pages (4 MB), so with this it need not grow
 * unless a transaction changes more than 400 pages: on a full disk changes still work.
 */
const reservedLog = 6 << 20;
/** Pages in the file that rows can be put into before it has to grow: at least so many, and how many it grows by. */
const sparePages = { least: 128, step: 256 };
const pageBytes = 4096;

/**
 * The daemon's one SQLite file. It holds room in reserve: on a full disk things can still be removed. In WAL mode with
 * `synchronous = NORMAL` a commit survives the death of the daemon at any point; a power cut can lose the last commits,
 * never the file (sqlite.org/wal.html).
 */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  readonly #path: string;
  /** Undefined: there is no file. */
  #spare: Statement | undefined;
  #depth = 0;

  /** Opens or creates the file and brings its schema up to date. `:memory:` is for tests. */
  constructor(path: string, steps: readonly Migration[] = migrations) {
    const inFile = path !== ':memory:';
    this.#path = path;
    if (inFile) {
      // Containers' environments are in it. The file of the log gets the mode of this one.
      closeSync(openSync(path, 'a', 0o600));
      // SQLite throws the log of a file away that is still empty.
      if (statSync(path).size === 0) createFile(path);
      reserveLog(`${path}-wal`);
    }
    this.#db = new DatabaseSync(path);
    this.#db.exec(pragmas);
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#db.prepare('COMMIT');
    this.#rollback = this.#db.prepare('ROLLBACK');
    this.#migrate(path, steps);
    if (!inFile) return;
    this.#db.exec('CREATE TABLE IF NOT EXISTS reserve (bytes BLOB) STRICT');
    this.#spare = this.#db.prepare('PRAGMA freelist_count');
    this.#reservePages();
  }

  /** Prepares `sql`; keep the statement and run it as often as needed. */
  prepare(sql: string): Statement {
    return this.#db.prepare(sql);
  }

  /** Runs `fn` as one transaction: all of its changes or, if it throws, none. Inside another it simply takes part. */
  transaction<T>(fn: () => T): T {
    if (this.#depth > 0) return fn();
    const result = this.#whole(fn);
    this.#reservePages();
    return result;
  }

  #whole<T>(fn: () => T): T {
    this.#begin.run();
    this.#depth += 1;
    try {
      const result = fn();
      if (result instanceof Promise) throw new TypeError('a transaction function must be synchronous');
      this.#commit.run();
      return result;
    } catch (error) {
      // A failed COMMIT (disk full) can have ended the transaction already.
      if (this.#db.isTransaction) this.#rollback.run();
      throw error;
    } finally {
      this.#depth -= 1;
    }
  }

  close(): void {
    this.#db.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Lets the file grow before it must, so that what is in the log of writes always has its place in the file. */
  #reservePages(): void {
    const spare = Number(this.#spare?.get()?.['freelist_count'] ?? sparePages.least);
    if (spare >= sparePages.least) return;
    try {
      // Pages that do not fit into the file would keep the log of writes from being begun anew.
      const { bavail, bsize } = statfsSync(this.#path);
      if (bavail * bsize < 4 * sparePages.step * pageBytes) return;
      this.#db.exec(`
        INSERT INTO reserve VALUES (zeroblob(${sparePages.step * pageBytes}));
        DELETE FROM reserve;
        PRAGMA wal_checkpoint(PASSIVE);
      `);
    } catch {
      // The transaction before this has been committed: its caller must not take it for failed because there is no room, or
      // the disk does not answer. The next one that really needs room hears of it.
    }
  }

  #migrate(path: string, steps: readonly Migration[]): void {
    const version = Number(this.#db.prepare('PRAGMA user_version').get()?.['user_version'] ?? 0);
    if (version > steps.length) {
      throw internal(
        `Cannot open state file "${path}": it has schema version ${version}, this Skiff knows versions up to ${steps.length}; use a newer Skiff`,
      );
    }
    for (const [index, step] of steps.entries()) {
      if (index < version) continue;
      this.transaction(() => {
        this.#db.exec(step.sql);
        this.#db.exec(`PRAGMA user_version = ${index + 1}`);
      });
    }
  }
}

function createFile(path: string): void {
  using db = new DatabaseSync(path);
  db.exec(pragmas);
  db.exec('PRAGMA user_version = 0');
}

/**
 * Makes the log of writes, if there is none, as large as it is to be. SQLite takes a log without a valid header for an
 * empty one and writes over it (sqlite.org/walformat.html, section 4.2).
 */
function reserveLog(path: string): void {
  if (existsSync(path)) return;
  const fd = openSync(path, 'wx', 0o600);
  try {
    const zeros = Buffer.alloc(1 << 20);
    for (let size = 0; size < reservedLog; size += zeros.length) writeSync(fd, zeros);
  } catch (error) {
    // Too late to hold anything back.
    if (!isSystemError(error, 'ENOSPC', 'EDQUOT')) throw error;
    rmSync(path);
  } finally {
    closeSync(fd);
  }
}

/** Tells whether `error` says that a row cannot be deleted or written because of a foreign key. */
export function isForeignKeyError(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 787; // SQLITE_CONSTRAINT_FOREIGNKEY
}

/** Tells whether `error` says that the disk is full; on a full disk not even a row can be deleted. */
export function isDiskFullError(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 13; // SQLITE_FULL
}
