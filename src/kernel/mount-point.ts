import { rmdirSync } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';
import { unmount } from './mount.ts';

/**
 * Unmounts everything on `path` and removes the empty directory. Should something still be mounted, rmdir refuses, and
 * nothing of the container's files is touched.
 */
export function dropMountPoint(path: string): void {
  unmountAll(path);
  try {
    rmdirSync(path);
  } catch (error) {
    if (!isSystemError(error, 'ENOENT')) throw error;
  }
}

/** Unmounts everything on `path`, which need not exist. */
export function unmountAll(path: string): void {
  for (let mounted = 0; mounted < 64 && tryUnmount(path); mounted += 1);
}

function tryUnmount(path: string): boolean {
  try {
    unmount(path, { detach: true });
    return true;
  } catch (error) {
    if (isSystemError(error, 'EINVAL', 'ENOENT')) return false;
    throw error;
  }
}
