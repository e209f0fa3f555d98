import { constants } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import {
  type FileStat,
  fstatat,
  O_PATH,
  openat2,
  RESOLVE_IN_ROOT,
  RESOLVE_NO_SYMLINKS,
} from '#/kernel/at.ts';
import { copyAttributes, copyNode, type Spot } from '../tree/copy-node.ts';
import { Directory } from '../tree/directory.ts';
import { isDirectory } from '../tree/walk-tree.ts';
import { type InnerPath, parseInnerPath } from './extract-root.ts';
import { isOpaque, isWhiteout } from './whiteouts.ts';

/** Something in a tree, until it is disposed of. */
export interface Found extends Disposable {
  readonly spot: Spot;
  readonly stat: FileStat;
}

/**
 * The upper directories of the layers below another one, nearest first, seen as one tree. An archive may lean on them:
 * it can leave out parent directories, or give a further name to a file that it does not contain.
 */
export class LowerLayers implements Disposable {
  readonly #paths: readonly string[];
  #opened: Directory[] | undefined;

  constructor(paths: readonly string[]) {
    this.#paths = paths;
  }

  /** What is at the path below, until it is disposed of; links are not followed. */
  find(inner: InnerPath): Found | undefined {
    for (const lower of this.#directories) {
      const parent = openBelow(lower, inner.parent);
      if (parent === 'hidden') return undefined;
      if (parent !== 'missing') {
        const stat = statIn(parent, inner.name);
        if (stat !== undefined && !isWhiteout(stat)) {
          return {
            spot: { parent, name: inner.name },
            stat,
            [Symbol.dispose]: () => parent[Symbol.dispose](),
          };
        }
        parent[Symbol.dispose]();
        if (stat !== undefined) return undefined;
      }
      if (isOpaqueAlong(lower, inner.parent)) return undefined;
    }
    return undefined;
  }

  /** Gives a directory that was just made the attributes that it has below, if it exists there. */
  dressDirectory(parent: Directory, inner: InnerPath): void {
    using found = this.find(inner);
    if (found === undefined || !isDirectory(found.stat.mode)) return;
    copyAttributes(found.spot, { parent, name: inner.name }, found.stat);
  }

  /** Copies a file from below to `to`. False: there is no such file. */
  async copyUp(inner: InnerPath, to: Spot): Promise<boolean> {
    using found = this.find(inner);
    if (found === undefined || (found.stat.mode & constants.S_IFMT) !== constants.S_IFREG) return false;
    await copyNode(found.spot, to, found.stat);
    return true;
  }

  /** Tells whether the path exists below; links in it are not followed. */
  has(inner: InnerPath): boolean {
    using found = this.find(inner);
    return found !== undefined;
  }

  /** Tells whether the path is a directory below; links in it are not followed. */
  hasDirectory(inner: InnerPath): boolean {
    using found = this.find(inner);
    return found !== undefined && isDirectory(found.stat.mode);
  }

  /** The names that exist below in the directory `path`, in the order of their bytes. */
  names(path: ByteString): ByteString[] {
    return [...this.possibleNames(path)].filter((name) => this.has({ parent: path, name })).sort();
  }

  /** As `names`, quicker, in no order, and with some that may be hidden. */
  possibleNames(path: ByteString): Set<ByteString> {
    const names = new Set<ByteString>();
    for (const lower of this.#directories) {
      const opened = openBelow(lower, path);
      if (opened === 'hidden') break;
      if (opened === 'missing') continue;
      using directory = opened;
      for (const name of directory.names()) names.add(name);
    }
    return names;
  }

  get #directories(): readonly Directory[] {
    this.#opened ??= this.#paths.map((path) => Directory.open(path));
    return this.#opened;
  }

  [Symbol.dispose](): void {
    for (const directory of this.#opened ?? []) directory[Symbol.dispose]();
  }
}

function statIn(parent: Directory, name: ByteString): FileStat | undefined {
  try {
    return fstatat(parent.fd, rawBytes(name));
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function openBelow(lower: Directory, path: ByteString): Directory | 'missing' | 'hidden' {
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

/** Tells whether `path` or a directory above it is opaque in `lower`, so that lower ones do not count. */
function isOpaqueAlong(lower: Directory, path: ByteString): boolean {
  for (let inner = parseInnerPath(path); inner.name !== ''; inner = parseInnerPath(inner.parent)) {
    const parent = openBelow(lower, inner.parent);
    if (parent === 'missing' || parent === 'hidden') continue;
    using directory = parent;
    if (statIn(directory, inner.name) !== undefined && isOpaque(directory, inner.name)) return true;
  }
  return false;
}
