import { invalid } from '#/base/errors.ts';
import { parseTimestamp } from '#/base/timestamp.ts';
import type { Filters } from '#/wire/filters.ts';

type Labels = Readonly<Record<string, string>>;

/** Throws `invalid` for a filter that is not one of `known`. */
export function checkFilterNames(filters: Filters, known: readonly string[]): void {
  for (const name of filters.keys()) if (!known.includes(name)) throw invalid(`invalid filter '${name}'`);
}

/** The value of a filter that is true or false; `fallback` if it is absent. Throws `invalid` for anything else. */
export function booleanFilter(filters: Filters, name: string, fallback: boolean): boolean {
  const values = filters.get(name) ?? [];
  if (values.length === 0) return fallback;
  const truth = values.map((value) => ['1', 'true'].includes(value));
  const known = values.every((value) => ['0', '1', 'true', 'false'].includes(value));
  if (!known || new Set(truth).size > 1) throw invalid(`invalid filter '${name}=[${values.join(' ')}]'`);
  return truth[0] ?? fallback;
}

/** Tells whether `labels` have every `key` and `key=value` of the filter `label`. */
export function hasLabels(filters: Filters, labels: Labels | null | undefined): boolean {
  return (filters.get('label') ?? []).every((label) => hasLabel(labels ?? {}, label));
}

/** `hasLabels`, and none of the filter `label!` where that is given; the rule of prune. */
export function prunesLabels(filters: Filters, labels: Labels | null | undefined): boolean {
  const unwanted = filters.get('label!') ?? [];
  if (unwanted.length > 0 && unwanted.every((label) => hasLabel(labels ?? {}, label))) return false;
  return hasLabels(filters, labels);
}

/** The moment of the filter `until` in nanoseconds since 1970; undefined if it is absent. */
export function untilFilter(filters: Filters): bigint | undefined {
  const values = filters.get('until') ?? [];
  if (values.length > 1) throw invalid('more than one until filter specified');
  return values[0] === undefined ? undefined : parseTimestamp(values[0], Date.now());
}

/**
 * Docker matches names by regular expression. Go's run in linear time; V8's do not always, so a pattern that could take
 * long (long itself, repeated groups, back references, many repetitions) is taken literally.
 */
export function matchesName(pattern: string, name: string): boolean {
  if (name === pattern) return true;
  const risky =
    pattern.length > 128 ||
    /[)][*+?{]|\\[1-9k]|\(\?/.test(pattern) ||
    (pattern.match(/[*+{]/g) ?? []).length > 3;
  if (risky) return name.includes(pattern);
  try {
    return new RegExp(pattern).test(name);
  } catch (error) {
    if (error instanceof SyntaxError) return false;
    throw error;
  }
}

function hasLabel(labels: Labels, label: string): boolean {
  const at = label.indexOf('=');
  if (at < 0) return Object.hasOwn(labels, label);
  const key = label.slice(0, at);
  return Object.hasOwn(labels, key) && labels[key] === label.slice(at + 1);
}
