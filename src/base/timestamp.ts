import { EngineError, invalid } from './errors.ts';
import { parseGoDuration } from './units.ts';

const billion = 1_000_000_000n;
/**
 * A moment as Docker's clients write it, in nanoseconds since 1970: a duration before `now` (`10m`), seconds since 1970
 * with or without a fraction, or RFC 3339 with or without time, seconds and zone (without: UTC). Throws `invalid`.
 */
export function parseTimestamp(text: string, now: number): bigint {
  const duration = durationIn(text);
  if (duration !== undefined) return BigInt(now) * 1_000_000n - BigInt(Math.round(duration));
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

/** Nanoseconds; undefined if the text is no duration with units. */
function durationIn(text: string): number | undefined {
  if (!/[a-zµμ]$/.test(text)) return undefined;
  try {
    const duration = parseGoDuration(text);
    return Number.isFinite(duration) ? duration : undefined;
  } catch (error) {
    if (error instanceof EngineError) return undefined;
    throw error;
  }
}
