import { rangeUnsatisfiable } from './errors.ts';
import type { ByteRange } from './storage/blob-storage.ts';

/**
 * The part of `size` bytes that a Range header asks for (RFC 9110, section 14.2); undefined for all of it: there is no header, it is
 * malformed, of another unit, or asks for several parts, which a server may ignore. Throws 416 for one that lies outside, or ends
 * before it begins.
 */
export function parseRange(header: string | undefined, size: number): ByteRange | undefined {
  const match = /^bytes=(\d*)-(\d*)$/.exec(header?.replaceAll(' ', '') ?? '');
  if (header === undefined || match === null) return undefined;
  const [, first = '', last = ''] = match;
  if (first === '' && last === '') return undefined;
  const start = first === '' ? Math.max(0, size - Number(last)) : Number(first);
  const end = first === '' || last === '' ? size - 1 : Math.min(Number(last), size - 1);
  if (start >= size || end < start || (first === '' && Number(last) === 0))
    throw rangeUnsatisfiable(header, size);
  return { start, end };
}

/** Where a chunk of an upload lies, from its Content-Range (distribution-spec, "Pushing a blob in chunks"). */
export function parseChunkRange(header: string): ByteRange | undefined {
  const match = /^(?:bytes )?(\d{1,16})-(\d{1,16})(?:\/(?:\d+|\*))?$/.exec(header);
  if (match === null) return undefined;
  const [start, end] = [Number(match[1]), Number(match[2])];
  return end < start ? undefined : { start, end };
}
