import { constants } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { invalid, isSystemError } from '#/base/errors.ts';
import { type FileStat, fstatat } from '#/kernel/at.ts';
import type { Directory } from './directory.ts';

/** Each level costs a descriptor; paths from outside that are deeper than this are nobody's files. */
export const maxDepth = 2048;

/** One file of a tree, valid until the walk goes on. */
export interface TreeEntry {
  /** The open directory that it is in. */
  readonly parent: Directory;
  readonly name: ByteString;
  /** Relative to the start, without a leading slash. */
  readonly path: ByteString;
  readonly stat: FileStat;
}

/**
 * Walks everything below `root`, a directory before its contents, siblings sorted by the bytes of their names, so that
 * equal trees give equal walks. Links are not followed. What goes while the walk is on is left out: containers write to
 * their trees. Send false (`next(false)`) to leave a directory out.
 */
export function* walkTree(root: Directory): Generator<TreeEntry, void, boolean | undefined> {
  const levels: { directory: Directory; prefix: ByteString; names: ByteString[] }[] = [];
  levels.push({ directory: root, prefix: '', names: root.names().reverse() });
  try {
    for (let top = levels.at(-1); top !== undefined; top = levels.at(-1)) {
      const name = top.names.pop();
      if (name === undefined) {
        if (top.directory !== root) top.directory[Symbol.dispose]();
        levels.pop();
        continue;
      }
      const stat = statIfThere(top.directory, name);
      if (stat === undefined) continue;
      const path = top.prefix + name;
      const descend = yield { parent: top.directory, name, path, stat };
      if (!isDirectory(stat.mode) || descend === false) continue;
      if (levels.length >= maxDepth) throw invalid(`Directory tree is deeper than ${maxDepth} levels`);
      const directory = childIfThere(top.directory, name);
      if (directory === undefined) continue;
      levels.push({ directory, prefix: `${path}/`, names: directory.names().reverse() });
    }
  } finally {
    for (const { directory } of levels) if (directory !== root) directory[Symbol.dispose]();
  }
}

/** The facts of `name` itself; undefined if there is no such thing. */
export function statIfThere(directory: Directory, name: ByteString): FileStat | undefined {
  try {
    return fstatat(directory.fd, rawBytes(name));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function childIfThere(directory: Directory, name: ByteString): Directory | undefined {
  try {
    return directory.child(name);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR')) return undefined;
    throw error;
  }
}

/** Tells whether a mode is that of a directory. */
export function isDirectory(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFDIR;
}
