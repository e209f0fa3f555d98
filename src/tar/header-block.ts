import type { ByteString } from '#/base/byte-string.ts';
import { invalid } from '#/base/errors.ts';

/** Archives are made of blocks of this many bytes. */
export const blockSize = 512;

/** The fields of a 512-byte header block as they stand there (POSIX.1-2017 pax, "ustar Interchange Format"). */
export interface HeaderBlock {
  readonly name: ByteString;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  /** Seconds. */
  readonly mtime: number;
  /** One character; NUL in archives of Version 7 Unix. */
  readonly typeflag: string;
  readonly linkName: ByteString;
  readonly devMajor: number;
  readonly devMinor: number;
}

/** Zero bytes that fill up the last block of `size` bytes of content. */
export function paddingOf(size: number): number {
  return (blockSize - (size % blockSize)) % blockSize;
}

/** Reads a header block; undefined for a block of zeros, which ends an archive. */
export function parseHeaderBlock(block: Buffer): HeaderBlock | undefined {
  const stored = parseChecksum(block);
  if (stored === undefined && block.every((byte) => byte === 0)) return undefined;
  const [unsigned, signed] = checksums(block);
  // Some old programs summed signed bytes; POSIX means unsigned ones.
  if (stored !== unsigned && stored !== signed) throw invalid('Cannot read archive: wrong header checksum');
  const typeflag = String.fromCharCode(block[156] ?? 0);
  const device = typeflag === '3' || typeflag === '4';
  return {
    name: nameOf(block),
    mode: parseNumber(block, 100, 8) & 0o7777,
    uid: parseNumber(block, 108, 8),
    gid: parseNumber(block, 116, 8),
    size: parseNumber(block, 124, 12),
    mtime: parseNumber(block, 136, 12),
    typeflag,
    linkName: text(block, 157, 100),
    devMajor: device ? parseNumber(block, 329, 8) : 0,
    devMinor: device ? parseNumber(block, 337, 8) : 0,
  };
}

/** A name with its prefix. In GNU archives (magic "ustar  ") the place of the prefix holds other things. */
function nameOf(block: Buffer): ByteString {
  const name = text(block, 0, 100);
  if (block.toString('latin1', 257, 263) !== 'ustar\0') return name;
  const star = block.toString('latin1', 508, 512) === 'tar\0';
  const prefix = text(block, 345, star ? 131 : 155);
  return prefix === '' ? name : `${prefix}/${name}`;
}

/** Text up to the first NUL of a field. */
function text(block: Buffer, offset: number, length: number): ByteString {
  const field = block.toString('latin1', offset, offset + length);
  const end = field.indexOf('\0');
  return end < 0 ? field : field.slice(0, end);
}

function parseChecksum(block: Buffer): number | undefined {
  const digits = /^[ \0]*([0-7]+)/.exec(block.toString('latin1', 148, 156))?.[1];
  return digits === undefined ? undefined : Number.parseInt(digits, 8);
}

/** Sums of all bytes, with the checksum field taken as spaces. */
function checksums(block: Buffer): [unsigned: number, signed: number] {
  let unsigned = 8 * 0x20;
  let high = 0;
  for (let i = 0; i < blockSize; i++) {
    if (i === 148) i = 156;
    const byte = block[i] ?? 0;
    unsigned += byte;
    if (byte > 127) high++;
  }
  return [unsigned, unsigned - 256 * high];
}

/**
 * A number of a header field: octal digits, or with the top bit set a two's complement big-endian integer (GNU's
 * "base-256"). Empty is 0. Throws for what does not fit a safe integer.
 */
export function parseNumber(block: Buffer, offset: number, length: number): number {
  const first = block[offset] ?? 0;
  if (first & 0x80) return parseBase256(block, offset, length);
  const field = text(block, offset, length).trim();
  if (field === '') return 0;
  if (!/^[0-7]+$/.test(field)) {
    throw invalid(`Cannot read archive: ${JSON.stringify(field)} in a header is not an octal number`);
  }
  return Number.parseInt(field, 8);
}

function parseBase256(block: Buffer, offset: number, length: number): number {
  const negative = ((block[offset] ?? 0) & 0x40) !== 0;
  let value = negative ? -1n : 0n;
  for (let i = 0; i < length; i++) {
    const byte = block[offset + i] ?? 0;
    // The top bit of the first byte is the marker; the next one is the sign.
    value = (value << 8n) | BigInt(i === 0 ? (negative ? byte | 0x80 : byte & 0x7f) : byte);
  }
  const number = Number(value);
  if (!Number.isSafeInteger(number))
    throw invalid(`Cannot read archive: number ${value} in a header is out of range`);
  return number;
}

/** The largest number that `digits` octal digits hold. */
function octalLimit(digits: number): number {
  return 8 ** digits - 1;
}

/** Tells whether a ustar header can hold `value` in a field of `length` bytes (one is for the NUL). */
export function fitsOctal(value: number, length: number): boolean {
  return value >= 0 && value <= octalLimit(length - 1);
}

/** Makes a ustar header block. Names must fit 100 bytes (see `splitName`) and numbers their fields. */
export function formatHeaderBlock(header: HeaderBlock, prefix: ByteString = ''): Buffer {
  const block = Buffer.alloc(blockSize);
  block.write(header.name, 0, 100, 'latin1');
  writeOctal(block, header.mode, { offset: 100, length: 8 });
  writeOctal(block, header.uid, { offset: 108, length: 8 });
  writeOctal(block, header.gid, { offset: 116, length: 8 });
  writeOctal(block, header.size, { offset: 124, length: 12 });
  writeOctal(block, header.mtime, { offset: 136, length: 12 });
  block.write(header.typeflag, 156, 1, 'latin1');
  block.write(header.linkName, 157, 100, 'latin1');
  block.write('ustar\x0000', 257, 8, 'latin1');
  writeOctal(block, header.devMajor, { offset: 329, length: 8 });
  writeOctal(block, header.devMinor, { offset: 337, length: 8 });
  block.write(prefix, 345, 155, 'latin1');
  block.write(`${checksums(block)[0].toString(8).padStart(6, '0')}\0 `, 148, 8, 'latin1');
  return block;
}

function writeOctal(block: Buffer, value: number, field: { offset: number; length: number }): void {
  block.write(value.toString(8).padStart(field.length - 1, '0'), field.offset, field.length - 1, 'latin1');
}

/**
 * Splits a name over 100 bytes at a slash into prefix (at most 155) and name (at most 100); undefined when that is
 * not possible.
 */
export function splitName(path: ByteString): { prefix: ByteString; name: ByteString } | undefined {
  if (path.length <= 100) return { prefix: '', name: path };
  if (path.length > 256) return undefined;
  const slash = path.lastIndexOf('/', path.endsWith('/') ? Math.min(155, path.length - 2) : 155);
  if (slash <= 0 || path.length - slash - 1 > 100) return undefined;
  return { prefix: path.slice(0, slash), name: path.slice(slash + 1) };
}
