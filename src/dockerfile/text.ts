import { posix } from 'node:path';

/** What Go's unicode.IsSpace takes for a blank: not quite what `\s` is. */
const blank = '\\t\\n\\v\\f\\r \\u0085\\u00a0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000';
const leading = new RegExp(`^[${blank}]+`);
const single = new RegExp(`^[${blank}]$`);

/** Tells whether a character is a blank. */
export function isBlank(char: string): boolean {
  return single.test(char);
}

/** The text without blanks in front. */
export function trimStart(text: string): string {
  return text.replace(leading, '');
}

/** The text without blanks at its end. */
export function trimEnd(text: string): string {
  let end = text.length;
  while (end > 0 && isBlank(text.charAt(end - 1))) end -= 1;
  return text.slice(0, end);
}

/** The text without blanks around it. */
export function trimBlanks(text: string): string {
  return trimEnd(trimStart(text));
}

/** Words between runs of the blanks that may stand in a line. */
export function blankWords(text: string): string[] {
  return text === '' ? [] : text.split(/[\t\v\f\r ]+/);
}

/** The shortest form of a path, as Go's path.Clean: no slash at the end. */
export function cleanPath(path: string): string {
  const normal = posix.normalize(path);
  return normal.length > 1 && normal.endsWith('/') ? normal.slice(0, -1) : normal;
}
