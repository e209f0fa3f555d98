import { constants } from 'node:fs';
import { posix } from 'node:path';
import { type ByteString, quoted, rawBytes } from '#/base/byte-string.ts';
import { invalid, isSystemError } from '#/base/errors.ts';
import { mkdirat, O_PATH, openat2, RESOLVE_IN_ROOT, readlinkat } from '#/kernel/at.ts';
import { Directory } from '../tree/directory.ts';

/** How many directories are kept open: archives go through trees depth first. */
const cacheSize = 32;
/** Links on the way to one place; the kernel's own limit. */
const maxLinks = 40;

/** A path inside a root: the directory, and the last component in it. Both are empty for the root itself. */
export interface InnerPath {
  readonly parent: ByteString;
  readonly name: ByteString;
}

/** Takes a path of an archive apart. Throws `invalid` if ".." in it leads out. */
export function parseInnerPath(path: ByteString): InnerPath {
  const parts: ByteString[] = [];
  for (const part of path.split('/')) {
    if (part === '..' && parts.pop() === undefined)
      throw invalid(`Cannot unpack ${quoted(path)}: ".." in the name leads out`);
    if (part !== '' && part !== '.' && part !== '..') parts.push(part);
  }
  const name = parts.pop() ?? '';
  return { parent: parts.join('/'), name };
}

/** The path as one string without needless slashes; empty for the root. */
export function joined({ parent, name }: InnerPath): ByteString {
  return parent === '' ? name : `${parent}/${name}`;
}

/** Called with each directory that an archive implies but does not contain. */
export type OnImplied = (parent: Directory, inner: InnerPath) => void;

/**
 * The directory that an archive is unpacked into. Directories inside are found by the kernel with this one as the root
 * (openat2, RESOLVE_IN_ROOT): links in the tree, absolute ones too, lead to places in the tree or nowhere. What is named
 * afterwards is named from an open directory, with one component. Directories that it hands out stay open until `tidy`.
 */
export class ExtractRoot implements Disposable {
  readonly #root: Directory;
  readonly #byPath = new Map<ByteString, Directory>();
  readonly #onImplied: OnImplied;
  readonly #makesLinkTargets: boolean;
  readonly #open: Directory[] = [];

  /** `makesLinkTargets`: see `ExtractOptions`. */
  constructor(root: string, options: { readonly onImplied: OnImplied; readonly makesLinkTargets: boolean }) {
    this.#root = Directory.open(root);
    this.#onImplied = options.onImplied;
    this.#makesLinkTargets = options.makesLinkTargets;
  }

  get top(): Directory {
    return this.#root;
  }

  /** Opens a directory that must exist. Throws system errors. */
  existing(path: ByteString): Directory {
    if (path === '') return this.#root;
    const known = this.#byPath.get(path);
    if (known !== undefined) return known;
    const how = { flags: O_PATH | constants.O_DIRECTORY, resolve: RESOLVE_IN_ROOT };
    return this.#keep(path, new Directory(openat2(this.#root.fd, rawBytes(path), how)));
  }

  /** Opens a directory, making it and those above it where they are missing. */
  making(path: ByteString): Directory {
    return this.#making(path, 0);
  }

  #making(path: ByteString, links: number): Directory {
    try {
      return this.existing(path);
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
    const inner = parseInnerPath(path);
    const parent = this.#making(inner.parent, links);
    try {
      mkdirat(parent.fd, rawBytes(inner.name), 0o755);
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error;
      // The name is taken, though it leads nowhere.
      if (!this.#makesLinkTargets || links >= maxLinks)
        throw invalid(`${quoted(path)} is a link to nowhere`, error);
      const target = readlinkat(parent.fd, rawBytes(inner.name)).toString('latin1');
      return this.#making(pointed(target, inner.parent), links + 1);
    }
    this.#onImplied(parent, inner);
    return this.#keep(path, parent.child(inner.name));
  }

  /** Forgets where paths lead: call it when a name was removed. */
  forget(): void {
    this.#byPath.clear();
  }

  /** Closes what is not likely to be needed soon. Call it between entries. */
  tidy(): void {
    if (this.#open.length > cacheSize) this.#closeAll();
  }

  #keep(path: ByteString, directory: Directory): Directory {
    this.#open.push(directory);
    this.#byPath.set(path, directory);
    return directory;
  }

  #closeAll(): void {
    this.#byPath.clear();
    for (const directory of this.#open.splice(0)) directory[Symbol.dispose]();
  }

  [Symbol.dispose](): void {
    this.#closeAll();
    this.#root[Symbol.dispose]();
  }
}

/** Where a link in a directory leads, in a root that has nothing above it. */
function pointed(target: ByteString, directory: ByteString): ByteString {
  return posix.resolve('/', directory, target).slice(1);
}
