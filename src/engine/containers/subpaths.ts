import { existsSync, mkdirSync, readdirSync, rmdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { internal, isSystemError, notFound } from '#/base/errors.ts';
import { close, O_PATH, openat2, RESOLVE_BENEATH } from '#/kernel/at.ts';
import { mount } from '#/kernel/mount.ts';
import { unmountAll } from '#/kernel/mount-point.ts';
import { Directory } from '#/storage/tree/directory.ts';

/** What of a volume a container is to see. */
export interface VolumeSubpath {
  /** The volume's directory. */
  readonly volume: string;
  /** Relative; a file or a directory. */
  readonly subpath: string;
}

/**
 * Mounts a part of a volume in the folder `run` and says where. The runtime gets that mount for a source: containers that
 * write to the volume can replace what lies on the way by a link at any time, and a path would be followed out of it.
 * To be taken away with `dropSubpaths` as soon as the container has its own mount.
 */
export function bindSubpath(run: string, { volume, subpath }: VolumeSubpath): string {
  const folder = join(run, 'subpaths');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const target = join(folder, String(readdirSync(folder).length));
  const fd = openInside({ volume, subpath });
  try {
    const source = `/proc/self/fd/${fd}`;
    if (statSync(source).isDirectory()) mkdirSync(target);
    else writeFileSync(target, '', { mode: 0o600, flag: 'wx' });
    mount({ type: 'none', source, options: ['rbind'] }, target);
  } finally {
    close(fd);
  }
  return target;
}

function openInside({ volume, subpath }: VolumeSubpath): number {
  using root = Directory.open(volume);
  try {
    return openat2(root.fd, subpath, { flags: O_PATH, resolve: RESOLVE_BENEATH });
  } catch (error) {
    const path = join(volume, subpath);
    if (isSystemError(error, 'EXDEV')) {
      throw internal(
        `path concatenation escapes the base directory, base: ${volume}, subpath: ${subpath}`,
        error,
      );
    }
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw notFound(`cannot access path ${path}: lstat ${path}: no such file or directory`, error);
    throw error;
  }
}

/** Takes away what `bindSubpath` has mounted for the run in the folder `run`. Safe to repeat. */
export function dropSubpaths(run: string): void {
  const folder = join(run, 'subpaths');
  if (!existsSync(folder)) return;
  for (const name of readdirSync(folder)) {
    const target = join(folder, name);
    unmountAll(target);
    // Neither of these touches what is in a volume, should it still be mounted.
    if (statSync(target).isDirectory()) rmdirSync(target);
    else rmSync(target);
  }
  rmdirSync(folder);
}
