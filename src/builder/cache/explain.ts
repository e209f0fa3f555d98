import type { KeyDocument, KeyValue } from './key.ts';

/** Differences that are told of one step. */
const maxDifferences = 20;
/** Characters of a value that are shown. */
const maxShown = 80;

/** What is different between the inputs of two steps: `environment.VERSION: "1" -> "2"`. */
export function differences(before: KeyDocument, now: KeyDocument): string[] {
  const found: string[] = [];
  compare(before, now, { path: '', found });
  return found.length > maxDifferences
    ? [...found.slice(0, maxDifferences), `and ${found.length - maxDifferences} more`]
    : found;
}

function compare(
  before: KeyValue | undefined,
  now: KeyValue | undefined,
  place: { readonly path: string; readonly found: string[] },
): void {
  if (isRecord(before) && isRecord(now)) {
    for (const name of new Set([...Object.keys(before), ...Object.keys(now)])) {
      const path = place.path === '' ? name : `${place.path}.${name}`;
      compare(before[name], now[name], { ...place, path });
    }
    return;
  }
  if (Array.isArray(before) && Array.isArray(now) && before.length === now.length) {
    const [old, fresh] = [before, now] as readonly (readonly KeyValue[])[];
    old?.forEach((value, index) =>
      compare(value, fresh?.[index], { ...place, path: `${place.path}[${index}]` }),
    );
    return;
  }
  if (JSON.stringify(before) === JSON.stringify(now)) return;
  place.found.push(`${place.path}: ${shown(before)} -> ${shown(now)}`);
}

function isRecord(value: KeyValue | undefined): value is { readonly [name: string]: KeyValue } {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function shown(value: KeyValue | undefined): string {
  if (value === undefined) return 'nothing';
  const text = JSON.stringify(value);
  return text.length > maxShown ? `${text.slice(0, maxShown)}…` : text;
}
