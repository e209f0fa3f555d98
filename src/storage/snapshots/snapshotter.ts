import type { Mount } from '#/kernel/mount.ts';
import type { PackSource } from '../archive/pack-source.ts';

/** What a snapshot occupies by itself, without its parents. */
export interface Usage {
  /** Disk bytes; a file with several names counts once. */
  readonly bytes: number;
  readonly inodes: number;
}

/** Where the archive of a layer is unpacked to, and how; plain data, to be handed to `extractTar`. */
export interface LayerTarget {
  readonly root: string;
  /** `overlay`: whiteouts become overlay's own. `apply`: they delete what the parent brought. */
  readonly whiteouts: 'overlay' | 'apply';
  /** Directories of the parents, nearest first, where those are not visible in `root`. */
  readonly lowers: readonly string[];
}

/** The drivers, by the names that Docker gives them. */
export type DriverName = 'overlay2' | 'vfs';

/** `active` is writable, `view` only for reading, `committed` can be a parent and never changes. */
export type SnapshotKind = 'active' | 'view' | 'committed';

/**
 * Keeps file systems as chains of snapshots. It mounts nothing itself: it answers with the mounts that show a snapshot.
 *
 * A snapshot is active, view or committed; it goes by one name that is unique in the snapshotter: a key while it is
 * active or a view (a container's id), a name once it is committed (a layer's chain id). Its parent, if any, is always
 * a committed one.
 *
 * A layer: `prepare(key, parent)`, unpack into `layerTarget(key)`, `commit(key, chainId)`. On failure `remove(key)`.
 * A container: `prepare(id, topLayer)`, mount the answer for as long as it runs (`mounts(id)` gives it again after a
 * restart of the daemon), unmount, `remove(id)`.
 *
 * Rows come before directories and go before them, so that after a crash at any point opening the snapshotter again finds
 * what to remove: directories without a row, rows without a directory.
 */
export interface Snapshotter {
  readonly driver: DriverName;

  /** What a snapshot holds does not depend on its parent, so that `rebase` works. */
  readonly canRebase: boolean;

  /** Makes a writable snapshot on top of `parent` or empty. Throws `conflict` if `key` exists, `notFound` for the parent. */
  prepare(key: string, parent?: string): Promise<Mount[]>;

  /** Makes a snapshot for reading `parent`. Throws as `prepare`. */
  view(key: string, parent?: string): Promise<Mount[]>;

  /**
   * The mounts of an active snapshot or view, all for the same target, in their order. Throws `notFound`. With `below` an
   * active one shows these directories, too, as far as it has nothing at their places; a driver may not be able to.
   */
  mounts(key: string, below?: readonly string[]): Mount[];

  /**
   * Puts the active snapshot `key`, which has no parent, on top of `parent`. So layers can be unpacked before those below
   * them. Throws `conflict` if it has a parent or the driver cannot do it, `notFound`.
   */
  rebase(key: string, parent: string): void;

  /** Turns the active snapshot `key` into the committed one `name`. Throws `conflict` if `name` exists. */
  commit(key: string, name: string): Promise<void>;

  /** Removes a snapshot that is not mounted any more. Throws `conflict` while others build on it, `notFound`. */
  remove(key: string): Promise<void>;

  exists(key: string): boolean;

  /** Names and kinds of all snapshots, parents before children. */
  list(): { readonly name: string; readonly kind: SnapshotKind }[];

  /** Tells whether another snapshot has `name` as parent. */
  hasChildren(name: string): boolean;

  /** What the snapshot occupies. Measured for active ones, remembered for committed ones. */
  usage(key: string): Promise<Usage>;

  /** Where to unpack the layer that the active snapshot `key` is to become. */
  layerTarget(key: string): LayerTarget;

  /** Where the archive of what a snapshot has other than its parent comes from. */
  packSource(name: string): PackSource;

  /** Where a file about a committed snapshot can be kept; it goes with the snapshot. */
  besideOf(name: string, file: string): string;

  /** The directory with what an active snapshot holds itself; for overlay2 only what differs from the parent. */
  upperDir(key: string): string;
}
