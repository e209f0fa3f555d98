import { conflict, isKind, notFound } from '#/base/errors.ts';
import { type Database, isForeignKeyError, type Row, type Statement } from '#/state/db.ts';
import type { SnapshotKind, Usage } from './snapshotter.ts';

/** A snapshot as the database knows it. */
export interface SnapshotRow {
  /** Never used twice, also not after the row is gone. */
  readonly id: number;
  readonly name: string;
  readonly kind: SnapshotKind;
  readonly parent: number | undefined;
  readonly usage: Usage | undefined;
}

/** The snapshots of one driver in the database. */
export class SnapshotRows {
  readonly #driver: string;
  readonly #db: Database;
  readonly #insert: Statement;
  readonly #find: Statement;
  readonly #all: Statement;
  readonly #ancestors: Statement;
  readonly #children: Statement;
  readonly #commit: Statement;
  readonly #setParent: Statement;
  readonly #setUsage: Statement;
  readonly #delete: Statement;

  constructor(db: Database, driver: string) {
    this.#driver = driver;
    this.#db = db;
    this.#insert = db.prepare('INSERT INTO snapshots (driver, name, kind, parent) VALUES (?, ?, ?, ?)');
    this.#find = db.prepare('SELECT * FROM snapshots WHERE driver = ? AND name = ?');
    this.#all = db.prepare('SELECT * FROM snapshots WHERE driver = ? ORDER BY id');
    this.#ancestors = db.prepare(`
      WITH RECURSIVE chain (id, parent, depth) AS (
        SELECT id, parent, 0 FROM snapshots WHERE id = ?
        UNION ALL SELECT s.id, s.parent, depth + 1 FROM snapshots s JOIN chain ON s.id = chain.parent
      ) SELECT id FROM chain WHERE depth > 0 ORDER BY depth`);
    this.#children = db.prepare('SELECT 1 FROM snapshots WHERE parent = ? LIMIT 1');
    this.#commit = db.prepare(`UPDATE snapshots SET kind = 'committed', name = ? WHERE id = ?`);
    this.#setParent = db.prepare('UPDATE snapshots SET parent = ? WHERE id = ?');
    this.#setUsage = db.prepare('UPDATE snapshots SET bytes = ?, inodes = ? WHERE id = ?');
    this.#delete = db.prepare('DELETE FROM snapshots WHERE id = ?');
  }

  /** Adds an active snapshot or view. Throws `conflict` when the key is taken, `notFound` for the parent. */
  insert(key: string, kind: 'active' | 'view', parent: string | undefined): SnapshotRow {
    return this.#db.transaction(() => {
      if (this.find(key) !== undefined) throw conflict(`Snapshot "${key}" already exists`);
      const above = parent === undefined ? undefined : this.get(parent);
      if (above !== undefined && above.kind !== 'committed')
        throw conflict(`Snapshot "${parent}" is not committed`);
      this.#insert.run(this.#driver, key, kind, above?.id ?? null);
      return this.get(key);
    });
  }

  find(name: string): SnapshotRow | undefined {
    const row = this.#find.get(this.#driver, name);
    return row && parseRow(row);
  }

  /** Throws `notFound`. */
  get(name: string): SnapshotRow {
    const row = this.find(name);
    if (row === undefined) throw notFound(`Snapshot "${name}" not found`);
    return row;
  }

  /** Parents before children, otherwise in the order they were made. */
  all(): SnapshotRow[] {
    const rows = this.#all.all(this.#driver).map(parseRow);
    const byId = new Map(rows.map((row) => [row.id, row]));
    const depths = new Map<number, number>();
    const depthOf = (row: SnapshotRow): number => {
      const path: SnapshotRow[] = [];
      let next: SnapshotRow | undefined = row;
      while (next !== undefined && !depths.has(next.id)) {
        path.push(next);
        next = next.parent === undefined ? undefined : byId.get(next.parent);
      }
      let depth = next === undefined ? -1 : (depths.get(next.id) ?? -1);
      for (const one of path.toReversed()) depths.set(one.id, (depth += 1));
      return depths.get(row.id) ?? 0;
    };
    return rows.toSorted((a, b) => depthOf(a) - depthOf(b));
  }

  /** The ids of parent, grandparent and so on. */
  ancestors(row: SnapshotRow): number[] {
    return this.#ancestors.all(row.id).map(({ id }) => Number(id));
  }

  hasChildren(row: SnapshotRow): boolean {
    return this.#children.get(row.id) !== undefined;
  }

  /** Throws `conflict` when `row` is not active or `name` is taken. */
  commit(row: SnapshotRow, name: string): void {
    this.#db.transaction(() => {
      if (row.kind !== 'active') throw conflict(`Snapshot "${row.name}" is not active`);
      if (this.find(name) !== undefined) throw conflict(`Snapshot "${name}" already exists`);
      this.#commit.run(name, row.id);
    });
  }

  /** Throws `conflict` when `row` is not active or has a parent, or `parent` is not committed. */
  setParent(row: SnapshotRow, parent: SnapshotRow): void {
    if (row.kind !== 'active' || row.parent !== undefined)
      throw conflict(`Snapshot "${row.name}" is not an active one without parent`);
    if (parent.kind !== 'committed') throw conflict(`Snapshot "${parent.name}" is not committed`);
    this.#setParent.run(parent.id, row.id);
  }

  setUsage(row: SnapshotRow, usage: Usage): void {
    this.#setUsage.run(usage.bytes, usage.inodes, row.id);
  }

  /** Throws `conflict` while another snapshot has it as parent. */
  delete(row: SnapshotRow): void {
    try {
      this.#delete.run(row.id);
    } catch (error) {
      if (!isForeignKeyError(error)) throw error;
      throw conflict(`Snapshot "${row.name}" is in use by other snapshots`, error);
    }
  }

  /** Deletes the rows that `isLost` tells, as far as nothing builds on them; children go before their parents. */
  deleteLost(isLost: (row: SnapshotRow) => boolean): void {
    for (const row of this.all().toReversed()) {
      if (!isLost(row)) continue;
      try {
        this.delete(row);
      } catch (error) {
        if (!isKind(error, 'conflict')) throw error;
      }
    }
  }
}

function parseRow(row: Row): SnapshotRow {
  const { bytes, inodes, parent } = row;
  return {
    id: Number(row['id']),
    name: String(row['name']),
    kind: row['kind'] as SnapshotKind,
    parent: parent === null ? undefined : Number(parent),
    usage: bytes === null ? undefined : { bytes: Number(bytes), inodes: Number(inodes) },
  };
}
