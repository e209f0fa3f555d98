import { constants } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import { fstatat, O_PATH, openat2, RESOLVE_IN_ROOT } from '#/kernel/at.ts';
import { Directory } from '../tree/directory.ts';
import { Pacer } from '../tree/pacer.ts';
import { isDirectory } from '../tree/walk-tree.ts';
import { parseInnerPath } from './extract-root.ts';
import { LowerLayers } from './lower-layers.ts';

/** The root itself among implied directories. */
export const impliedRoot: ByteString = '';

/**
 * Gives directories that an archive implied, but did not contain, the attributes that they have in the layers below. For
 * layers that were unpacked before those below were there.
 */
export async function dressImplied(
  root: string,
  implied: readonly ByteString[],
  lowers: readonly string[],
): Promise<void> {
  if (implied.length === 0 || lowers.length === 0) return;
  using top = Directory.open(root);
  using below = new LowerLayers(lowers);
  const pacer = new Pacer();
  for (const path of implied) {
    if (pacer.due) await pacer.turn();
    if (path === impliedRoot) {
      below.dressDirectory(top, { parent: '', name: '.' });
      continue;
    }
    const inner = parseInnerPath(path);
    using parent = openInside(top, inner.parent);
    if (parent !== undefined && isDirectoryIn(parent, inner.name)) below.dressDirectory(parent, inner);
  }
}

/** Undefined: a later entry took its place, or that of a directory above it. */
function openInside(top: Directory, path: ByteString): Directory | undefined {
  const how = { flags: O_PATH | constants.O_DIRECTORY, resolve: RESOLVE_IN_ROOT };
  try {
    return new Directory(openat2(top.fd, path === '' ? '.' : rawBytes(path), how));
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

function isDirectoryIn(parent: Directory, name: ByteString): boolean {
  try {
    return isDirectory(fstatat(parent.fd, rawBytes(name)).mode);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return false;
    throw error;
  }
}
