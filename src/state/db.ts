import { DatabaseSync, type SQLInputValue, type StatementSync } from 'node:sqlite';
import { internal } from '#/base/errors.ts';
import { type Migration, migrations } from './migrations.ts';

/** What a column can hold. */
export type SqlValue = SQLInputValue;
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
 * The daemon's one SQLite file. In WAL mode with `synchronous = NORMAL` a commit survives the death of the daemon at
 * any point; a power cut can lose the last commits, never the file (sqlite.org/wal.html).
 */
export class Database implements Disposable {
  readonly #db: DatabaseSync;
  readonly #begin: Statement;
  readonly #commit: Statement;
  readonly #rollback: Statement;
  #depth = 0;

  /** Opens or creates the file and brings its schema up to date. `:memory:` is for tests. */
  constructor(path: string, steps: readonly Migration[] = migrations) {
    this.#db = new DatabaseSync(path);
    this.#db.exec(pragmas);
    this.#begin = this.#db.prepare('BEGIN IMMEDIATE');
    this.#commit = this.#db.prepare('COMMIT');
    this.#rollback = this.#db.prepare('ROLLBACK');
    this.#migrate(path, steps);
  }

  /** Prepares `sql`; keep the statement and run it as often as needed. */
  prepare(sql: string): Statement {
    return this.#db.prepare(sql);
  }

  /** Runs `fn` as one transaction: all of its changes or, if it throws, none. Inside another it simply takes part. */
  transaction<T>(fn: () => T): T {
    if (this.#depth > 0) return fn();
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

/** Tells whether `error` says that a row cannot be deleted or written because of a foreign key. */
export function isForeignKeyError(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 787; // SQLITE_CONSTRAINT_FOREIGNKEY
}

/** Tells whether `error` says that the disk is full; on a full disk not even a row can be deleted. */
export function isDiskFullError(error: unknown): boolean {
  return error instanceof Error && 'errcode' in error && error.errcode === 13; // SQLITE_FULL
}
