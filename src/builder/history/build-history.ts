import type { Digest } from '#/oci/digest.ts';
import type { Database, Row, Statement } from '#/state/db.ts';

/** A build that has ended, with what its writer says of it. */
export interface KeptBuild {
  /** What the client calls it. */
  readonly ref: string;
  readonly created: Date;
  readonly completed: Date;
  /** It is kept until somebody removes it. */
  readonly isPinned: boolean;
  readonly record: Uint8Array;
}

/** Something that belongs to a build. */
export interface KeptBlob {
  readonly digest: Digest;
  readonly bytes: Uint8Array;
}

/** Builds that are kept whatever their age. */
const leastKept = 50;
/** How long others are kept, in milliseconds. */
const keptFor = 48 * 60 * 60 * 1000;
/** Builds that are kept at most, and bytes of what belongs to them; pinned ones count as the others do, and stay. */
const most = { builds: 1000, bytes: 128 * 1024 * 1024 };

/** The builds that have ended, the latest of them, in the database. */
export class BuildHistory {
  readonly #db: Database;
  readonly #put: Statement;
  readonly #putBlob: Statement;
  readonly #get: Statement;
  readonly #all: Statement;
  readonly #blob: Statement;
  readonly #sizes: Statement;
  readonly #pin: Statement;
  readonly #delete: Statement;

  constructor(db: Database) {
    this.#db = db;
    this.#put = db.prepare(`
      INSERT OR REPLACE INTO build_history (ref, created, completed, pinned, record) VALUES (?, ?, ?, ?, ?)`);
    this.#putBlob = db.prepare(
      'INSERT OR IGNORE INTO build_history_blobs (ref, digest, bytes) VALUES (?, ?, ?)',
    );
    this.#get = db.prepare('SELECT * FROM build_history WHERE ref = ?');
    this.#all = db.prepare('SELECT * FROM build_history ORDER BY created, ref');
    this.#blob = db.prepare('SELECT bytes FROM build_history_blobs WHERE digest = ? LIMIT 1');
    this.#sizes = db.prepare(`
      SELECT ref, completed, pinned,
        length(record) + coalesce((SELECT sum(length(bytes)) FROM build_history_blobs b WHERE b.ref = h.ref), 0) AS size
      FROM build_history h ORDER BY completed DESC, created DESC`);
    this.#pin = db.prepare('UPDATE build_history SET pinned = ? WHERE ref = ?');
    this.#delete = db.prepare('DELETE FROM build_history WHERE ref = ?');
  }

  /** Keeps a build, in place of one of the same name, and forgets those that are too old. Gives the names of these. */
  add({ ref, created, completed, isPinned, record }: KeptBuild, blobs: readonly KeptBlob[]): string[] {
    return this.#db.transaction(() => {
      this.#delete.run(ref);
      this.#put.run(ref, created.getTime(), completed.getTime(), isPinned ? 1 : 0, record);
      for (const { digest, bytes } of blobs) this.#putBlob.run(ref, digest, bytes);
      const old = this.#old(completed.getTime());
      for (const each of old) this.#delete.run(each);
      return old;
    });
  }

  /** A build by its name. */
  find(ref: string): KeptBuild | undefined {
    const row = this.#get.get(ref);
    return row && fromRow(row);
  }

  /** All, the first that began first. */
  list(): KeptBuild[] {
    return this.#all.all().map(fromRow);
  }

  /** What belongs to some build. */
  blob(digest: Digest): Uint8Array | undefined {
    return this.#blob.get(digest)?.['bytes'] as Uint8Array | undefined;
  }

  /** Keeps a build for good, or as long as the others. */
  pin(ref: string, isPinned: boolean): void {
    this.#pin.run(isPinned ? 1 : 0, ref);
  }

  /** Forgets a build. */
  delete(ref: string): void {
    this.#delete.run(ref);
  }

  /** Names of the builds that are to go at this time. */
  #old(now: number): string[] {
    const old: string[] = [];
    let bytes = 0;
    for (const [index, row] of this.#sizes.all().entries()) {
      bytes += Number(row['size']);
      const isRecent = index < leastKept || Number(row['completed']) > now - keptFor;
      // The latest one stays however large it is.
      const hasRoom = index === 0 || (index < most.builds && bytes <= most.bytes);
      if (row['pinned'] === 0 && !(isRecent && hasRoom)) old.push(String(row['ref']));
    }
    return old;
  }
}

function fromRow(row: Row): KeptBuild {
  return {
    ref: String(row['ref']),
    created: new Date(Number(row['created'])),
    completed: new Date(Number(row['completed'])),
    isPinned: row['pinned'] === 1,
    record: row['record'] as Uint8Array,
  };
}
