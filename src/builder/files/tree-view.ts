import { constants } from 'node:fs';
import { type ByteString, quoted, rawBytes } from '#/base/byte-string.ts';
import { invalid, isSystemError } from '#/base/errors.ts';
import {
  type FileStat,
  O_PATH,
  openat2,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  readlinkat,
} from '#/kernel/at.ts';
import { type Found, LowerLayers } from '#/storage/archive/lower-layers.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { isDirectory, statIfThere } from '#/storage/tree/walk-tree.ts';

/** Links on the way to one place; the kernel's own limit. */
const maxLinks = 40;
/** Bytes of a path, which bounds how many directories are open on its way; the kernel's own limit. */
const maxPath = 4095;

/** Where a path leads: the way without links, dots and needless slashes (empty is the root), and what is there. */
export interface Resolved {
  readonly path: ByteString;
  readonly kind: 'directory' | 'other' | 'missing';
}

/**
 * A tree as a process that has it as its root sees it: an overlay's upper directory over lower ones, or one directory alone.
 * Nobody else may change it meanwhile. Links lead to places in the tree or nowhere: what is opened is named without any.
 */
export class TreeView implements Disposable {
  readonly top: Directory;
  readonly #below: LowerLayers;

  constructor({ root, lowers }: { readonly root: string; readonly lowers: readonly string[] }) {
    this.#below = new LowerLayers(lowers);
    this.top = Directory.open(root);
  }

  /**
   * Follows all links of `path`, also in its last component. What is missing counts as what is to be made. Throws `invalid`
   * for too many links, or names that are too long.
   */
  resolve(path: ByteString): Resolved {
    const tooLong = (error?: unknown): Error =>
      invalid(`${quoted(path.slice(0, 200))}: file name too long`, error);
    if (path.length > maxPath) throw tooLong();
    try {
      const resolved = this.#resolve(path);
      if (resolved.path.length > maxPath) throw tooLong();
      return resolved;
    } catch (error) {
      throw isSystemError(error, 'ENAMETOOLONG') ? tooLong(error) : error;
    }
  }

  #resolve(path: ByteString): Resolved {
    const pending = path.split('/').reverse();
    const way: ByteString[] = [];
    let kind: Resolved['kind'] = 'directory';
    let links = 0;
    for (let part = pending.pop(); part !== undefined; part = pending.pop()) {
      if (part === '' || part === '.') continue;
      if (part === '..') {
        way.pop();
        kind = way.length === 0 ? 'directory' : this.#kindAt(way.join('/'));
        continue;
      }
      const next = [...way, part].join('/');
      using found: Found | undefined = kind === 'directory' ? this.find(next) : undefined;
      if (found !== undefined && isLink(found.stat)) {
        links += 1;
        if (links > maxLinks) throw invalid(`too many links in ${quoted(path)}`);
        const target = readlinkat(found.spot.parent.fd, rawBytes(found.spot.name)).toString('latin1');
        if (target.startsWith('/')) way.length = 0;
        pending.push(...target.split('/').reverse());
        continue;
      }
      way.push(part);
      kind = found === undefined ? 'missing' : isDirectory(found.stat.mode) ? 'directory' : 'other';
    }
    return { path: way.join('/'), kind };
  }

  /** What is at `path`, which is a result of `resolve` or lies in one; the last component is not followed. */
  find(path: ByteString): Found | undefined {
    const { dir, name } = splitPath(path);
    const parent = this.open(dir);
    if (parent !== undefined) {
      const stat = statIfThere(parent, name);
      if (stat !== undefined) {
        return { spot: { parent, name }, stat, [Symbol.dispose]: () => parent[Symbol.dispose]() };
      }
      parent[Symbol.dispose]();
    }
    return this.#below.find({ parent: dir, name });
  }

  /** Names that the lower directories may have in the directory `path`. */
  possibleNamesBelow(path: ByteString): ReadonlySet<ByteString> {
    return this.#below.possibleNames(path);
  }

  /** Gives a directory that was just made in the upper directory, at `path`, the attributes that it has below. */
  dress(parent: Directory, path: ByteString): void {
    const { dir, name } = splitPath(path);
    this.#below.dressDirectory(parent, { parent: dir, name });
  }

  /** The directory `path` of the upper directory, if it is there; no link is followed. */
  open(path: ByteString): Directory | undefined {
    return openInside(this.top, path);
  }

  #kindAt(path: ByteString): Resolved['kind'] {
    using found = this.find(path);
    if (found === undefined) return 'missing';
    return isDirectory(found.stat.mode) ? 'directory' : 'other';
  }

  [Symbol.dispose](): void {
    this.top[Symbol.dispose]();
    this.#below[Symbol.dispose]();
  }
}

/** Throws `invalid` for a path in a tree that goes deeper than anybody's files; each directory on the way is open. */
export function refuseDepth(path: ByteString): void {
  if (path.length > maxPath) throw invalid(`${quoted(path.slice(0, 200))}…: the tree is too deep`);
}

/** Directory and last component; both are empty for the root. */
export function splitPath(path: ByteString): { dir: ByteString; name: ByteString } {
  const slash = path.lastIndexOf('/');
  return { dir: path.slice(0, Math.max(slash, 0)), name: path.slice(slash + 1) };
}

function openInside(top: Directory, path: ByteString): Directory | undefined {
  const how = {
    flags: O_PATH | constants.O_DIRECTORY,
    resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS,
  };
  try {
    return new Directory(openat2(top.fd, path === '' ? '.' : rawBytes(path), how));
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

function isLink({ mode }: FileStat): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFLNK;
}
