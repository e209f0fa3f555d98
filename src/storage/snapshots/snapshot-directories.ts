import { existsSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { Directory } from '../tree/directory.ts';
import { removeTree } from '../tree/remove-tree.ts';
import type { SnapshotRow, SnapshotRows } from './snapshot-rows.ts';

/** The directories of one driver's snapshots, each named after its row's id. */
export class SnapshotDirectories {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root;
  }

  /** Short, because overlay mounts list many of them in one page. */
  path(id: number): string {
    return join(this.#root, id.toString(36));
  }

  /** What the snapshot itself holds. */
  diff(id: number): string {
    return join(this.path(id), 'diff');
  }

  /** Makes the driver's directory, and makes rows and directories agree after whatever end the last daemon had. */
  async reconcile(rows: SnapshotRows): Promise<void> {
    await mkdir(this.#root, { recursive: true, mode: 0o700 });
    rows.deleteLost((row) => !existsSync(this.path(row.id)));
    const known = new Set(rows.all().map((row) => row.id.toString(36)));
    for (const name of await readdir(this.#root)) if (!known.has(name)) await this.#remove(name);
  }

  /** Removes the snapshot's directory, if there is one. */
  async remove(row: SnapshotRow): Promise<void> {
    await this.#remove(row.id.toString(36));
  }

  /** Removes `name` in the snapshot's directory, if there is one. */
  async removeInside(row: SnapshotRow, name: string): Promise<void> {
    using directory = Directory.open(this.path(row.id));
    await removeTree(directory, name);
  }

  async #remove(name: string): Promise<void> {
    using root = Directory.open(this.#root);
    await removeTree(root, name);
  }
}
