import { type ByteString, quoted } from '#/base/byte-string.ts';
import { blockSize, fitsOctal, formatHeaderBlock, paddingOf, splitName } from './header-block.ts';
import { formatPax, formatPaxTime, type PaxRecord } from './pax.ts';
import { formatSparse1Map } from './sparse.ts';
import { storedSize, type TarEntryKind, type TarHeader } from './tar-entry.ts';

/** An entry to write; an entry of `readTar` is one too. */
export interface TarInput extends TarHeader {
  /** Exactly the stored bytes: see `TarEntry.body`. The chunks must not change afterwards. */
  readonly body?: AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** Small pieces are joined until there is this much, so that what follows (hash, gzip, socket) has less to do. */
const chunkSize = 64 * 1024;

const typeflags: Readonly<Record<TarEntryKind, string>> = {
  file: '0',
  hardlink: '1',
  symlink: '2',
  char: '3',
  block: '4',
  directory: '5',
  fifo: '6',
};

/** How archives are written. */
export interface WriteTarOptions {
  /**
   * Chunks, those of bodies as well as those of the result, are only valid until the next one is asked for: nothing need be
   * allocated for them.
   */
  readonly lent?: boolean;
}

/**
 * Writes an archive: plain ustar where that can say everything, else with pax headers (long names, large numbers, times
 * finer than a second, xattrs), sparse files in GNU's format 1.0. The same entries give the same bytes.
 */
export async function* writeTar(
  entries: AsyncIterable<TarInput> | Iterable<TarInput>,
  { lent = false }: WriteTarOptions = {},
): AsyncGenerator<Buffer, void, undefined> {
  const output = lent ? new CopiedPieces() : new KeptPieces();
  for await (const entry of entries) {
    yield* output.add(formatEntry(entry));
    const expected = storedSize(entry);
    let written = 0;
    for await (const chunk of entry.body ?? []) {
      written += chunk.length;
      if (written > expected) break;
      yield* output.add(Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength));
    }
    if (written !== expected) {
      const got = written > expected ? 'more' : `only ${written}`;
      throw new Error(
        `Cannot write ${quoted(entry.path)} to archive: ${expected} bytes announced, got ${got}`,
      );
    }
    if (paddingOf(expected) > 0) yield* output.add(Buffer.alloc(paddingOf(expected)));
  }
  yield* output.add(Buffer.alloc(2 * blockSize));
  yield* output.rest();
}

/** Joins pieces that do not change afterwards. */
class KeptPieces {
  #pending: Buffer[] = [];
  #size = 0;

  *add(piece: Buffer): Generator<Buffer, void, undefined> {
    this.#pending.push(piece);
    this.#size += piece.length;
    if (this.#size >= chunkSize) yield* this.rest();
  }

  *rest(): Generator<Buffer, void, undefined> {
    const pieces = this.#pending;
    if (pieces.length === 0) return;
    this.#pending = [];
    this.#size = 0;
    yield pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces);
  }
}

/** Joins pieces that are lent, in a buffer that is lent again. Large ones pass through. */
class CopiedPieces {
  readonly #buffer = Buffer.allocUnsafeSlow(chunkSize);
  #size = 0;

  *add(piece: Buffer): Generator<Buffer, void, undefined> {
    if (this.#size + piece.length > chunkSize) yield* this.rest();
    if (piece.length > chunkSize) {
      yield piece;
      return;
    }
    piece.copy(this.#buffer, this.#size);
    this.#size += piece.length;
  }

  *rest(): Generator<Buffer, void, undefined> {
    const size = this.#size;
    this.#size = 0;
    if (size > 0) yield this.#buffer.subarray(0, size);
  }
}

/** The blocks before the content of an entry. */
export function formatEntry(header: TarHeader): Buffer {
  const map = header.sparse === undefined ? undefined : formatSparse1Map(header.sparse);
  const path = header.kind === 'directory' && !header.path.endsWith('/') ? `${header.path}/` : header.path;
  const size = storedSize(header) + (map?.length ?? 0);
  const seconds = Number(header.mtime / 1_000_000_000n);
  const records: PaxRecord[] = [];

  const split = map === undefined ? splitName(path) : { prefix: '', name: besides('GNUSparseFile.0', path) };
  if (map !== undefined) {
    records.push(['GNU.sparse.major', '1'], ['GNU.sparse.minor', '0']);
    records.push(['GNU.sparse.name', path], ['GNU.sparse.realsize', String(header.size)]);
  } else if (split === undefined) {
    records.push(['path', path]);
  }
  if (header.linkPath.length > 100) records.push(['linkpath', header.linkPath]);
  if (!fitsOctal(size, 12)) records.push(['size', String(size)]);
  if (!fitsOctal(header.uid, 8)) records.push(['uid', String(header.uid)]);
  if (!fitsOctal(header.gid, 8)) records.push(['gid', String(header.gid)]);
  const plainTime = header.mtime % 1_000_000_000n === 0n && fitsOctal(seconds, 12);
  if (!plainTime) records.push(['mtime', formatPaxTime(header.mtime)]);
  if (!fitsOctal(header.devMajor, 8)) records.push(['SCHILY.devmajor', String(header.devMajor)]);
  if (!fitsOctal(header.devMinor, 8)) records.push(['SCHILY.devminor', String(header.devMinor)]);
  for (const name of [...header.xattrs.keys()].toSorted()) {
    records.push([`SCHILY.xattr.${name}`, header.xattrs.get(name)?.toString('latin1') ?? '']);
  }

  const block = formatHeaderBlock(
    {
      name: split?.name ?? path.slice(0, 100),
      mode: header.mode,
      uid: fitsOctal(header.uid, 8) ? header.uid : 0,
      gid: fitsOctal(header.gid, 8) ? header.gid : 0,
      size: fitsOctal(size, 12) ? size : 0,
      mtime: fitsOctal(seconds, 12) ? seconds : 0,
      typeflag: typeflags[header.kind],
      linkName: header.linkPath.slice(0, 100),
      devMajor: fitsOctal(header.devMajor, 8) ? header.devMajor : 0,
      devMinor: fitsOctal(header.devMinor, 8) ? header.devMinor : 0,
    },
    split?.prefix,
  );
  return Buffer.concat([...extendedHeader(path, records), block, map ?? Buffer.alloc(0)]);
}

function extendedHeader(path: ByteString, records: readonly PaxRecord[]): Buffer[] {
  if (records.length === 0) return [];
  const data = formatPax(records);
  const block = formatHeaderBlock({
    name: besides('PaxHeaders.0', path),
    mode: 0o644,
    uid: 0,
    gid: 0,
    size: data.length,
    mtime: 0,
    typeflag: 'x',
    linkName: '',
    devMajor: 0,
    devMinor: 0,
  });
  return [block, data, Buffer.alloc(paddingOf(data.length))];
}

/** The name that programs see which do not know the format: the last component of `path` in the folder `folder`. */
function besides(folder: string, path: ByteString): ByteString {
  const base = path.replace(/\/+$/, '').replace(/^.*\//s, '');
  return `${folder}/${base}`.slice(0, 100);
}
