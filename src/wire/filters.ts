/**
 * The `filters` parameter of list, prune and event requests: JSON, either `{"label":{"a=b":true}}` (what Go clients
 * send) or `{"label":["a=b"]}` (what API 1.21 and most other clients send).
 */

/** The values asked for, by filter name. A thing must meet one value of every filter. */
export type Filters = ReadonlyMap<string, readonly string[]>;

/** No filters. */
export const noFilters: Filters = new Map();

/** The filters of a parameter; none for an empty one. Throws a SyntaxError for anything else. */
export function parseFilters(text: string): Filters {
  if (text === '') return noFilters;
  const parsed: unknown = JSON.parse(text);
  if (parsed === null) return noFilters;
  if (typeof parsed !== 'object' || Array.isArray(parsed)) throw new SyntaxError('not an object');
  const filters = new Map<string, readonly string[]>();
  for (const [name, value] of Object.entries(parsed)) filters.set(name, valuesOf(name, value));
  return filters;
}

/** The parameter for some filters, in the form that every server understands. */
export function encodeFilters(filters: Filters | Readonly<Record<string, readonly string[]>>): string {
  const entries = filters instanceof Map ? [...filters] : Object.entries(filters);
  return JSON.stringify(
    Object.fromEntries(
      entries.map(([name, values]) => [name, Object.fromEntries(values.map((v: string) => [v, true]))]),
    ),
  );
}

function valuesOf(name: string, value: unknown): readonly string[] {
  if (value === null) return [];
  if (Array.isArray(value)) {
    if (value.every((item) => typeof item === 'string')) return value;
  } else if (typeof value === 'object') {
    const entries = Object.entries(value);
    // Go keeps the keys whatever the booleans are.
    if (entries.every(([, item]) => typeof item === 'boolean')) return entries.map(([key]) => key);
  }
  throw new SyntaxError(`the values of ${JSON.stringify(name)} are neither a list of strings nor a set`);
}
