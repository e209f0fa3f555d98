import { parseGoDuration } from '#/base/units.ts';

/**
 * A `--since` or `--until` as the API wants it, seconds with a fraction: from a Go duration (before now), an RFC 3339
 * time with or without its parts, or seconds since 1970. Throws `failed to parse value as time or duration: "…"`.
 */
export function parseTimestamp(text: string, now: number = Date.now()): string {
  if (text === '' || text === '0') return text;
  if (/^-?\d+(\.\d{1,9})?$/.test(text)) {
    const [seconds = '', fraction = ''] = text.split('.');
    return `${seconds}.${fraction.padEnd(9, '0')}`;
  }
  const duration = goDuration(text);
  if (duration !== undefined) return (now / 1000 - duration / 1e9).toFixed(9);
  const time = /^\d{4}-\d{2}-\d{2}(T\d{2}(:\d{2}(:\d{2}(\.\d{1,9})?)?)?)?(Z|[+-]\d{2}:\d{2})?$/.exec(text);
  const millisecond = time === null ? Number.NaN : Date.parse(completed(text));
  if (Number.isNaN(millisecond))
    throw new Error(`failed to parse value as time or duration: ${JSON.stringify(text)}`);
  const fraction = (time?.[4] ?? '.').slice(1).padEnd(9, '0');
  return `${Math.floor(millisecond / 1000)}.${fraction}`;
}

function goDuration(text: string): number | undefined {
  try {
    return parseGoDuration(text);
  } catch {
    return undefined;
  }
}

/** With the parts that JavaScript needs; a time without a zone is local. */
function completed(text: string): string {
  const [, date = '', time = '', zone = ''] =
    /^(\d{4}-\d{2}-\d{2})(?:T([\d:.]*))?(Z|[+-]\d{2}:\d{2})?$/.exec(text) ?? [];
  const [hours = '00', minutes = '00', seconds = '00'] = time === '' ? [] : time.split(':');
  return `${date}T${hours}:${minutes}:${seconds.replace(/\..*/, '')}${zone}`;
}
