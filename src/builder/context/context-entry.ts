import { type ByteString, quoted } from '#/base/byte-string.ts';
import { invalid, tooLarge } from '#/base/errors.ts';

/** What a client says of one thing in its tree. */
export interface ContextEntry {
  /** Relative; directories come before what is in them. */
  readonly path: ByteString;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'socket' | 'device';
  /** 07777. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of a file. */
  readonly size: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  /** Where a symbolic link leads, or which file that came before this is a further name of. */
  readonly linkPath: ByteString;
  /** Extended attributes of a file, those that `keptXattrs` leaves; undefined for none. */
  readonly xattrs?: Xattrs | undefined;
}

/** Values by name. */
export type Xattrs = ReadonlyMap<string, Uint8Array>;

/** Bytes of a path, as Linux has them. */
export const maxPath: number = 4096;
const maxName = 255;
const maxId = 2 ** 32 - 2;
/** Of one file; what file systems keep is less. Bytes of names and values. */
const maxXattrBytes = 64 * 1024;
const maxXattrs = 64;

/**
 * What of a client's extended attributes is taken: capabilities of programs and users' own. Others steer this machine: files of
 * contexts become names in upper directories, where overlayfs believes its own. The values are copies.
 */
export function keptXattrs(given: Iterable<readonly [string, Uint8Array]>): Xattrs | undefined {
  const kept = [...given].filter(
    ([name]) =>
      name === 'security.capability' || (name.startsWith('user.') && !name.startsWith('user.overlay.')),
  );
  if (kept.length === 0) return undefined;
  return new Map(
    kept
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, value]) => [name, new Uint8Array(value)] as const),
  );
}

/** Whether two files have the same ones. */
export function sameXattrs(one: Xattrs | undefined, other: Xattrs | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return (
    one.size === other.size &&
    [...one].every(([name, value]) => Buffer.compare(value, other.get(name) ?? new Uint8Array()) === 0)
  );
}

/**
 * Checks the entries of one tree: they name no place outside of it, each once, each in a directory that came before. Throws
 * `invalid` for what is wrong, `tooLarge` for too many.
 */
export class ContextEntries {
  /** By path, in the order in which they came. */
  readonly seen: Map<ByteString, ContextEntry> = new Map();
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  add(entry: ContextEntry): void {
    const { path } = entry;
    const wrong = wrongPath(path) ?? this.#wrongPlace(entry) ?? wrongFacts(entry);
    if (wrong !== undefined) {
      const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
      throw invalid(`Cannot take files of the build context: ${quoted(shown)} ${wrong}`);
    }
    if (this.seen.size >= this.#limit) {
      throw tooLarge(`Cannot take files of the build context: there are more than ${this.#limit}`);
    }
    this.seen.set(path, entry);
  }

  #wrongPlace({ path, kind, linkPath }: ContextEntry): string | undefined {
    if (this.seen.has(path)) return 'comes twice';
    const parent = path.slice(0, Math.max(path.lastIndexOf('/'), 0));
    if (parent !== '' && this.seen.get(parent)?.kind !== 'directory') {
      return `is in ${quoted(parent)}, which is no directory of it`;
    }
    if (kind === 'hardlink' && this.seen.get(linkPath)?.kind !== 'file') {
      return `is a further name of ${quoted(linkPath.slice(0, 200))}, which is no file that came before`;
    }
    return undefined;
  }
}

/** Why a tree of somebody else's may have nothing of this path; undefined if it may. */
export function wrongPath(path: ByteString): string | undefined {
  if (path === '') return 'has no name';
  if (path.length > maxPath) return 'is too long';
  if (path.includes('\0')) return 'has a NUL byte';
  for (const part of path.split('/')) {
    if (part === '') return 'is not relative to it, or has an empty component';
    if (part === '.' || part === '..') return `has the component "${part}"`;
    if (part.length > maxName) return 'has a component that is too long';
  }
  return undefined;
}

function wrongFacts({
  kind,
  mode,
  uid,
  gid,
  size,
  mtime,
  linkPath,
  xattrs,
}: ContextEntry): string | undefined {
  if (kind === 'device') return 'is a device';
  if (!isWhole(mode, 0o7777)) return 'has impossible permissions';
  if (!isWhole(uid, maxId) || !isWhole(gid, maxId)) return 'has an impossible owner';
  if (!isWhole(size, Number.MAX_SAFE_INTEGER)) return 'has an impossible size';
  if (mtime < -(2n ** 62n) || mtime > 2n ** 62n) return 'has an impossible time';
  if (kind === 'symlink' && (linkPath === '' || linkPath.length > maxPath || linkPath.includes('\0'))) {
    return 'is a link to an impossible place';
  }
  if (xattrs !== undefined) return wrongXattrs(xattrs);
  return undefined;
}

function isWhole(value: number, most: number): boolean {
  return Number.isSafeInteger(value) && value >= 0 && value <= most;
}

function wrongXattrs(xattrs: Xattrs): string | undefined {
  let bytes = 0;
  for (const [name, value] of xattrs) {
    if (Buffer.byteLength(name) > maxName || name.includes('\0'))
      return 'has an impossible extended attribute';
    bytes += Buffer.byteLength(name) + value.length;
  }
  if (xattrs.size > maxXattrs || bytes > maxXattrBytes) return 'has too many extended attributes';
  return undefined;
}
