import { randomUUID } from 'node:crypto';
import { mkdir, rm, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid } from '#/base/errors.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import { formatPlatform } from '#/oci/platform.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
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
    const shown = await show(at, { parts, parent: image.chainId });
    const added = await files?.(image, at);
    if (added === undefined || added.size === 0) {
      stack.use(shown);
      continue;
    }
    await shown[Symbol.asyncDispose]();
    const { name } = stack.use(await layerOf(added, { parts, hold, parent: image.chainId }));
    stack.use(await show(at, { parts, parent: name }));
  }
  const kept = stack.move();
  return { path, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

interface Place {
  readonly parts: RootParts;
  readonly parent: string | undefined;
}

/** Mounts what `parent` and the layers below it hold, for reading, and nothing else: not the places for a container's mounts. */
async function show(at: string, { parts: { snapshots }, parent }: Place): Promise<AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const key = exportKey();
  await snapshots.view(key, parent);
  stack.defer(() => snapshots.remove(key));
  for (const layer of snapshots.mounts(key)) {
    mount(layer, at);
    stack.defer(() => unmount(at, { detach: true }));
  }
  return stack.move();
}

/** A layer with files, on top of a result. Whatever the result has at their names, nothing is followed or filled. */
async function layerOf(
  files: ReadonlyMap<string, Buffer>,
  { parts: { snapshots }, parent, hold }: Place & { hold: Hold<ChainId> },
): Promise<{ readonly name: string } & AsyncDisposable> {
  await using stack = new AsyncDisposableStack();
  const [key, name] = [exportKey(), exportKey()];
  // It is nobody's layer, but not an orphan either.
  hold.add(name as ChainId);
  await snapshots.prepare(key, parent);
  stack.defer(async () => {
    for (const each of [key, name]) if (snapshots.exists(each)) await snapshots.remove(each);
  });
  for (const [path, bytes] of files) {
    const at = join(snapshots.upperDir(key), path);
    await rm(at, { force: true, recursive: true });
    await writeFile(at, bytes, { flag: 'wx', mode: 0o644 });
  }
  await snapshots.commit(key, name);
  const kept = stack.move();
  return { name, [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

function exportKey(): string {
  return `${keyPrefix}${randomUUID()}`;
}
