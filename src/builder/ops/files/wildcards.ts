import { constants } from 'node:fs';
import { type ByteString, byteString, textOf } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import { compilePathPattern, hasWildcards } from '#/dockerfile/path-pattern.ts';
import { O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '#/kernel/at.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { isDirectory, statIfThere } from '#/storage/tree/walk-tree.ts';

/**
 * The paths in a tree that a source of COPY means, relative to its root: itself, or for a pattern what matches, in the order
 * of names. Links on the way to the first wildcard are followed inside the root, behind it directories only are entered.
 */
export function matchingPaths(root: string, pattern: string): ByteString[] {
  const clean = pattern.replace(/^\/+/, '');
  if (!hasWildcards(clean)) return [byteString(clean.replace(/\\(.)/gs, '$1'))];
  const parts = clean.split('/').filter((part) => part !== '');
  const fixed = parts.findIndex(hasWildcards);
  const start = byteString(parts.slice(0, fixed).join('/').replace(/\\(.)/gs, '$1'));
  using directory = openInside(root, start);
  if (directory === undefined) return [];
  return matchesIn(directory, start, parts.slice(fixed));
}

function matchesIn(directory: Directory, path: ByteString, parts: readonly string[]): ByteString[] {
  const [part = '', ...rest] = parts;
  if (part === '.') return matchesIn(directory, `${path}/.`, rest);
  const { matches } = compilePathPattern(part);
  return directory.names().flatMap((name): ByteString[] => {
    if (!matches(textOf(name))) return [];
    const found = path === '' ? name : `${path}/${name}`;
    if (rest.length === 0) return [found];
    const stat = statIfThere(directory, name);
    if (stat === undefined || !isDirectory(stat.mode)) return [];
    using inner = directory.child(name);
    return matchesIn(inner, found, rest);
  });
}

function openInside(root: string, path: ByteString): Directory | undefined {
  using top = Directory.open(root);
  try {
    return new Directory(
      openat2(top.fd, path === '' ? '.' : Buffer.from(path, 'latin1'), {
        flags: O_PATH | constants.O_DIRECTORY,
        resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
      }),
    );
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}
