/** Sizes and times in the forms that Docker's commands and API use for people (those of Go's fmt and time packages). */

import { invalid } from './errors.ts';

/** A number with so many significant digits, trailing zeros dropped: C's and Go's `%.<precision>g`. */
function significant(value: number, precision: number): string {
  const [digits = '0', power = '0'] = value.toExponential(precision - 1).split('e');
  const exponent = Number(power);
  const trim = (text: string): string => (text.includes('.') ? text.replace(/\.?0+$/, '') : text);
  if (exponent < -4 || exponent >= precision) {
    return `${trim(digits)}e${exponent < 0 ? '-' : '+'}${String(Math.abs(exponent)).padStart(2, '0')}`;
  }
  return trim(value.toFixed(Math.max(0, precision - 1 - exponent)));
}

const decimalUnits = ['B', 'kB', 'MB', 'GB', 'TB', 'PB', 'EB', 'ZB', 'YB'] as const;
const binaryUnits = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB', 'EiB', 'ZiB', 'YiB'] as const;

function scaled(bytes: number, base: number): { value: number; step: number } {
  let value = bytes;
  let step = 0;
  for (; value >= base && step < decimalUnits.length - 1; step += 1) value /= base;
  return { value, step };
}

/** Bytes with decimal units and `precision` significant digits: `1.98MB`. */
export function humanSize(bytes: number, precision = 4): string {
  const { value, step } = scaled(bytes, 1000);
  return significant(value, precision) + (decimalUnits[step] ?? '');
}

/** Bytes with binary units and four significant digits: `1.891MiB`. */
export function binarySize(bytes: number): string {
  const { value, step } = scaled(bytes, 1024);
  return significant(value, 4) + (binaryUnits[step] ?? '');
}

/**
 * The bytes in a size such as `512m`, `1.5GiB` or `100`; units are powers of 1024. Throws `invalid size: '…'` or
 * `invalid suffix: '…'`.
 */
export function parseBinarySize(text: string): number {
  const match = /^(.*[0-9.])?( ?)([^0-9. ]*)$/s.exec(text);
  const digits = match?.[1];
  if (match === null || digits === undefined) throw invalid(`invalid size: '${text}'`);
  if (!/^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/.test(digits)) {
    throw invalid(`strconv.ParseFloat: parsing "${digits}": invalid syntax`);
  }
  const number = Number(digits);
  if (number < 0) throw invalid(`invalid size: '${text}'`);
  const suffix = (match[3] ?? '').toLowerCase();
  const step = ['', 'k', 'm', 'g', 't', 'p'].indexOf(suffix.replace(/^b$|(?<=^[kmgtp])i?b$/, ''));
  if (step < 0) throw invalid(`invalid suffix: '${suffix}'`);
  return Math.trunc(number * 1024 ** step);
}

/** How long ago or how long since, in words: `Less than a second`, `3 minutes`, `About an hour`. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  const minutes = Math.trunc(milliseconds / 60_000);
  const hours = Math.trunc(milliseconds / 3_600_000 + 0.5);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 7 * 2) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 30 * 2) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(milliseconds / 3_600_000 / 24 / 365)} years`;
}

const nanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  μs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** The nanoseconds in a Go duration such as `1h30m` or `-1.5s`. Throws Go's messages, `time: invalid duration "…"`. */
export function parseGoDuration(text: string): number {
  const body = text.replace(/^[+-]/, '');
  if (body === '0') return 0;
  if (body === '') throw invalid(`time: invalid duration ${JSON.stringify(text)}`);
  let total = 0;
  let rest = body;
  while (rest !== '') {
    const [all = '', number = '', unit = ''] = /^(\d+\.?\d*|\.\d+)([^\d.]*)/.exec(rest) ?? [];
    if (all === '') throw invalid(`time: invalid duration ${JSON.stringify(text)}`);
    if (unit === '') throw invalid(`time: missing unit in duration ${JSON.stringify(text)}`);
    const factor = nanoseconds[unit];
    if (factor === undefined) {
      throw invalid(`time: unknown unit ${JSON.stringify(unit)} in duration ${JSON.stringify(text)}`);
    }
    total += Math.trunc(Number(number) * factor);
    rest = rest.slice(all.length);
  }
  return text.startsWith('-') ? -total : total;
}

/** Nanoseconds the way Go prints a duration: `1h0m0s`, `1.5s`, `300ms`, `0s`. */
export function formatGoDuration(value: number): string {
  if (value === 0) return '0s';
  const sign = value < 0 ? '-' : '';
  const total = Math.abs(value);
  const trim = (number: number): string => String(Number(number.toFixed(9)));
  if (total < 1e3) return `${sign}${total}ns`;
  if (total < 1e6) return `${sign}${trim(total / 1e3)}µs`;
  if (total < 1e9) return `${sign}${trim(total / 1e6)}ms`;
  const hours = Math.trunc(total / 3600e9);
  const minutes = Math.trunc((total % 3600e9) / 60e9);
  const seconds = `${trim((total % 60e9) / 1e9)}s`;
  if (hours > 0) return `${sign}${hours}h${minutes}m${seconds}`;
  return minutes > 0 ? `${sign}${minutes}m${seconds}` : sign + seconds;
}
