import { type ByteString, quoted } from '#/base/byte-string.ts';
import { invalid, tooLarge } from '#/base/errors.ts';
import { ByteSource, truncated } from './byte-source.ts';
import { blockSize, type HeaderBlock, paddingOf, parseHeaderBlock } from './header-block.ts';
import { type PaxRecord, parsePax, paxInteger, paxTime } from './pax.ts';
import { isSparse1, paxSparseMap, readOldSparseMap, readSparse1Map, type SparseMap } from './sparse.ts';
import type { TarEntry, TarEntryKind, TarHeader } from './tar-entry.ts';

/** Bounds on what an archive may make its reader do. */
export interface TarLimits {
  /** Header blocks of any kind. Default 2,000,000: a reader keeps something of each in memory. */
  readonly maxEntries?: number;
  /** Bytes of each long name, extended header or sparse map, and of all global headers. Default 1 MiB. */
  readonly maxMetadata?: number;
}

const kinds: ReadonlyMap<string, TarEntryKind> = new Map([
  ['\0', 'file'],
  ['0', 'file'],
  ['7', 'file'], // "contiguous file"
  ['S', 'file'], // GNU's old sparse file
  ['1', 'hardlink'],
  ['2', 'symlink'],
  ['3', 'char'],
  ['4', 'block'],
  ['5', 'directory'],
  ['D', 'directory'], // GNU incremental backup: a list of names follows
  ['6', 'fifo'],
]);

/** 2^32 - 1 is -1, which means "leave as it is" to chown(2). */
const maxId = 2 ** 32 - 2;

/** What the headers before an entry said about it. */
interface Extensions {
  records: PaxRecord[];
  longName: ByteString | undefined;
  longLink: ByteString | undefined;
}

/**
 * Reads an uncompressed archive: ustar, pax and GNU (long names, large numbers, all sparse formats), Version 7 too.
 * Yields the entries in order, whole stream read to its end (the end mark, and padding before it, may be missing); the content of each must be read before the next. Names
 * are not checked here. `tap` sees every byte of the archive, in order. Throws EngineError `invalid` for anything malformed, `tooLarge` beyond the limits.
 */
export async function* readTar(
  source: AsyncIterable<Uint8Array>,
  limits: TarLimits = {},
  tap?: (piece: Buffer) => void,
): AsyncGenerator<TarEntry, void, undefined> {
  const bytes = new ByteSource(source, tap);
  const parser = new HeaderParser(bytes, limits);
  try {
    for (;;) {
      const next = await parser.next();
      if (next === undefined) break;
      const body = new EntryBody(bytes, next.stored);
      yield { ...next.header, body };
      await body.skip();
      // Docker's own client ends archives without it.
      if (!(await bytes.skipIfThere(paddingOf(next.stored)))) return;
    }
    await bytes.drain();
  } finally {
    await bytes.close();
  }
}

class EntryBody implements AsyncIterable<Uint8Array> {
  readonly #source: ByteSource;
  #left: number;

  constructor(source: ByteSource, size: number) {
    this.#source = source;
    this.#left = size;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Uint8Array, void, undefined> {
    while (this.#left > 0) {
      const piece = await this.#source.some(this.#left);
      if (piece === undefined) throw truncated();
      this.#left -= piece.length;
      yield piece;
    }
  }

  async skip(): Promise<void> {
    const left = this.#left;
    this.#left = 0;
    await this.#source.skip(left);
  }
}

/** Reads header blocks and everything that extends them, up to the content of the next entry. */
class HeaderParser {
  readonly #source: ByteSource;
  readonly #maxEntries: number;
  readonly #maxMetadata: number;
  readonly #globals = new Map<ByteString, ByteString>();
  #globalBytes = 0;
  #headers = 0;

  constructor(source: ByteSource, limits: TarLimits) {
    this.#source = source;
    this.#maxEntries = limits.maxEntries ?? 2_000_000;
    this.#maxMetadata = limits.maxMetadata ?? 1024 * 1024;
  }

  /** The next entry and how many bytes of content follow; undefined at the end of the archive. */
  async next(): Promise<{ header: TarHeader; stored: number } | undefined> {
    const extensions: Extensions = { records: [], longName: undefined, longLink: undefined };
    for (;;) {
      const block = await this.#source.exactly(blockSize);
      const header = block && parseHeaderBlock(block);
      if (block === undefined || header === undefined) return undefined;
      this.#headers += 1;
      if (this.#headers > this.#maxEntries) {
        throw tooLarge(`Cannot read archive: it has more than ${this.#maxEntries} headers`);
      }
      if (!(await this.#extend(header, extensions))) return this.#entry(block, header, extensions);
    }
  }

  /** Takes in a header that only says something about the next one. False: it is an entry of its own. */
  async #extend(header: HeaderBlock, extensions: Extensions): Promise<boolean> {
    switch (header.typeflag) {
      case 'x':
      case 'X': // Solaris
        extensions.records = parsePax(await this.#metadata(header.size));
        return true;
      case 'g':
        this.#setGlobals(parsePax(await this.#metadata(header.size)));
        return true;
      case 'L':
        extensions.longName = untilNul(await this.#metadata(header.size));
        return true;
      case 'K':
        extensions.longLink = untilNul(await this.#metadata(header.size));
        return true;
      case 'V': // GNU volume label
        await this.#metadata(header.size);
        return true;
      default:
        return false;
    }
  }

  async #metadata(size: number): Promise<Buffer> {
    if (size < 0) throw invalid('Cannot read archive: negative size in a header');
    if (size > this.#maxMetadata) {
      throw tooLarge(
        `Cannot read archive: a header is extended by ${size} bytes, more than ${this.#maxMetadata}`,
      );
    }
    const data = await this.#source.exactly(size + paddingOf(size));
    if (data === undefined) throw truncated();
    return data.subarray(0, size);
  }

  #setGlobals(records: readonly PaxRecord[]): void {
    for (const [keyword, value] of records) {
      this.#globalBytes += keyword.length + value.length;
      this.#globals.set(keyword, value);
    }
    if (this.#globalBytes > this.#maxMetadata) {
      throw tooLarge(`Cannot read archive: its global headers are longer than ${this.#maxMetadata} bytes`);
    }
  }

  async #entry(
    block: Buffer,
    raw: HeaderBlock,
    extensions: Extensions,
  ): Promise<{ header: TarHeader; stored: number }> {
    const values = this.#globals.size === 0 ? new Map<ByteString, ByteString>() : new Map(this.#globals);
    for (const [keyword, value] of extensions.records) values.set(keyword, value);
    // An empty value takes a global one back.
    for (const [keyword, value] of values) if (value === '') values.delete(keyword);

    const path = values.get('GNU.sparse.name') ?? values.get('path') ?? extensions.longName ?? raw.name;
    const kind = kindOf(raw, path);
    const size = values.has('size') ? paxInteger('size', values.get('size') ?? '') : raw.size;
    if (size < 0) throw invalid(`Cannot read archive: negative size of ${quoted(path)}`);
    let stored = kind === 'file' || raw.typeflag === 'D' || raw.typeflag === '0' ? size : 0;
    let map: SparseMap | undefined;
    if (raw.typeflag === 'S') {
      map = await readOldSparseMap(block, this.#source, this.#maxMetadata);
    } else if (kind === 'file' && isSparse1(values)) {
      const real = values.get('GNU.sparse.realsize');
      if (real === undefined)
        throw invalid(`Cannot read archive: sparse file ${quoted(path)} without its size`);
      const found = await readSparse1Map(
        this.#source,
        paxInteger('GNU.sparse.realsize', real),
        this.#maxMetadata,
      );
      stored -= found.stored;
      map = found;
    } else if (kind === 'file') {
      map = paxSparseMap(extensions.records, values);
    }
    if (map !== undefined && map.runs.reduce((sum, run) => sum + run.length, 0) !== stored) {
      throw invalid(`Cannot read archive: sparse file ${quoted(path)} has another size than its map`);
    }
    const linkPath = values.get('linkpath') ?? extensions.longLink ?? raw.linkName;
    if (path.includes('\0') || linkPath.includes('\0')) {
      throw invalid(`Cannot read archive: NUL in the name ${quoted(path)}`);
    }
    const mtime = values.get('mtime');
    const header: TarHeader = {
      kind,
      path,
      linkPath: kind === 'hardlink' || kind === 'symlink' ? linkPath : '',
      mode: raw.mode,
      uid: idOf(values.get('uid'), raw.uid),
      gid: idOf(values.get('gid'), raw.gid),
      size: kind === 'file' ? (map?.size ?? size) : 0,
      mtime: mtime === undefined ? BigInt(raw.mtime) * 1_000_000_000n : paxTime('mtime', mtime),
      devMajor: deviceOf(values.get('SCHILY.devmajor'), raw.devMajor),
      devMinor: deviceOf(values.get('SCHILY.devminor'), raw.devMinor),
      xattrs: xattrsOf(values),
    };
    return { header: map === undefined ? header : { ...header, sparse: map.runs }, stored };
  }
}

function kindOf(raw: HeaderBlock, path: ByteString): TarEntryKind {
  const kind = kinds.get(raw.typeflag);
  if (kind === undefined) {
    throw invalid(
      `Cannot read archive: entry ${quoted(path)} has unknown type ${JSON.stringify(raw.typeflag)}`,
    );
  }
  // Version 7 had no type for directories.
  return kind === 'file' && raw.typeflag !== 'S' && path.endsWith('/') ? 'directory' : kind;
}

function idOf(pax: ByteString | undefined, raw: number): number {
  const id = pax === undefined ? raw : paxInteger('uid or gid', pax);
  if (id < 0 || id > maxId) throw invalid(`Cannot read archive: user or group ${id} is out of range`);
  return id;
}

function deviceOf(pax: ByteString | undefined, raw: number): number {
  const number = pax === undefined ? raw : paxInteger('device number', pax);
  if (number < 0 || number >= 2 ** 32)
    throw invalid(`Cannot read archive: device number ${number} is out of range`);
  return number;
}

const xattrKeyword = 'SCHILY.xattr.';
const noXattrs: ReadonlyMap<ByteString, Buffer> = new Map();

function xattrsOf(values: ReadonlyMap<ByteString, ByteString>): ReadonlyMap<ByteString, Buffer> {
  if (values.size === 0) return noXattrs;
  const xattrs = new Map<ByteString, Buffer>();
  for (const [keyword, value] of values) {
    if (!keyword.startsWith(xattrKeyword)) continue;
    const name = keyword.slice(xattrKeyword.length);
    if (name === '' || name.includes('\0'))
      throw invalid('Cannot read archive: malformed extended attribute name');
    xattrs.set(name, Buffer.from(value, 'latin1'));
  }
  return xattrs.size === 0 ? noXattrs : xattrs;
}

function untilNul(data: Buffer): ByteString {
  const end = data.indexOf(0);
  return data.toString('latin1', 0, end < 0 ? data.length : end);
}
