import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { conflict } from '#/base/errors.ts';
import type { Mount } from '#/kernel/mount.ts';
import { isDiskFullError } from '#/state/db.ts';
import type { PackSource } from '../archive/pack-source.ts';
import { treeUsage } from '../tree/tree-usage.ts';
import type { SnapshotDirectories } from './snapshot-directories.ts';
import type { SnapshotRow, SnapshotRows } from './snapshot-rows.ts';
import type { DriverName, LayerTarget, SnapshotKind, Snapshotter, Usage } from './snapshotter.ts';

/** What a driver that keeps each snapshot in a directory of its own does in its own way. */
export interface DirectoryDriver {
  readonly name: DriverName;
  readonly canRebase: boolean;
  /** Fills the new, empty directory of a snapshot; `diff` in it is what the snapshot holds. */
  fill(row: SnapshotRow): void | Promise<void>;
  /** Takes away what only active snapshots need. */
  seal(row: SnapshotRow): void | Promise<void>;
  mounts(row: SnapshotRow, below: readonly string[]): Mount[];
  layerTarget(row: SnapshotRow): LayerTarget;
  packSource(row: SnapshotRow): PackSource;
}

/** A snapshotter over rows, directories and what a driver makes of them. */
export class DirectorySnapshots implements Snapshotter {
  readonly driver: DriverName;
  readonly canRebase: boolean;
  readonly #driver: DirectoryDriver;
  readonly #rows: SnapshotRows;
  readonly #directories: SnapshotDirectories;

  constructor(driver: DirectoryDriver, rows: SnapshotRows, directories: SnapshotDirectories) {
    this.driver = driver.name;
    this.canRebase = driver.canRebase;
    this.#driver = driver;
    this.#rows = rows;
    this.#directories = directories;
  }

  async prepare(key: string, parent?: string): Promise<Mount[]> {
    return this.#make(this.#rows.insert(key, 'active', parent));
  }

  async view(key: string, parent?: string): Promise<Mount[]> {
    return this.#make(this.#rows.insert(key, 'view', parent));
  }

  mounts(key: string, below: readonly string[] = []): Mount[] {
    return this.#driver.mounts(this.#rows.get(key), below);
  }

  rebase(key: string, parent: string): void {
    if (!this.canRebase) throw conflict(`Snapshots of ${this.driver} hold copies of their parents`);
    this.#rows.setParent(this.#rows.get(key), this.#rows.get(parent));
  }

  async commit(key: string, name: string): Promise<void> {
    const row = this.#rows.get(key);
    this.#rows.commit(row, name);
    await this.#driver.seal(row);
  }

  async remove(key: string): Promise<void> {
    await this.#remove(this.#rows.get(key));
  }

  exists(key: string): boolean {
    return this.#rows.find(key) !== undefined;
  }

  list(): { name: string; kind: SnapshotKind }[] {
    return this.#rows.all().map(({ name, kind }) => ({ name, kind }));
  }

  hasChildren(name: string): boolean {
    return this.#rows.hasChildren(this.#rows.get(name));
  }

  async usage(key: string): Promise<Usage> {
    const row = this.#rows.get(key);
    if (row.usage !== undefined) return row.usage;
    const usage = await treeUsage(this.#directories.diff(row.id));
    if (row.kind === 'committed') this.#rows.setUsage(row, usage);
    return usage;
  }

  layerTarget(key: string): LayerTarget {
    return this.#driver.layerTarget(this.#rows.get(key));
  }

  packSource(name: string): PackSource {
    return this.#driver.packSource(this.#rows.get(name));
  }

  besideOf(name: string, file: string): string {
    return join(this.#directories.path(this.#rows.get(name).id), file);
  }

  upperDir(key: string): string {
    return this.#directories.diff(this.#rows.get(key).id);
  }

  async #make(row: SnapshotRow): Promise<Mount[]> {
    try {
      mkdirSync(this.#directories.path(row.id), { mode: 0o700 });
      await this.#driver.fill(row);
      return this.#driver.mounts(row, []);
    } catch (error) {
      await this.#remove(row);
      throw error;
    }
  }

  async #remove(row: SnapshotRow): Promise<void> {
    try {
      this.#rows.delete(row);
    } catch (error) {
      if (!isDiskFullError(error) || this.#rows.hasChildren(row)) throw error;
      // There has to be room before the row can go.
      await this.#directories.remove(row);
      this.#rows.delete(row);
    }
    await this.#directories.remove(row);
  }
}
