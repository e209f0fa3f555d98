import { constants, lstatSync, openSync, readlinkSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path/posix';
import { invalid, isSystemError } from '#/base/errors.ts';
import { close, O_CLOEXEC, O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '#/kernel/at.ts';

/**
 * Refuses a root file system whose /dev, /proc or /sys is something other than a directory: runtimes older than
 * CVE-2025-31133's fixes follow a link there and then mount or mask in the wrong place.
 */
export function checkRootfs(rootfs: string): void {
  for (const name of ['dev', 'proc', 'sys']) {
    const stats = lstatSync(join(rootfs, name), { throwIfNoEntry: false });
    if (stats !== undefined && !stats.isDirectory()) {
      throw invalid(`the image is not safe to run: /${name} is not a directory`);
    }
  }
}

/**
 * Where `path` leads in the root file system: the same path with the symbolic links of its existing part resolved
 * inside the root, so that nobody who mounts there has to follow one.
 */
export function resolveInRootfs(rootfs: string, path: string): string {
  const root = openSync(rootfs, O_PATH | O_CLOEXEC | constants.O_DIRECTORY);
  try {
    const rootPath = pathOf(root);
    let existing = normalize(`/${path}`);
    let missing = '';
    for (;;) {
      const real = realPath(root, existing);
      if (real !== undefined)
        return normalize(`/${real.slice(rootPath.length)}/${missing}`).replace(/(.)\/$/, '$1');
      missing = join(existing.slice(dirname(existing).length), missing);
      existing = dirname(existing);
    }
  } finally {
    close(root);
  }
}

function realPath(root: number, path: string): string | undefined {
  let fd: number;
  try {
    fd = openat2(root, path, { flags: O_PATH, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS });
  } catch (error) {
    if (isSystemError(error, 'ENOENT') && path !== '/') return undefined;
    throw error;
  }
  try {
    return pathOf(fd);
  } finally {
    close(fd);
  }
}

function pathOf(fd: number): string {
  const path = readlinkSync(`/proc/self/fd/${fd}`);
  return path === '/' ? '' : path;
}
