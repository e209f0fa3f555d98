import { closeSync, constants, existsSync, openSync } from 'node:fs';
import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { spreadChildren } from '#/kernel/files.ts';
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
    this.#spread();
    rows.deleteLost((row) => !existsSync(this.path(row.id)));
    const known = new Set(rows.all().map((row) => row.id.toString(36)));
    for (const name of await readdir(this.#root)) if (!known.has(name)) await this.#remove(name);
  }

  /**
   * Snapshots beside each other would have ext4 look for free inodes where those of a removed image were: it passes over each one
   * for minutes, which can take longer than all else about unpacking.
   */
  #spread(): void {
    const fd = openSync(this.#root, constants.O_RDONLY | constants.O_DIRECTORY);
    try {
      spreadChildren(fd);
    } finally {
      closeSync(fd);
    }
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
