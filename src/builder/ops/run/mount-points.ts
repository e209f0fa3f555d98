import { lstatSync, mkdirSync, rmdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import type { MountInput } from '#/runtime/spec/input.ts';
import { resolveInRootfs } from '#/runtime/spec/rootfs.ts';

/** A place for a mount that a root file system lacks. */
export interface MissingPoint {
  /** Absolute in the root file system, without links in it. */
  readonly path: string;
  readonly directory: boolean;
}

/** What the runtime mounts in every container, see `runtime/spec/mounts.ts`. */
const usual: readonly string[] = ['/proc', '/dev', '/sys'];

/** The places that the mounts need and `rootfs` does not have. */
export function missingPoints(rootfs: string, mounts: readonly MountInput[]): MissingPoint[] {
  const wanted = [
    ...usual.map((target) => ({ target, directory: true })),
    ...mounts
      .filter(({ target }) => !usual.some((path) => target.startsWith(`${path}/`)))
      .map((mount) => ({
        target: mount.target,
        directory: mount.kind === 'tmpfs' || statSync(mount.source).isDirectory(),
      })),
  ];
  return wanted
    .map(({ target, directory }) => ({ path: resolveInRootfs(rootfs, target), directory }))
    .filter(({ path }) => !exists(join(rootfs, path)))
    .toSorted((a, b) => (a.path < b.path ? -1 : 1));
}

/** Makes the places in `root`. Returns what was made, directories before what is in them. */
export function makePoints(root: string, points: readonly MissingPoint[]): string[] {
  const made: string[] = [];
  for (const { path, directory } of points) {
    const target = join(root, path);
    makeDirectories(dirname(target), made);
    if (exists(target)) continue;
    if (directory) mkdirSync(target, { mode: 0o755 });
    else writeFileSync(target, '', { flag: 'wx', mode: 0o644 });
    made.push(target);
  }
  return made;
}

/**
 * Removes places again, as far as nothing was put into them, and gives the directories that they were in their times back
 * as they were.
 */
export function removePoints(made: readonly string[]): void {
  for (const path of made.toReversed()) {
    const found = lstatSync(path, { throwIfNoEntry: false });
    if (found === undefined) continue;
    const parent = statSync(dirname(path));
    try {
      if (found.isDirectory()) rmdirSync(path);
      else if (found.isFile() && found.size === 0) rmSync(path);
      else continue;
    } catch (error) {
      if (isSystemError(error, 'ENOTEMPTY')) continue;
      throw error;
    }
    utimesSync(dirname(path), parent.atime, parent.mtime);
  }
}

function makeDirectories(path: string, made: string[]): void {
  if (exists(path)) return;
  makeDirectories(dirname(path), made);
  mkdirSync(path, { mode: 0o755 });
  made.push(path);
}

function exists(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}
