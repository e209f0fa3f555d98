import type { ValueKind } from './values.ts';

/** One option. */
export interface Option<T> {
  /** Without dashes; undefined if only daemon.json can say it. */
  readonly flag: string | undefined;
  /** One letter. */
  readonly short?: string;
  /** In daemon.json, if it is not called like the flag. */
  readonly key?: string;
  readonly kind: ValueKind<T>;
  readonly default: T;
  readonly help: string;
}

/** The name of an option in daemon.json. */
export function keyOf({ flag, key }: Pick<Option<unknown>, 'flag' | 'key'>): string {
  return key ?? flag ?? '';
}
