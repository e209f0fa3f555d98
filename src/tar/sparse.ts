/**
 * The maps of sparse files in GNU tar's formats: the old one in header blocks, and 0.0, 0.1 and 1.0 in extended headers
 * (GNU tar manual, "Storing Sparse Files").
 */

import type { ByteString } from '#/base/byte-string.ts';
import { invalid } from '#/base/errors.ts';
import { type ByteSource, truncated } from './byte-source.ts';
import { blockSize, paddingOf, parseNumber } from './header-block.ts';
import { type PaxRecord, paxInteger } from './pax.ts';
import type { DataRun } from './tar-entry.ts';

/** A sparse file as an archive describes it. */
export interface SparseMap {
  /** Bytes of the file with its holes. */
  readonly size: number;
  readonly runs: readonly DataRun[];
}

/** The map in an old GNU header (typeflag S) and its extension blocks, at most `limit` bytes of those. */
export async function readOldSparseMap(block: Buffer, source: ByteSource, limit: number): Promise<SparseMap> {
  const size = parseNumber(block, 483, 12);
  const numbers = runNumbers(block, 386, 4);
  let extended = block[482] !== 0;
  for (let read = 0; extended; read += blockSize) {
    if (read >= limit) throw tooLong();
    const extension = await source.exactly(blockSize);
    if (extension === undefined) throw truncated();
    numbers.push(...runNumbers(extension, 0, 21));
    extended = extension[504] !== 0;
  }
  return checkedMap(size, numbers);
}

function runNumbers(block: Buffer, offset: number, count: number): number[] {
  const numbers: number[] = [];
  for (let at = offset; at < offset + count * 24; at += 24) {
    if (block[at] === 0) break;
    numbers.push(parseNumber(block, at, 12), parseNumber(block, at + 12, 12));
  }
  return numbers;
}

/** The sparse map that extended header records give, in format 0.0 or 0.1; undefined if there is none. */
export function paxSparseMap(
  records: readonly PaxRecord[],
  values: ReadonlyMap<ByteString, ByteString>,
): SparseMap | undefined {
  const size = values.get('GNU.sparse.size');
  if (size === undefined) return undefined;
  const map = values.get('GNU.sparse.map');
  const numbers: number[] = [];
  if (map !== undefined) {
    if (map !== '') for (const part of map.split(',')) numbers.push(paxInteger('GNU.sparse.map', part));
  } else {
    for (const [keyword, value] of records) {
      const even = numbers.length % 2 === 0;
      if (keyword === 'GNU.sparse.offset' || keyword === 'GNU.sparse.numbytes') {
        if (even !== (keyword === 'GNU.sparse.offset')) throw malformed();
        numbers.push(paxInteger(keyword, value));
      }
    }
  }
  return checkedMap(paxInteger('GNU.sparse.size', size), numbers);
}

/** Tells whether the records announce format 1.0, whose map stands before the content. */
export function isSparse1(values: ReadonlyMap<ByteString, ByteString>): boolean {
  const major = values.get('GNU.sparse.major');
  if (major === undefined) return false;
  const version = `${major}.${values.get('GNU.sparse.minor') ?? ''}`;
  if (version === '0.0' || version === '0.1') return false;
  if (version !== '1.0')
    throw invalid(`Cannot read archive: sparse format ${JSON.stringify(version)} is unknown`);
  return true;
}

/** Reads a map of format 1.0, at most `limit` bytes. `stored` is how much of the content it took. */
export async function readSparse1Map(
  source: ByteSource,
  size: number,
  limit: number,
): Promise<SparseMap & { stored: number }> {
  const numbers: number[] = [];
  let stored = 0;
  let rest = '';
  for (let wanted = 1; numbers.length < wanted; ) {
    if (stored >= limit) throw tooLong();
    const block = await source.exactly(blockSize);
    if (block === undefined) throw truncated();
    stored += blockSize;
    const lines = (rest + block.toString('latin1')).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) {
      if (numbers.length === wanted) break;
      numbers.push(paxInteger('sparse map', line));
      if (numbers.length === 1) wanted = 1 + 2 * (numbers[0] ?? 0);
    }
  }
  return { ...checkedMap(size, numbers.slice(1)), stored };
}

/** A map as format 1.0 puts it before the content. */
export function formatSparse1Map(runs: readonly DataRun[]): Buffer {
  const lines = [runs.length, ...runs.flatMap((run) => [run.offset, run.length])];
  const text = `${lines.join('\n')}\n`;
  return Buffer.concat([Buffer.from(text), Buffer.alloc(paddingOf(text.length))]);
}

function checkedMap(size: number, numbers: readonly number[]): SparseMap {
  if (size < 0 || numbers.length % 2 !== 0) throw malformed();
  const runs: DataRun[] = [];
  let end = 0;
  for (let i = 0; i < numbers.length; i += 2) {
    const [offset = 0, length = 0] = [numbers[i], numbers[i + 1]];
    if (length < 0 || offset < end || offset + length > size) throw malformed();
    end = offset + length;
    // A run of no length only marks the end of the file.
    if (length > 0) runs.push({ offset, length });
  }
  return { size, runs };
}

function malformed(): Error {
  return invalid('Cannot read archive: malformed map of a sparse file');
}

function tooLong(): Error {
  return invalid('Cannot read archive: the map of a sparse file is too long');
}
