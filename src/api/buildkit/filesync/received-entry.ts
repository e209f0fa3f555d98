import { type ByteString, byteString } from '#/base/byte-string.ts';
import { invalid } from '#/base/errors.ts';
import { keptXattrs, maxPath, wrongPath, type Xattrs } from '#/builder/context/context-entry.ts';
import type { Stat } from '../messages/fsutil_pb.ts';
import { type EntryKind, kindOf, unixPermissions } from './file-mode.ts';

/** One thing in a tree that comes from somebody else, parsed: its path stays inside and its parent came before it. */
export interface ReceivedEntry {
  /** Relative, without `.`, `..` and needless slashes. */
  readonly path: ByteString;
  readonly kind: EntryKind | 'hardlink';
  /** Permissions with set-id and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Where a symbolic link leads to, or which file that came before a hard link is one of. */
  readonly linkPath: ByteString;
  /** Of files. */
  readonly xattrs: Xattrs | undefined;
}

/** Entries in one tree; more would only fill memory. */
const maxEntries = 4_000_000;

/**
 * Checks entries as they come: paths in order, each below a directory that came before, hard links only to files that did.
 * What is wrong throws `invalid` with what it was.
 */
export class EntryCheck {
  /** The directories that lead to the last entry, and how many entries there were. */
  readonly #directories: ByteString[] = [];
  #last: ByteString = '';
  #count = 0;
  readonly #files = new Set<ByteString>();

  parse(stat: Stat): ReceivedEntry {
    this.#count++;
    if (this.#count > maxEntries) throw invalid(`the tree has more than ${maxEntries} entries`);
    const path = byteString(stat.path);
    const wrong = wrongPath(path);
    if (wrong !== undefined) throw hostile(path, wrong);
    if (this.#last !== '' && orderOf(this.#last) >= orderOf(path)) {
      throw hostile(path, `comes after ${JSON.stringify(this.#last)}`);
    }
    this.#last = path;
    this.#enter(path);
    const kind = kindOf(stat.mode);
    if (kind === undefined) throw hostile(path, `has the unknown mode 0${stat.mode.toString(8)}`);
    if (kind === 'directory') this.#directories.push(path);
    const linkPath = byteString(stat.linkname);
    if (linkPath.includes('\0') || linkPath.length > maxPath) throw hostile(path, 'has an impossible link');
    if (kind === 'symlink' && linkPath === '') throw hostile(path, 'is a link to nothing');
    const isHardLink = kind === 'file' && linkPath !== '';
    if (isHardLink && !this.#files.has(linkPath)) {
      throw hostile(path, `is a link to ${JSON.stringify(linkPath)}, which did not come before`);
    }
    if (kind === 'file' && !isHardLink) this.#files.add(path);
    if (stat.size < 0n || stat.size > 2n ** 53n) throw hostile(path, `has the size ${stat.size}`);
    return {
      path,
      kind: isHardLink ? 'hardlink' : kind,
      mode: unixPermissions(stat.mode),
      uid: stat.uid,
      gid: stat.gid,
      size: kind === 'file' && !isHardLink ? Number(stat.size) : 0,
      mtime: stat.modTime,
      linkPath,
      xattrs: kind === 'file' && !isHardLink ? keptXattrs(Object.entries(stat.xattrs)) : undefined,
    };
  }

  /** Leaves directories that the path is not below; the one that remains must be its parent. */
  #enter(path: ByteString): void {
    const parent = path.slice(0, Math.max(0, path.lastIndexOf('/')));
    while (this.#directories.length > 0 && this.#directories.at(-1) !== parent) {
      const last = this.#directories.at(-1) ?? '';
      if (parent.startsWith(`${last}/`)) break;
      this.#directories.pop();
    }
    if ((this.#directories.at(-1) ?? '') !== parent) {
      throw hostile(path, `is in ${JSON.stringify(parent)}, which is no directory of the tree`);
    }
  }
}

/** Sorts as a walk does, which visits what is in a directory before what comes after the directory. */
function orderOf(path: ByteString): ByteString {
  return path.replaceAll('/', '\0');
}

function hostile(path: ByteString, what: string): Error {
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return invalid(`Cannot take the client's files: ${JSON.stringify(shown)} ${what}`);
}
