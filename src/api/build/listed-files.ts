import { type ByteString, byteString } from '#/base/byte-string.ts';
import { invalid, tooLarge } from '#/base/errors.ts';
import { keptXattrs, type ContextEntry as StoreEntry } from '#/builder/context/context-entry.ts';
import type { ContextUpdate } from '#/builder/context/context-update.ts';
import type { ContextEntry } from '#/wire/build.ts';
import { DecodeError, type Decoder, int64, string, struct, uint32 } from '../decode/json.ts';

/** A line of the list: paths are shorter. Bytes. */
const maxLine = 32 * 1024;
/** A piece of content. Bytes. */
const maxPiece = 16 * 1024 * 1024;
const lengthSize = 4;
const newline = 0x0a;

const contextEntry: Decoder<Required<ContextEntry>> = struct('ContextEntry', {
  p: string,
  m: uint32,
  u: uint32,
  g: uint32,
  s: int64,
  t: string,
  l: string,
  c: string,
});

/** Kinds by the file type in a mode, as in stat(2). */
const kinds: ReadonlyMap<number, StoreEntry['kind']> = new Map([
  [0o010000, 'fifo'],
  [0o020000, 'device'],
  [0o040000, 'directory'],
  [0o060000, 'device'],
  [0o100000, 'file'],
  [0o120000, 'symlink'],
  [0o140000, 'socket'],
]);

/** A file whose content is wanted. */
export interface WantedFile {
  /** Its place in the list, from 0. */
  readonly index: number;
  readonly path: ByteString;
}

/** Takes the list of a context, lines of JSON; gives the files whose content is to come. Throws `invalid`, `tooLarge`. */
export async function receiveList(
  lines: AsyncIterable<Uint8Array>,
  update: Pick<ContextUpdate, 'entry'>,
): Promise<WantedFile[]> {
  const wanted: WantedFile[] = [];
  let index = 0;
  for await (const line of splitLines(lines)) {
    const entry = decodeEntry(line);
    if (update.entry(entry)) wanted.push({ index, path: entry.path });
    index += 1;
  }
  return wanted;
}

async function* splitLines(source: AsyncIterable<Uint8Array>): AsyncGenerator<string, void, undefined> {
  let rest = Buffer.alloc(0);
  for await (const chunk of source) {
    const bytes = rest.length === 0 ? Buffer.from(chunk) : Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(newline); end >= 0; end = bytes.indexOf(newline, start)) {
      yield bytes.toString('utf8', start, end);
      start = end + 1;
    }
    rest = bytes.subarray(start);
    if (rest.length > maxLine) throw tooLarge(`a line of the list of files has more than ${maxLine} bytes`);
  }
  if (rest.length > 0) yield rest.toString('utf8');
}

function decodeEntry(line: string): StoreEntry {
  const { p, m, u, g, s, t, l, c } = parseEntry(line);
  const kind = kinds.get(m & 0o170000);
  if (kind === undefined) throw invalid(`the list of files has a mode of no kind of file: ${m}`);
  if (!/^-?\d{1,19}$/.test(t)) throw invalid('the list of files has a time that is no number');
  return {
    path: byteString(p),
    kind,
    mode: m & 0o7777,
    uid: u,
    gid: g,
    size: kind === 'file' ? s : 0,
    mtime: BigInt(t),
    linkPath: byteString(l),
    xattrs:
      kind === 'file' && c !== ''
        ? keptXattrs([['security.capability', Buffer.from(c, 'base64')]])
        : undefined,
  };
}

function parseEntry(line: string): Required<ContextEntry> {
  try {
    return contextEntry(JSON.parse(line), '');
  } catch (error) {
    if (!(error instanceof SyntaxError) && !(error instanceof DecodeError)) throw error;
    throw invalid(`the list of files has a line that is no entry: ${error.message}`, error);
  }
}

/**
 * Takes the contents of wanted files, in their order: pieces with their length in front (32 bits, big-endian), a length of
 * 0 after the last one of each file. Throws `invalid` if it is less or more than that.
 */
export async function receiveContents(
  bytes: AsyncIterable<Uint8Array>,
  {
    wanted,
    update,
    onBytes,
  }: {
    wanted: readonly WantedFile[];
    update: Pick<ContextUpdate, 'write' | 'end'>;
    onBytes: (bytes: number) => void;
  },
): Promise<void> {
  let next = 0;
  for await (const piece of pieces(bytes)) {
    const file = wanted[next];
    if (file === undefined) throw invalid('there is more content than was wanted');
    if (piece === 'end') next += 1;
    const waiting = piece === 'end' ? update.end(file.path) : update.write(file.path, piece);
    if (piece !== 'end') onBytes(piece.length);
    if (waiting !== undefined) await waiting;
  }
  if (next < wanted.length) throw invalid(`the content of ${wanted.length - next} files is missing`);
}

/** Pieces as they are cut by chunks of the stream, and the ends of files. */
async function* pieces(source: AsyncIterable<Uint8Array>): AsyncGenerator<Buffer | 'end', void, undefined> {
  let head = Buffer.alloc(0);
  let left = 0;
  for await (const chunk of source) {
    let bytes = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
    while (bytes.length > 0) {
      if (left > 0) {
        const piece = bytes.subarray(0, left);
        bytes = bytes.subarray(piece.length);
        left -= piece.length;
        yield piece;
        continue;
      }
      const missing = lengthSize - head.length;
      head = Buffer.concat([head, bytes.subarray(0, missing)]);
      bytes = bytes.subarray(missing);
      if (head.length < lengthSize) break;
      left = head.readUInt32BE();
      head = Buffer.alloc(0);
      if (left > maxPiece) throw invalid(`a piece of content has more than ${maxPiece} bytes`);
      if (left === 0) yield 'end';
    }
  }
  if (left > 0 || head.length > 0) throw invalid('the content ends in the middle of a piece');
}
