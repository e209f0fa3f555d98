import { constants, lstatSync, openSync, readlinkSync } from 'node:fs';
import { basename, dirname, join, normalize } from 'node:path/posix';
import { invalid, isSystemError } from '#/base/errors.ts';
import {
  close,
  O_CLOEXEC,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_MAGICLINKS,
  readlinkat,
} from '#/kernel/at.ts';

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

/** As in the kernel's own lookup (MAXSYMLINKS). */
const maxLinks = 40;

/**
 * Where `path` leads in the root file system: the same path with all symbolic links resolved inside the root (also those
 * that lead to what does not exist yet), so that nobody who mounts there has to follow one. Throws `invalid` on a loop.
 */
export function resolveInRootfs(rootfs: string, path: string): string {
  const root = openSync(rootfs, O_PATH | O_CLOEXEC | constants.O_DIRECTORY);
  try {
    const rootPath = pathOf(root);
    let existing = normalize(`/${path}`);
    let missing = '';
    let links = 0;
    for (;;) {
      const real = realPath(root, existing);
      if (real !== undefined) return join('/', real.slice(rootPath.length), missing);
      const link = linkAt(root, existing);
      if (link === undefined) {
        missing = join(basename(existing), missing);
        existing = dirname(existing);
      } else {
        if (++links > maxLinks) throw invalid(`too many symbolic links in "${path}"`);
        const parent = realPath(root, dirname(existing))?.slice(rootPath.length) ?? '/';
        existing = link.startsWith('/') ? normalize(link) : join('/', parent, link);
      }
    }
  } finally {
    close(root);
  }
}

/** The target of the link at `path`; undefined if there is none. */
function linkAt(root: number, path: string): string | undefined {
  let fd: number;
  try {
    fd = openat2(root, path, {
      flags: O_PATH | constants.O_NOFOLLOW,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
  try {
    return readlinkat(fd, '').toString();
  } catch (error) {
    // Not a link: it has come into being since the lookup before.
    if (isSystemError(error, 'EINVAL', 'ENOENT')) return undefined;
    throw error;
  } finally {
    close(fd);
  }
}

function realPath(root: number, path: string): string | undefined {
  let fd: number;
  try {
    fd = openat2(root, path, { flags: O_PATH, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR') && path !== '/') return undefined;
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
