import { constants } from 'node:fs';
import { invalid } from '#/base/errors.ts';
import { type FileStat, fstatat } from '#/kernel/at.ts';
import { type ByteString, rawBytes } from '../byte-string.ts';
import type { Directory } from './directory.ts';

/** Each level costs a descriptor; paths from outside that are deeper than this are nobody's files. */
const maxDepth = 2048;

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
 * equal trees give equal walks. Links are not followed. Send false (`next(false)`) to leave a directory out.
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
      const stat = fstatat(top.directory.fd, rawBytes(name));
      const path = top.prefix + name;
      const descend = yield { parent: top.directory, name, path, stat };
      if (!isDirectory(stat.mode) || descend === false) continue;
      if (levels.length >= maxDepth) throw invalid(`Directory tree is deeper than ${maxDepth} levels`);
      const directory = top.directory.child(name);
      levels.push({ directory, prefix: `${path}/`, names: directory.names().reverse() });
    }
  } finally {
    for (const { directory } of levels) if (directory !== root) directory[Symbol.dispose]();
  }
}

/** Tells whether a mode is that of a directory. */
export function isDirectory(mode: number): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFDIR;
}
