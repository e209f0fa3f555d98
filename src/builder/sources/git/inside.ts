import { constants } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';
import { O_PATH, openat2, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from '#/kernel/at.ts';
import { Directory } from '#/storage/tree/directory.ts';

/** The directory `path` below `top`, found without following a link or leaving `top`; undefined if it is not one. */
export function insideOf(top: Directory, path: string): Directory | undefined {
  const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
  const resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS;
  try {
    return new Directory(openat2(top.fd, path === '' ? '.' : path, { flags, resolve }));
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EXDEV', 'ENAMETOOLONG')) return undefined;
    throw error;
  }
}
