import { chmodSync, mkdirSync } from 'node:fs';
import type { Mount } from '#/kernel/mount.ts';
import type { Database } from '#/state/db.ts';
import type { PackSource } from '../archive/pack-source.ts';
import { copyTree } from '../tree/copy-tree.ts';
import { type DirectoryDriver, DirectorySnapshots } from './directory-snapshots.ts';
import { SnapshotDirectories } from './snapshot-directories.ts';
import { type SnapshotRow, SnapshotRows } from './snapshot-rows.ts';
import type { LayerTarget, Snapshotter } from './snapshotter.ts';

/**
 * Opens the snapshotter that copies parents in full: for file systems that overlayfs cannot be on top of. Where the
 * file system can share data between files (btrfs, xfs) the copies do. Finishes what an earlier daemon left undone.
 */
export async function openVfs({ root, db }: { root: string; db: Database }): Promise<Snapshotter> {
  const rows = new SnapshotRows(db, 'vfs');
  const directories = new SnapshotDirectories(root);
  await directories.reconcile(rows);
  return new DirectorySnapshots(new Vfs(directories), rows, directories);
}

class Vfs implements DirectoryDriver {
  readonly name = 'vfs';
  readonly canRebase = false;
  readonly #directories: SnapshotDirectories;

  constructor(directories: SnapshotDirectories) {
    this.#directories = directories;
  }

  async fill(row: SnapshotRow): Promise<void> {
    const diff = this.#directories.diff(row.id);
    mkdirSync(diff);
    chmodSync(diff, 0o755);
    // A view shows the parent itself, which never changes.
    if (row.kind === 'active' && row.parent !== undefined) {
      await copyTree(this.#directories.diff(row.parent), diff);
    }
  }

  seal(): void {}

  mounts(row: SnapshotRow): Mount[] {
    const shown = row.kind === 'view' ? (row.parent ?? row.id) : row.id;
    const access = row.kind === 'view' ? 'ro' : 'rw';
    return [{ type: 'bind', source: this.#directories.diff(shown), options: ['bind', access] }];
  }

  layerTarget(row: SnapshotRow): LayerTarget {
    return { root: this.#directories.diff(row.id), whiteouts: 'apply', lowers: [] };
  }

  packSource(row: SnapshotRow): PackSource {
    const path = this.#directories.diff(row.id);
    if (row.parent === undefined) return { kind: 'tree', path };
    return { kind: 'difference', path, before: this.#directories.diff(row.parent) };
  }
}
