import { parseCsvLine } from '#/base/csv.ts';

/** `type=…,name=value` of a flag such as `--output`. */
export interface Attributes {
  readonly type: string;
  readonly values: Readonly<Record<string, string>>;
}

/**
 * Reads `type=…,name=value` as a line of CSV; names are lower case, a name alone has an empty value. Throws an Error that
 * names the flag if a name is missing.
 */
export function parseAttributes(flag: string, text: string): Attributes {
  const pairs = parseCsvLine(text).map((field): [string, string] => {
    const at = field.indexOf('=');
    const name = (at < 0 ? field : field.slice(0, at)).trim();
    if (name === '') throw new Error(`invalid value ${JSON.stringify(text)} for --${flag}: empty name`);
    return [lowerName(name), at < 0 ? '' : field.slice(at + 1)];
  });
  const { type = '', ...values } = Object.fromEntries(pairs);
  return { type, values };
}

/** Annotations are told apart by their case. */
function lowerName(name: string): string {
  return /^annotation/i.test(name)
    ? name.replace(/^[^.]*/, (head) => head.toLowerCase())
    : name.toLowerCase();
}

/** `name=value` as a pair; the value is undefined if there is no `=`. Throws an Error for an empty name. */
export function parsePair(text: string): [name: string, value: string | undefined] {
  const at = text.indexOf('=');
  const name = at < 0 ? text : text.slice(0, at);
  if (name === '') throw new Error(`invalid key-value pair ${JSON.stringify(text)}: empty key`);
  return [name, at < 0 ? undefined : text.slice(at + 1)];
}
