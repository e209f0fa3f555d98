import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { invalid, isSystemError } from '#/base/errors.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import type { Database } from '#/state/db.ts';
import { openOverlay2 } from './overlay2.ts';
import type { DriverName, Snapshotter } from './snapshotter.ts';
import { openVfs } from './vfs.ts';

/** Where snapshots are to be kept. */
export interface SnapshotterOptions {
  /** The directory of all drivers, `<data-root>/snapshots`. */
  readonly root: string;
  readonly db: Database;
  /** Default: overlay2 where it works, else vfs. */
  readonly driver?: DriverName;
  /**
   * A directory, on the same file system, to lay below the layers of each writable snapshot that has any: what it holds is
   * seen where the layers have nothing, and belongs to no layer. Drivers that copy do without.
   */
  readonly base?: string;
}

/** Opens the snapshotter that was asked for, or the best one. Throws `invalid` when overlay2 was and cannot work. */
export async function openSnapshotter({ root, db, driver, base }: SnapshotterOptions): Promise<Snapshotter> {
  mkdirSync(root, { recursive: true, mode: 0o700 });
  const failure = driver === 'vfs' ? undefined : overlayFailure(root);
  if (driver === 'overlay2' && failure !== undefined) {
    throw invalid(`Cannot use storage driver "overlay2" in "${root}": ${failure.message}`, failure);
  }
  if (driver === 'vfs' || failure !== undefined) return openVfs({ root: join(root, 'vfs'), db });
  return openOverlay2({ root: join(root, 'overlay2'), db, base });
}

/** Tries an overlay mount: file systems differ in what they support, and only the kernel knows. */
function overlayFailure(root: string): Error | undefined {
  const probe = join(root, '.probe');
  const [lower, upper, work, merged] = ['lower', 'upper', 'work', 'merged'].map((name) => join(probe, name));
  rmSync(probe, { recursive: true, force: true });
  for (const path of [lower, upper, work, merged]) mkdirSync(path ?? '', { recursive: true, mode: 0o700 });
  const options = [`lowerdir=${lower}`, `upperdir=${upper}`, `workdir=${work}`];
  try {
    mount({ type: 'overlay', source: 'overlay', options }, merged ?? '');
    unmount(merged ?? '', { detach: true });
    return undefined;
  } catch (error) {
    if (!isSystemError(error)) throw error;
    return error;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}
