import { randomUUID } from 'node:crypto';
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, isSystemError } from '#/base/errors.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import { formatPlatform } from '#/oci/platform.ts';
import type { Layers } from '#/storage/layers.ts';
import type { Snapshotter } from '#/storage/snapshots/snapshotter.ts';
import type { TreeThreads } from '#/storage/tree/tree-threads.ts';
import { buildPrefix } from '#/storage/unpack-key.ts';
import type { PlatformImage } from './image-package.ts';

/** What trees of results are made with. */
export interface RootParts {
  readonly layers: Layers;
  readonly snapshots: Snapshotter;
  readonly trees: TreeThreads;
  /** A folder for mount points that is emptied when the daemon starts. */
  readonly runRoot: string;
}

/** The files of results, mounted until this is disposed of. */
export interface OpenRoot extends AsyncDisposable {
  readonly path: string;
}

/** How results are laid out. */
export interface RootOptions {
  /** A folder for each platform; default: if there are several. */
  readonly platformSplit?: boolean | undefined;
  /** Files to be added to each result, by name. */
  readonly files?: ((image: PlatformImage, root: string) => Promise<ReadonlyMap<string, Buffer>>) | undefined;
}

/** Names of snapshots for exports; what a daemon that died has left of them is found by it. */
const keyPrefix = `${buildPrefix}export-`;

/** Shows the root file systems of results: one as it is, several below `linux_amd64` and the like. */
export async function openRoots(
  images: readonly PlatformImage[],
  parts: RootParts,
  { platformSplit = images.length > 1, files }: RootOptions = {},
): Promise<OpenRoot> {
  await using stack = new AsyncDisposableStack();
  if (images.length > 1 && !platformSplit)
    throw invalid('several platforms need a folder each: platform-split=true');
  const path = join(parts.runRoot, `${keyPrefix}${randomUUID()}`);
  await mkdir(path, { recursive: true, mode: 0o700 });
  stack.defer(() => rmdir(path));
  const hold = stack.use(parts.layers.hold());
  for (const image of images) {
    const at = platformSplit ? join(path, formatPlatform(image.platform).replaceAll('/', '_')) : path;
    if (platformSplit) {
      await mkdir(at, { mode: 0o755 });
      stack.defer(() => rmdir(at));
    }
    if (image.chainId !== undefined) hold.add(image.chainId);
    const key = `${keyPrefix}${randomUUID()}`;
    // Writable, for the files that are added; the layers below stay as they are.
    await parts.snapshots.prepare(key, image.chainId);
    stack.defer(() => parts.snapshots.remove(key));
    for (const layer of parts.snapshots.mounts(key)) {
      mount(layer, at);
      stack.defer(() => unmount(at, { detach: true }));
    }
    for (const [name, bytes] of (await files?.(image, at)) ?? []) await addFile(at, name, bytes);
  }
  const kept = stack.move();
  return { path, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

/** Whatever a result has at that name, nothing is followed or filled. */
async function addFile(root: string, name: string, bytes: Buffer): Promise<void> {
  const path = join(root, name);
  try {
    await rm(path, { force: true });
    await writeFile(path, bytes, { flag: 'wx', mode: 0o644 });
  } catch (error) {
    if (!isSystemError(error, 'EISDIR', 'ERR_FS_EISDIR', 'EEXIST')) throw error;
    throw invalid(`Cannot add "${name}" to the result: it has a directory of that name`, error);
  }
}
