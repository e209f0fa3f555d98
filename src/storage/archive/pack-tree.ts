import { constants } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { readlinkat } from '#/kernel/at.ts';
import { hasXattrs } from '#/kernel/files.ts';
import { blockSize, paddingOf } from '#/tar/header-block.ts';
import { type DataRun, fileHeader, storedSize, type TarEntryKind, type TarHeader } from '#/tar/tar-entry.ts';
import { formatEntry } from '#/tar/tar-writer.ts';
import { dataRuns } from '../tree/copy-node.ts';
import { openForReading, type ReadableFile } from '../tree/open-file.ts';
import { Pacer } from '../tree/pacer.ts';
import type { TreeEntry } from '../tree/walk-tree.ts';
import { xattrsOf } from '../tree/xattrs.ts';
import { type PackItem, type PackSource, packItems } from './pack-source.ts';
import { opaqueMarker, whiteoutPrefix } from './whiteouts.ts';

/** How to pack. */
export interface PackOptions {
  /** Times after this one are packed as this one: SOURCE_DATE_EPOCH, in seconds. */
  readonly newest?: number | undefined;
}

/** Archives come in pieces of this size. */
export const packChunkSize: number = 256 * 1024;

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
 * An archive of everything in the directory `source` (not of the directory itself), or of what the source describes. Equal
 * trees give equal archives: names are sorted, times cut to seconds, whiteouts have none. Sockets are left out, as in
 * Docker. The tree may change meanwhile: links are never followed, a file that shrinks is filled up with zeros. Shares the
 * event loop.
 */
export async function* packTree(
  source: string | PackSource,
  options: PackOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const pacer = new Pacer();
  const what: PackSource = typeof source === 'string' ? { kind: 'tree', path: source } : source;
  for (const chunk of packChunks(what, options, () => Buffer.allocUnsafe(packChunkSize))) {
    yield chunk;
    if (pacer.due) await pacer.turn();
  }
}

/**
 * The archive in pieces that fill the buffers `next` gives; it may give the same one each time, if each piece is used before
 * the next one is asked for. Returns how many bytes of file content are in it.
 */
export function* packChunks(
  source: PackSource,
  { newest }: PackOptions,
  next: () => Buffer,
): Generator<Buffer, number, undefined> {
  let content = 0;
  const firsts = new Map<bigint, ByteString>();
  const chunks = new Chunks(next);
  const latest = newest === undefined ? undefined : BigInt(newest) * 1_000_000_000n;
  for (const item of packItems(source)) {
    using file = item.kind === 'there' && isFilled(item.entry) ? openForReading(item.entry) : undefined;
    const header = headerOf(item, file, firsts);
    if (header === undefined) continue;
    const mtime = latest !== undefined && header.mtime > latest ? latest : header.mtime;
    yield* chunks.put(formatEntry({ ...header, mtime }));
    if (file === undefined || header.kind !== 'file') continue;
    yield* chunks.putFile(file, header.sparse ?? [{ offset: 0, length: header.size }]);
    content += storedSize(header);
    yield* chunks.putZeros(paddingOf(storedSize(header)));
  }
  yield* chunks.putZeros(2 * blockSize);
  if (chunks.pending.length > 0) yield chunks.pending;
  return content;
}

/** Fills buffers. */
class Chunks {
  readonly #next: () => Buffer;
  #buffer: Buffer;
  #used = 0;

  constructor(next: () => Buffer) {
    this.#next = next;
    this.#buffer = next();
  }

  get pending(): Buffer {
    return this.#buffer.subarray(0, this.#used);
  }

  *put(bytes: Buffer): Generator<Buffer, void, undefined> {
    for (let done = 0; done < bytes.length; ) {
      const length = bytes.copy(this.#buffer, this.#used, done);
      done += length;
      yield* this.#add(length);
    }
  }

  *putZeros(count: number): Generator<Buffer, void, undefined> {
    for (let left = count; left > 0; ) {
      const room = this.#buffer.subarray(this.#used, this.#used + left);
      room.fill(0);
      left -= room.length;
      yield* this.#add(room.length);
    }
  }

  /** Exactly the bytes that were announced, whatever has become of the file. */
  *putFile(file: ReadableFile, runs: readonly DataRun[]): Generator<Buffer, void, undefined> {
    for (const { offset, length } of runs) {
      for (let done = 0; done < length; ) {
        const room = this.#buffer.subarray(this.#used, this.#used + length - done);
        const got = file.read(room, offset + done);
        if (got < room.length) room.fill(0, got);
        done += room.length;
        yield* this.#add(room.length);
      }
    }
  }

  *#add(length: number): Generator<Buffer, void, undefined> {
    this.#used += length;
    if (this.#used < this.#buffer.length) return;
    yield this.#buffer;
    this.#buffer = this.#next();
    this.#used = 0;
  }
}

function isFilled({ stat }: TreeEntry): boolean {
  return (stat.mode & constants.S_IFMT) === constants.S_IFREG && stat.size > 0;
}

/** Undefined for a socket. `file` is open if it has content; `firsts` has the names of files that were packed before, by inode. */
function headerOf(
  item: PackItem,
  file: ReadableFile | undefined,
  firsts: Map<bigint, ByteString>,
): TarHeader | undefined {
  if (item.kind === 'gone') return whiteout(`${item.parent}${whiteoutPrefix}${item.name}`);
  if (item.kind === 'opaque') return whiteout(`${item.path}/${opaqueMarker}`);
  const { stat, path } = item.entry;
  const kind = kinds.get(stat.mode & constants.S_IFMT);
  if (kind === undefined) return undefined;
  if (kind !== 'directory' && stat.nlink > 1) {
    const first = firsts.get(stat.ino);
    if (first !== undefined) return { ...described(item.entry, 'hardlink', undefined), linkPath: first };
    firsts.set(stat.ino, path);
  }
  const header = described(item.entry, kind, file);
  const mayBeSparse = file !== undefined && stat.size - stat.blocks * 512 >= minHoles;
  const runs = mayBeSparse ? runsOf(file, header.size) : undefined;
  return runs === undefined ? header : { ...header, sparse: runs };
}

function whiteout(path: ByteString): TarHeader {
  return { ...fileHeader(path, 0), mode: 0o600 };
}

const noXattrs: ReadonlyMap<ByteString, Buffer> = new Map();

function described(found: TreeEntry, kind: TarEntryKind, file: ReadableFile | undefined): TarHeader {
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
    xattrs: kind === 'hardlink' || (file !== undefined && !hasXattrs(file.fd)) ? noXattrs : xattrsOf(found),
  };
}

function runsOf(file: ReadableFile, size: number): DataRun[] | undefined {
  if (!file.isFile) return undefined;
  const runs = [...dataRuns(file.fd, size).take(maxRuns + 1)];
  return runs.length > maxRuns ? undefined : runs;
}

function wholeSeconds(nanoseconds: bigint): bigint {
  return nanoseconds - (((nanoseconds % 1_000_000_000n) + 1_000_000_000n) % 1_000_000_000n);
}
