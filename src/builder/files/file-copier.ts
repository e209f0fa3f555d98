import { constants } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { internal, invalid, isSystemError } from '#/base/errors.ts';
import {
  close,
  type FileStat,
  linkat,
  mknodat,
  openat2,
  readlinkat,
  symlinkat,
  unlinkat,
} from '#/kernel/at.ts';
import { makedev } from '#/kernel/files.ts';
import { copyContent, type Spot } from '#/storage/tree/copy-node.ts';
import type { Directory } from '#/storage/tree/directory.ts';
import { dressFile } from '#/storage/tree/dress-file.ts';
import { openForReading } from '#/storage/tree/open-file.ts';
import { isDirectory, statIfThere } from '#/storage/tree/walk-tree.ts';
import { type AttributeRules, copyXattrs, dress, setTimes } from './attributes.ts';
import { shown, type TargetDirectory } from './target-directory.ts';

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/** A file that is there, to be copied. */
export interface SourceFile extends Spot {
  readonly stat: FileStat;
}

/** Where a file goes. */
export interface FilePlace {
  readonly directory: TargetDirectory;
  readonly name: ByteString;
}

/** Copies what is not a directory. */
export class FileCopier {
  files = 0;
  bytes = 0;
  readonly #top: Directory;
  readonly #rules: AttributeRules;
  #mayLink: boolean;
  /** The first names in the target of files with several names, as far as they are below one path of the source. */
  readonly #firsts = new Map<string, ByteString>();
  /** Files of the source that names in the target are, from paths before this one, and from this one. */
  readonly #given: Set<string>;
  readonly #giving = new Set<string>();

  /** `top` is the root of the target. `isShared`, `given`: see `CopyRequest`. */
  constructor(
    top: Directory,
    options: { readonly rules: AttributeRules; readonly isShared: boolean; readonly given: Iterable<string> },
  ) {
    this.#top = top;
    this.#rules = options.rules;
    this.#mayLink = options.isShared;
    this.#given = new Set(options.given);
  }

  /** See `CopyResult`. */
  get given(): string[] {
    return [...this.#given.union(this.#giving)];
  }

  /** What is copied from here on are files of their own, whatever of the source was copied before. */
  nextPath(): void {
    for (const file of this.#giving) this.#given.add(file);
    this.#giving.clear();
    this.#firsts.clear();
  }

  /** Copies one; what is in its place goes first. Throws `invalid` if that is a directory, and system errors. */
  async copy(from: SourceFile, place: FilePlace): Promise<void> {
    const { directory, name } = place;
    const to = { parent: directory.open(), name };
    if (directory.kindBelow(name) === 'directory') throw cannotReplace(place);
    this.files += 1;
    this.bytes += isFile(from.stat) ? from.stat.size : 0;
    const remove = (): void => removeFile(to, place);
    if (this.#linkSource(from, to, remove) || this.#linkFirst(from, { to, path: pathOf(place), remove }))
      return;
    await this.#make(from, to, remove);
  }

  /** Gives the source a further name, where that makes just what a copy would be. */
  #linkSource(from: SourceFile, to: Spot, remove: () => void): boolean {
    if (!this.#mayLink || !isFile(from.stat) || !this.#rules.keeps(from.stat)) return false;
    const file = identity(from.stat);
    if (this.#given.has(file)) return false;
    const source = { dirfd: from.parent.fd, path: rawBytes(from.name) };
    try {
      replacing(() => linkat(source, { dirfd: to.parent.fd, path: rawBytes(to.name) }), remove);
      this.#giving.add(file);
      return true;
    } catch (error) {
      // The file has as many names as the file system can count.
      if (isSystemError(error, 'EMLINK')) return false;
      if (!isSystemError(error, 'EXDEV', 'EPERM', 'EOPNOTSUPP')) throw error;
      this.#mayLink = false;
      return false;
    }
  }

  /** Gives a file that was copied already a further name, if the source is one of its names. */
  #linkFirst(
    { stat }: SourceFile,
    { to, path, remove }: { to: Spot; path: ByteString; remove: () => void },
  ): boolean {
    if (stat.nlink < 2) return false;
    const key = identity(stat);
    const first = this.#firsts.get(key);
    if (first === undefined || first === path) {
      this.#firsts.set(key, path);
      return false;
    }
    const source = { dirfd: this.#top.fd, path: rawBytes(first) };
    replacing(() => linkat(source, { dirfd: to.parent.fd, path: rawBytes(to.name) }), remove);
    return true;
  }

  async #make(from: SourceFile, to: Spot, remove: () => void): Promise<void> {
    const name = rawBytes(to.name);
    const { fd } = to.parent;
    const { stat } = from;
    const attributes = this.#rules.of(stat);
    switch (stat.mode & constants.S_IFMT) {
      case constants.S_IFREG:
        return this.#makeFile(from, to, remove);
      case constants.S_IFLNK: {
        const target = readlinkat(from.parent.fd, rawBytes(from.name));
        replacing(() => symlinkat(target, fd, name), remove);
        dress(to, from, { attributes, isLink: true });
        break;
      }
      default: {
        const device = makedev(stat.rdev.major, stat.rdev.minor);
        const mode = (stat.mode & constants.S_IFMT) | 0o600;
        replacing(() => mknodat(fd, name, { mode, device }), remove);
        dress(to, from, { attributes, isLink: false });
      }
    }
    setTimes(to, attributes);
  }

  async #makeFile(from: SourceFile, to: Spot, remove: () => void): Promise<void> {
    using input = openForReading(from);
    if (!input.isFile) throw internal(`"${from.name}" was replaced while it was copied`);
    const attributes = this.#rules.of(from.stat);
    const how = { flags: newFile, mode: attributes.mode & 0o777 };
    const output = replacing(() => openat2(to.parent.fd, rawBytes(to.name), how), remove);
    try {
      await copyContent(input.fd, output, from.stat);
      dressFile(output, attributes);
    } finally {
      close(output);
    }
    copyXattrs(to, from);
  }
}

/** Makes something; what has the name already is removed first. */
function replacing<T>(make: () => T, remove: () => void): T {
  try {
    return make();
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
    remove();
    return make();
  }
}

function removeFile({ parent, name }: Spot, place: FilePlace): void {
  const stat = statIfThere(parent, name);
  if (stat !== undefined && isDirectory(stat.mode)) throw cannotReplace(place);
  unlinkat(parent.fd, rawBytes(name));
}

function cannotReplace(place: FilePlace): Error {
  return invalid(`cannot replace to directory ${shown(pathOf(place))} with file`);
}

function pathOf({ directory, name }: FilePlace): ByteString {
  return directory.path === '' ? name : `${directory.path}/${name}`;
}

/** Names a file, among all there are. */
function identity({ dev, ino }: FileStat): string {
  return `${dev.major}:${dev.minor}:${ino}`;
}

function isFile({ mode }: FileStat): boolean {
  return (mode & constants.S_IFMT) === constants.S_IFREG;
}
