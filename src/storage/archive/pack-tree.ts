import { constants, fstatSync, readSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { close, type FileStat, openat2, readlinkat } from '#/kernel/at.ts';
import { lgetxattr, llistxattr } from '#/kernel/files.ts';
import { type DataRun, fileHeader, type TarEntryKind, type TarHeader } from '#/tar/tar-entry.ts';
import { type TarInput, writeTar } from '#/tar/tar-writer.ts';
import { dataRuns, type Spot } from '../tree/copy-node.ts';
import { Directory } from '../tree/directory.ts';
import { Pacer } from '../tree/pacer.ts';
import { isDirectory, type TreeEntry, walkTree } from '../tree/walk-tree.ts';
import { isOpaque, isReservedXattr, isWhiteout, opaqueMarker, whiteoutPrefix } from './whiteouts.ts';

/** How to make an archive of a directory. */
export interface PackOptions {
  /** `overlay`: the directory is an upper one; its whiteouts become those of archives. Default `none`. */
  readonly whiteouts?: 'overlay' | 'none';
}

const readSize = 256 * 1024;

/** Holes that are worth the sparse format, in bytes; and a map that is not too long for readers. */
const minHoles = 64 * 1024;
const maxRuns = 10_000;

const kinds: ReadonlyMap<number, TarEntryKind> = new Map([
  [constants.S_IFREG, 'file'],
  [constants.S_IFDIR, 'directory'],
  [constants.S_IFLNK, 'symlink'],
  [constants.S_IFCHR, 'char'],
  [constants.S_IFBLK, 'block'],
  [constants.S_IFIFO, 'fifo'],
]);

/**
 * An archive of everything in the directory at `path`, not of the directory itself. Equal trees give equal archives:
 * names are sorted and times cut to seconds. Sockets are left out, as in Docker. The tree may change meanwhile: links are
 * never followed, a file that shrinks is filled up with zeros. Shares the event loop.
 */
export function packTree(path: string, options: PackOptions = {}): AsyncGenerator<Buffer, void, undefined> {
  return writeTar(treeEntries(path, options));
}

async function* treeEntries(
  path: string,
  { whiteouts = 'none' }: PackOptions = {},
): AsyncGenerator<TarInput, void, undefined> {
  using root = Directory.open(path);
  const pacer = new Pacer();
  const firsts = new Map<bigint, ByteString>();
  for (const found of walkTree(root)) {
    if (pacer.due) await pacer.turn();
    const { stat } = found;
    if (whiteouts === 'overlay' && isWhiteout(stat)) {
      yield whiteoutEntry(found.path.slice(0, -found.name.length) + whiteoutPrefix + found.name, stat);
      continue;
    }
    const kind = kinds.get(stat.mode & constants.S_IFMT);
    if (kind === undefined) continue;
    const first = kind !== 'directory' && stat.nlink > 1 ? firsts.get(stat.ino) : undefined;
    if (first !== undefined) {
      yield { ...headerOf(found, 'hardlink'), linkPath: first };
      continue;
    }
    if (kind !== 'directory' && stat.nlink > 1) firsts.set(stat.ino, found.path);
    if (kind === 'file') {
      yield fileEntry(found);
      continue;
    }
    yield headerOf(found, kind);
    if (whiteouts === 'overlay' && isDirectory(stat.mode) && isOpaque(found.parent, found.name)) {
      yield whiteoutEntry(`${found.path}/${opaqueMarker}`, stat);
    }
  }
}

function whiteoutEntry(path: ByteString, stat: FileStat): TarHeader {
  return { ...fileHeader(path, 0), mode: 0o600, mtime: wholeSeconds(stat.mtime) };
}

function headerOf(found: TreeEntry, kind: TarEntryKind): TarHeader {
  const { stat, parent, name, path } = found;
  const device = kind === 'char' || kind === 'block';
  return {
    kind,
    path,
    linkPath: kind === 'symlink' ? readlinkat(parent.fd, rawBytes(name)).toString('latin1') : '',
    mode: stat.mode & 0o7777,
    uid: stat.uid,
    gid: stat.gid,
    size: kind === 'file' ? stat.size : 0,
    mtime: wholeSeconds(stat.mtime),
    devMajor: device ? stat.rdev.major : 0,
    devMinor: device ? stat.rdev.minor : 0,
    xattrs: kind === 'hardlink' ? new Map() : xattrsOf(found),
  };
}

function fileEntry(found: TreeEntry): TarInput {
  const header = headerOf(found, 'file');
  const runs = found.stat.size - found.stat.blocks * 512 >= minHoles ? runsOf(found, header.size) : undefined;
  if (runs === undefined) return { ...header, body: content(found, [{ offset: 0, length: header.size }]) };
  return { ...header, sparse: runs, body: content(found, runs) };
}

/** A tree in use can have anything in a file's place by now: do not wait for the other end of a FIFO. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

function runsOf({ parent, name }: Spot, size: number): DataRun[] | undefined {
  const fd = openat2(parent.fd, rawBytes(name), { flags: readFlags });
  try {
    if (!fstatSync(fd).isFile()) return undefined;
    const runs = [...dataRuns(fd, size).take(maxRuns + 1)];
    return runs.length > maxRuns ? undefined : runs;
  } finally {
    close(fd);
  }
}

async function* content(
  { parent, name }: Spot,
  runs: readonly DataRun[],
): AsyncGenerator<Buffer, void, undefined> {
  const fd = openat2(parent.fd, rawBytes(name), { flags: readFlags });
  try {
    const isFile = fstatSync(fd).isFile();
    for (const { offset, length } of runs) {
      for (let done = 0; done < length; ) {
        const buffer = Buffer.allocUnsafe(Math.min(readSize, length - done));
        const got = isFile ? readSync(fd, buffer, 0, buffer.length, offset + done) : 0;
        yield got === 0 ? buffer.fill(0) : buffer.subarray(0, got);
        done += got === 0 ? buffer.length : got;
        // A large file is read in many pieces, each of which takes a moment.
        if (done < length) await turn();
      }
    }
  } finally {
    close(fd);
  }
}

function xattrsOf({ parent, name }: Spot): ReadonlyMap<ByteString, Buffer> {
  const path = parent.pathOf(name);
  const xattrs = new Map<ByteString, Buffer>();
  for (const raw of llistxattr(path)) {
    const xattr = raw.toString('latin1');
    const value = isReservedXattr(xattr) ? undefined : lgetxattr(path, raw);
    // No value any more: it was removed meanwhile. An empty one cannot be told from none in an archive.
    if (value !== undefined && value.length > 0) xattrs.set(xattr, value);
  }
  return xattrs;
}

function wholeSeconds(nanoseconds: bigint): bigint {
  return nanoseconds - (((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
}
