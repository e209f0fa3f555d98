import { constants } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';
import { fstatat, O_PATH, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_SYMLINKS } from '#/kernel/at.ts';
import { type ByteString, rawBytes } from '../byte-string.ts';
import { copyAttributes, copyNode, type Spot } from '../tree/copy-node.ts';
import { Directory } from '../tree/directory.ts';
import { isDirectory } from '../tree/walk-tree.ts';
import type { InnerPath } from './extract-root.ts';

/**
 * The upper directories of the layers below one that is being unpacked, nearest first. An archive may lean on them: it
 * can leave out parent directories, or give a further name to a file that it does not contain.
 */
export class LowerLayers implements Disposable {
  readonly #paths: readonly string[];
  #directories: Directory[] | undefined;

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** Gives a directory that was just made the attributes that it has below, if it exists there. */
  dressDirectory(parent: Directory, inner: InnerPath): void {
    using found = this.#find(inner);
    if (found === undefined || !isDirectory(found.stat.mode)) return;
    copyAttributes(found.spot, { parent, name: inner.name }, found.stat);
  }

  /** Copies a file from below to `to`. False: there is no such file. */
  async copyUp(inner: InnerPath, to: Spot): Promise<boolean> {
    using found = this.#find(inner);
    if (found === undefined || (found.stat.mode & constants.S_IFMT) !== constants.S_IFREG) return false;
    await copyNode(found.spot, to, found.stat);
    return true;
  }

  #find(inner: InnerPath): ({ spot: Spot; stat: ReturnType<typeof fstatat> } & Disposable) | undefined {
    this.#directories ??= this.#paths.map((path) => Directory.open(path));
    for (const lower of this.#directories) {
      const parent = this.#parentIn(lower, inner.parent);
      if (parent === 'missing') continue;
      if (parent === 'hidden') return undefined;
      try {
        const stat = fstatat(parent.fd, rawBytes(inner.name));
        return { spot: { parent, name: inner.name }, stat, [Symbol.dispose]: () => parent[Symbol.dispose]() };
      } catch (error) {
        parent[Symbol.dispose]();
        if (!isSystemError(error, 'ENOENT')) throw error;
      }
    }
    return undefined;
  }

  #parentIn(lower: Directory, path: ByteString): Directory | 'missing' | 'hidden' {
    const how = { flags: O_PATH | constants.O_DIRECTORY, resolve: RESOLVE_IN_ROOT | RESOLVE_NO_SYMLINKS };
    try {
      return new Directory(openat2(lower.fd, path === '' ? '.' : rawBytes(path), how));
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return 'missing';
      // A file, whiteout or link in the place of a directory hides what is further down.
      if (isSystemError(error, 'ENOTDIR', 'ELOOP')) return 'hidden';
      throw error;
    }
  }

  [Symbol.dispose](): void {
    for (const directory of this.#directories ?? []) directory[Symbol.dispose]();
  }
}
