import { chmodSync, chownSync, existsSync, mkdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { invalid } from '#/base/errors.ts';
import type { Mount } from '#/kernel/mount.ts';
import type { Database } from '#/state/db.ts';
import type { PackSource } from '../archive/pack-source.ts';
import { type DirectoryDriver, DirectorySnapshots } from './directory-snapshots.ts';
import { SnapshotDirectories } from './snapshot-directories.ts';
import { type SnapshotRow, SnapshotRows } from './snapshot-rows.ts';
import type { LayerTarget, Snapshotter } from './snapshotter.ts';

/** The kernel's limit of lower directories (fs/overlayfs, OVL_MAX_STACK). */
const maxLowers = 500;

/**
 * What an image must not steer: a directory made by others could redirect into other layers. Nor may the kernel leave
 * facts in upper directories that would be lost when they become layers.
 */
const wantedOptions = ['index=off', 'metacopy=off', 'redirect_dir=nofollow'];

/**
 * Opens the snapshotter that lets the kernel's overlayfs lay directories over each other, `<root>/<id>/{diff,work}`, and
 * finishes what an earlier daemon left undone.
 */
export async function openOverlay2({
  root,
  db,
  base,
}: {
  root: string;
  db: Database;
  /** A directory that lies below the layers of everything that is written to; see `SnapshotterOptions`. */
  base?: string | undefined;
}): Promise<Snapshotter> {
  for (const path of base === undefined ? [root] : [root, base]) {
    if (/[:,\\]/.test(path))
      throw invalid(`Cannot use overlay2 in "${path}": the path contains ":", "," or "\\"`);
  }
  const rows = new SnapshotRows(db, 'overlay2');
  const directories = new SnapshotDirectories(root);
  await directories.reconcile(rows);
  return new DirectorySnapshots(new Overlay2(rows, { directories, base }), rows, directories);
}

class Overlay2 implements DirectoryDriver {
  readonly name = 'overlay2';
  readonly canRebase = true;
  readonly #rows: SnapshotRows;
  readonly #directories: SnapshotDirectories;
  readonly #base: string | undefined;
  readonly #options: readonly string[];

  constructor(
    rows: SnapshotRows,
    { directories, base }: { directories: SnapshotDirectories; base: string | undefined },
  ) {
    this.#rows = rows;
    this.#directories = directories;
    this.#base = base;
    // An option that the kernel was built without makes the mount fail.
    this.#options = wantedOptions.filter((option) =>
      existsSync(`/sys/module/overlay/parameters/${option.replace(/=.*/, '')}`),
    );
  }

  /** The root of an overlay has the attributes of the topmost directory: they must be those of the parent. */
  fill(row: SnapshotRow): void {
    const diff = this.#directories.diff(row.id);
    mkdirSync(diff);
    const like = row.parent === undefined ? undefined : statSync(this.#directories.diff(row.parent));
    if (like !== undefined) chownSync(diff, like.uid, like.gid);
    chmodSync(diff, like === undefined ? 0o755 : like.mode & 0o7777);
    if (row.kind === 'active') mkdirSync(this.#work(row), { mode: 0o700 });
  }

  async seal(row: SnapshotRow): Promise<void> {
    await this.#directories.removeInside(row, 'work');
  }

  mounts(row: SnapshotRow, more: readonly string[]): Mount[] {
    const lowers = this.#lowers(row);
    if (lowers.length > maxLowers) {
      throw invalid(
        `Cannot mount snapshot "${row.name}": it has ${lowers.length} layers, the kernel takes ${maxLowers}`,
      );
    }
    const diff = this.#directories.diff(row.id);
    if (row.kind === 'view') {
      if (lowers.length > 1)
        return [{ type: 'overlay', source: 'overlay', options: ['ro', ...this.#over(lowers)] }];
      return [{ type: 'bind', source: lowers[0] ?? diff, options: ['bind', 'ro'] }];
    }
    if (lowers.length + more.length === 0) return [{ type: 'bind', source: diff, options: ['bind', 'rw'] }];
    // The kernel has no room for them below so many: then they are missed.
    const below = [...more, ...(this.#base === undefined ? [] : [this.#base])].slice(
      0,
      maxLowers - lowers.length,
    );
    const own = [`upperdir=${diff}`, `workdir=${this.#work(row)}`];
    return [{ type: 'overlay', source: 'overlay', options: [...this.#over([...lowers, ...below]), ...own] }];
  }

  layerTarget(row: SnapshotRow): LayerTarget {
    return { root: this.#directories.diff(row.id), whiteouts: 'overlay', lowers: this.#lowers(row) };
  }

  packSource(row: SnapshotRow): PackSource {
    return { kind: 'upper', path: this.#directories.diff(row.id), lowers: this.#lowers(row) };
  }

  #over(lowers: readonly string[]): string[] {
    return [...this.#options, `lowerdir=${lowers.join(':')}`];
  }

  #lowers(row: SnapshotRow): string[] {
    return this.#rows.ancestors(row).map((id) => this.#directories.diff(id));
  }

  #work(row: SnapshotRow): string {
    return join(this.#directories.path(row.id), 'work');
  }
}
