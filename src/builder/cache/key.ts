import { type Digest, digestOf } from '#/oci/digest.ts';

/** All that decides on the result of a step. The names are for people: they are what `explain` shows. */
export interface KeyDocument {
  readonly [name: string]: KeyValue;
}

/** A part of a `KeyDocument`. */
export type KeyValue =
  | string
  | number
  | boolean
  | null
  | readonly KeyValue[]
  | { readonly [name: string]: KeyValue };

/** The key of a step: equal documents give the same one, in whatever order their members are. */
export function keyOf(document: KeyDocument): Digest {
  return digestOf(JSON.stringify(sorted(document)));
}

function sorted(value: KeyValue): KeyValue {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([name, member]) => [name, sorted(member)]));
}
