import { parseCsvLine } from '#/base/csv.ts';
import { invalid, messageOf } from '#/base/errors.ts';

/** `key=value` pairs of a client, by name. */
export type Attributes = ReadonlyMap<string, string>;

/** The pairs whose name begins with `prefix`, without it. */
export function withPrefix(attributes: Attributes, prefix: string): Map<string, string> {
  const found = new Map<string, string>();
  for (const [name, value] of attributes) {
    if (name.startsWith(prefix)) found.set(name.slice(prefix.length), value);
  }
  return found;
}

/** A whole number from `min`, or undefined where there is none. */
export function numberAt(attributes: Attributes, name: string, min: number = 0): number | undefined {
  const text = attributes.get(name) ?? '';
  if (text === '') return undefined;
  const value = /^-?\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (!(value >= min)) throw invalid(`invalid ${name} value: ${JSON.stringify(text)}`);
  return value;
}

/** A truth value as Go reads it; undefined where there is none. */
export function flagAt(attributes: Attributes, name: string): boolean | undefined {
  const text = attributes.get(name);
  if (text === undefined || text === '') return undefined;
  if (/^(1|t|true)$/i.test(text)) return true;
  if (/^(0|f|false)$/i.test(text)) return false;
  throw invalid(`invalid boolean value for ${name}: ${JSON.stringify(text)}`);
}

/** The fields of a line of CSV, which clients make of lists. Throws `invalid`. Empty for an empty line. */
export function csvFields(line: string): string[] {
  if (line === '') return [];
  try {
    return parseCsvLine(line);
  } catch (error) {
    throw invalid(`invalid list ${JSON.stringify(line)}: ${messageOf(error)}`, error);
  }
}
