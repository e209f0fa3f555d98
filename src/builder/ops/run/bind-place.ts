import { mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { invalid, isSystemError } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import { close, O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '#/kernel/at.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import { copyTree } from '#/storage/tree/copy-tree.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { buildKey } from '#/storage/unpack-key.ts';
import type { StepParts } from '../step-parts.ts';
import type { SourceTree } from './definition.ts';

/** Where things of a running step are put, and what takes them away. */
export interface StepPlace {
  /** The step's folder. */
  readonly folder: string;
  readonly stack: AsyncDisposableStack;
}

/** A place of its own for a step or a part of one. */
export function openPlace({ runRoot }: Pick<StepParts, 'runRoot'>): StepPlace & AsyncDisposable {
  // Short: sockets in it have paths of at most 107 bytes.
  const folder = join(runRoot, newId().slice(0, 24));
  const stack = new AsyncDisposableStack();
  mkdirSync(folder, { mode: 0o700 });
  stack.defer(() => rmSync(folder, { recursive: true }));
  return { folder, stack, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

/** Makes a folder in the step's folder. */
export function folderIn({ folder }: Pick<StepPlace, 'folder'>, name: string): string {
  const path = join(folder, name);
  mkdirSync(path, { mode: 0o700 });
  return path;
}

/** Mounts a tree in the step's folder and says where. What a step changes in a writable one is lost with it. */
export async function placeTree(
  parts: StepParts,
  place: StepPlace,
  { tree, writable }: { tree: SourceTree; writable: boolean },
): Promise<string> {
  if (tree.kind === 'directory' && !writable) return tree.root;
  const key = buildKey();
  const { snapshots } = parts;
  const chainId = tree.kind === 'layer' ? tree.chainId : undefined;
  if (writable || chainId === undefined) await snapshots.prepare(key, chainId);
  else await snapshots.view(key, chainId);
  place.stack.defer(() => snapshots.remove(key));
  const below = tree.kind === 'directory' ? [tree.root] : [];
  if (tree.kind === 'directory' && snapshots.driver === 'vfs')
    await copyTree(tree.root, snapshots.upperDir(key));
  const target = folderIn(place, key);
  for (const layer of snapshots.mounts(key, below)) {
    mount(layer, target);
    place.stack.defer(() => unmount(target, { detach: true }));
  }
  return target;
}

/**
 * Mounts a file or directory of a tree in the step's folder, for the runtime to bind: links are followed inside of the tree
 * only, and nobody can exchange what lies on the way any more. Throws `invalid` if there is none.
 */
export function placeInside(place: StepPlace, root: string, path: string): string {
  const target = join(place.folder, `bind-${newId()}`);
  const fd = openInside(root, path);
  try {
    const source = `/proc/self/fd/${fd}`;
    if (statSync(source).isDirectory()) mkdirSync(target);
    else writeFileSync(target, '', { mode: 0o600, flag: 'wx' });
    mount({ type: 'none', source, options: ['rbind'] }, target);
  } finally {
    close(fd);
  }
  place.stack.defer(() => unmount(target, { detach: true }));
  return target;
}

function openInside(root: string, path: string): number {
  using directory = Directory.open(root);
  try {
    const inside = path.replace(/^\/+/, '');
    return openat2(directory.fd, inside === '' ? '.' : inside, {
      flags: O_PATH,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP'))
      throw invalid(`cannot mount ${JSON.stringify(path)}: not found`, error);
    throw error;
  }
}
