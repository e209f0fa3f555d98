import { textOf } from '#/base/byte-string.ts';
import { notImplemented } from '#/base/errors.ts';
import { type Change, overlayChanges } from '#/storage/archive/overlay-changes.ts';
import type { FilesystemChange } from '#/wire/containers.ts';
import { refuseOtherDriver } from './driver-change.ts';
import type { ContainerParts } from './parts.ts';

const kinds = { modified: 0, added: 1, deleted: 2 } as const;

/** What a start makes for its own mounts in a file system that lacks it; Docker hides the same from its clients. */
const mountPoints: ReadonlySet<string> = new Set([
  'dev',
  'dev/console',
  'dev/pts',
  'dev/shm',
  'etc/hostname',
  'etc/hosts',
  'etc/resolv.conf',
  'proc',
  'sys',
]);
/** Directories of those: they count as changed only if something else in them has. */
const mountParents: ReadonlySet<string> = new Set(['dev', 'etc', 'proc', 'sys']);

/** What a container has changed in its file system, whether it runs or not. Throws `notImplemented` with the driver vfs. */
export async function containerChanges(parts: ContainerParts, ref: string): Promise<FilesystemChange[]> {
  const record = parts.store.find(ref);
  const { id, spec } = record;
  refuseOtherDriver(parts, record);
  const { root, whiteouts, lowers } = parts.snapshots.layerTarget(id);
  if (whiteouts !== 'overlay') {
    throw notImplemented(
      `listing the changes of a container is not implemented for the storage driver "${spec.driver}"`,
    );
  }
  return visibleChanges(await overlayChanges(root, lowers));
}

/** All changes but what Skiff itself needed, in the form of the API. */
export function visibleChanges(changes: readonly Change[]): FilesystemChange[] {
  const own = changes.filter(({ kind, path }) => kind === 'deleted' || !mountPoints.has(path));
  const touched = new Set(own.map(({ path }) => path.slice(0, path.indexOf('/'))));
  return own
    .filter(({ kind, path }) => kind === 'deleted' || !mountParents.has(path) || touched.has(path))
    .map(({ kind, path }) => ({ Path: `/${textOf(path)}`, Kind: kinds[kind] }));
}
