import { type ByteString, quoted } from '#/base/byte-string.ts';
import { invalid } from '#/base/errors.ts';

/** One record of an extended header (POSIX.1-2017 pax, "pax Extended Header"). */
export type PaxRecord = readonly [keyword: ByteString, value: ByteString];

/** The records of an extended header in their order: some old sparse formats repeat keywords. */
export function parsePax(data: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  for (let offset = 0; offset < data.length; ) {
    const space = data.indexOf(0x20, offset);
    const digits = space < 0 || space - offset > 8 ? '' : data.toString('latin1', offset, space);
    const end = offset + Number(digits);
    if (!/^[1-9][0-9]*$/.test(digits) || end > data.length || end <= space || data[end - 1] !== 0x0a) {
      throw invalid('Cannot read archive: malformed record length in an extended header');
    }
    const record = data.toString('latin1', space + 1, end - 1);
    const equals = record.indexOf('=');
    if (equals <= 0) throw invalid('Cannot read archive: record without a keyword in an extended header');
    records.push([record.slice(0, equals), record.slice(equals + 1)]);
    offset = end;
  }
  return records;
}

/** The form of records in an archive. */
export function formatPax(records: Iterable<PaxRecord>): Buffer {
  let text = '';
  for (const [keyword, value] of records) {
    const rest = ` ${keyword}=${value}\n`;
    // The length counts its own digits: adding them can add one more.
    let length = rest.length + String(rest.length).length;
    length = rest.length + String(length).length;
    text += `${length}${rest}`;
  }
  return Buffer.from(text, 'latin1');
}

/** A whole number of an extended header. */
export function paxInteger(keyword: ByteString, value: ByteString): number {
  const number = Number(value);
  if (!/^[0-9]{1,20}$/.test(value) || !Number.isSafeInteger(number)) throw badValue(keyword, value);
  return number;
}

/** A time of an extended header ("1700000000.123456789", also negative) in nanoseconds; finer digits are cut off. */
export function paxTime(keyword: ByteString, value: ByteString): bigint {
  const match = /^(-?)([0-9]{1,12})(?:\.([0-9]{0,40}))?$/.exec(value);
  if (match === null) throw badValue(keyword, value);
  const fraction = (match[3] ?? '').slice(0, 9).padEnd(9, '0');
  const magnitude = BigInt(match[2] ?? 0) * 1_000_000_000n + BigInt(fraction);
  return match[1] === '-' ? -magnitude : magnitude;
}

/** A time as `paxTime` reads it, in its shortest form. */
export function formatPaxTime(nanoseconds: bigint): string {
  const magnitude = nanoseconds < 0n ? -nanoseconds : nanoseconds;
  const seconds = magnitude / 1_000_000_000n;
  const fraction = (magnitude % 1_000_000_000n).toString().padStart(9, '0').replace(/0+$/, '');
  return `${nanoseconds < 0n ? '-' : ''}${seconds}${fraction === '' ? '' : `.${fraction}`}`;
}

function badValue(keyword: ByteString, value: ByteString): Error {
  return invalid(`Cannot read archive: ${quoted(value.slice(0, 64))} is not a valid ${quoted(keyword)}`);
}
