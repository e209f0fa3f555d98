import { humanDuration } from '#/base/units.ts';

/** How long ago a moment (seconds since 1970) was: `3 minutes ago`. */
export function ago(seconds: number): string {
  return `${humanDuration(Date.now() - seconds * 1000)} ago`;
}

const two = (number: number): string => String(number).padStart(2, '0');

function offset(date: Date): string {
  const minutes = -date.getTimezoneOffset();
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.trunc(size / 60))}${two(size % 60)}`;
}

const day = (date: Date): string =>
  `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
const clock = (date: Date): string =>
  `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;

function zoneName(date: Date): string {
  if (date.getTimezoneOffset() === 0) return 'UTC';
  const parts = new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' }).formatToParts(date);
  const name = parts.find(({ type }) => type === 'timeZoneName')?.value ?? '';
  return /^[A-Z]{2,5}$/.test(name) ? name : offset(date);
}

/** Local time the way Go prints it: `2006-01-02 15:04:05 -0700 MST`. */
export function localTime(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${day(date)} ${clock(date)} ${offset(date)} ${zoneName(date)}`;
}

const rfcOffset = (date: Date): string =>
  date.getTimezoneOffset() === 0 ? 'Z' : offset(date).replace(/(?=\d\d$)/, ':');

/** Local time as RFC 3339: `2006-01-02T15:04:05Z`. */
export function localRfc3339(seconds: number): string {
  const date = new Date(seconds * 1000);
  return `${day(date)}T${clock(date)}${rfcOffset(date)}`;
}

/** Local time of nanoseconds since 1970, all nine digits of the fraction shown. */
export function localNanoseconds(nanoseconds: bigint): string {
  const date = new Date(Number(nanoseconds / 1_000_000n));
  const fraction = String(nanoseconds % 1_000_000_000n).padStart(9, '0');
  return `${day(date)}T${clock(date)}.${fraction}${rfcOffset(date)}`;
}

const weekdays = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];
const months = ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'];

/** An RFC 3339 time as C's asctime prints it, in its own zone; other texts stay as they are. */
export function asctime(text: string): string {
  const match = /^(\d{4})-(\d{2})-(\d{2})T(\d{2}:\d{2}:\d{2})/.exec(text);
  if (match === null || Number.isNaN(Date.parse(text))) return text;
  const [, year = '', month = '', date = '', time = ''] = match;
  const weekday = weekdays[new Date(Date.UTC(Number(year), Number(month) - 1, Number(date))).getUTCDay()];
  return `${weekday} ${months[Number(month) - 1]} ${String(Number(date)).padStart(2)} ${time} ${year}`;
}
