import { invalid } from './errors.ts';

const billion = 1_000_000_000n;
const unitNanoseconds: Readonly<Record<string, number>> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds of a duration as Go writes it (`1h30m`, `1.5s`, `-10ms`); undefined if it is none. */
export function parseGoDuration(text: string): bigint | undefined {
  const match = /^([+-]?)((?:\d+\.?\d*|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (match === null) return text === '0' ? 0n : undefined;
  let total = 0;
  for (const [, number, unit] of text.matchAll(/(\d+\.?\d*|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    total += Number(number) * (unitNanoseconds[unit ?? ''] ?? 0);
  }
  if (!Number.isFinite(total)) return undefined;
  return BigInt(Math.round(total)) * (match[1] === '-' ? -1n : 1n);
}

/**
 * A moment as Docker's clients write it, in nanoseconds since 1970: a duration before `now` (`10m`), seconds since 1970
 * with or without a fraction, or RFC 3339 with or without time, seconds and zone (without: UTC). Throws `invalid`.
 */
export function parseTimestamp(text: string, now: number): bigint {
  const duration = parseGoDuration(text);
  if (duration !== undefined && text !== '0') return BigInt(now) * 1_000_000n - duration;
  const unix = /^(-?\d{1,15})(?:\.(\d{1,9})\d*)?$/.exec(text);
  if (unix !== null) return BigInt(unix[1] ?? '0') * billion + BigInt((unix[2] ?? '').padEnd(9, '0'));
  const date =
    /^(\d{4}-\d\d-\d\d)(?:T(\d\d)(?::(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?)?(Z|[+-]\d\d:\d\d)?)?(Z|[+-]\d\d:\d\d)?$/.exec(
      text,
    );
  if (date !== null) {
    const [, day, hour = '00', minute = '00', second = '00', fraction = '', zone, dayZone] = date;
    const milliseconds = Date.parse(`${day}T${hour}:${minute}:${second}${zone ?? dayZone ?? 'Z'}`);
    if (!Number.isNaN(milliseconds))
      return BigInt(milliseconds) * 1_000_000n + BigInt(fraction.padEnd(9, '0'));
  }
  throw invalid(`failed to parse value as time or duration: "${text}"`);
}
