import { constants } from 'node:fs';
import { type ByteString, quoted, rawBytes } from '#/base/byte-string.ts';
import { invalid, isSystemError } from '#/base/errors.ts';
import { mkdirat, O_PATH, openat2, RESOLVE_IN_ROOT } from '#/kernel/at.ts';
import { Directory } from '../tree/directory.ts';

/** How many directories are kept open: archives go through trees depth first. */
const cacheSize = 32;

/** A path inside a root: the directory, and the last component in it. Both are empty for the root itself. */
export interface InnerPath {
  readonly parent: ByteString;
  readonly name: ByteString;
}

/** Takes a path of an archive apart. ".." is refused: no archive of files needs it. */
export function parseInnerPath(path: ByteString): InnerPath {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw invalid(`Cannot unpack ${quoted(path)}: ".." in the name`);
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
  readonly #open: Directory[] = [];

  constructor(root: string, onImplied: OnImplied) {
    this.#root = Directory.open(root);
    this.#onImplied = onImplied;
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
    try {
      return this.existing(path);
    } catch (error) {
      if (!isSystemError(error, 'ENOENT')) throw error;
    }
    const inner = parseInnerPath(path);
    const parent = this.making(inner.parent);
    try {
      mkdirat(parent.fd, rawBytes(inner.name), 0o755);
    } catch (error) {
      // The name is taken, though it leads nowhere.
      if (isSystemError(error, 'EEXIST')) throw invalid(`${quoted(path)} is a link to nowhere`, error);
      throw error;
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
