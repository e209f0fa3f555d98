import { invalid } from '#/base/errors.ts';
import type { FlagNode } from './node.ts';
import { withSuggestion } from './suggest.ts';

/** Text, true or false, or texts that may be given more than once. */
export type FlagKind = 'text' | 'boolean' | 'list';

/** The flags of an instruction, understood. */
export class Flags {
  readonly #values = new Map<string, string[]>();

  /** Reads flags; throws `invalid` for unknown ones, those given twice and missing or wrong values. */
  constructor(nodes: readonly FlagNode[], known: Readonly<Record<string, FlagKind>>) {
    for (const { text } of nodes) {
      const [, name = '', value] = /^--([^=]*)(?:=(.*))?$/s.exec(text) ?? [];
      const kind = Object.hasOwn(known, name) ? known[name] : undefined;
      if (kind === undefined) {
        throw invalid(withSuggestion(`unknown flag: --${name}`, name, Object.keys(known)));
      }
      const before = this.#values.get(name);
      if (before !== undefined && kind !== 'list') throw invalid(`duplicate flag specified: --${name}`);
      this.#values.set(name, [
        ...(before ?? []),
        kind === 'boolean' ? truth(name, value) : given(name, value),
      ]);
    }
  }

  /** Undefined if it was not given. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** Undefined if it was not given, or is empty: for values where that means the same. */
  filled(name: string): string | undefined {
    return this.text(name) || undefined;
  }

  boolean(name: string): boolean | undefined {
    const value = this.#values.get(name)?.[0];
    return value === undefined ? undefined : value === 'true';
  }

  list(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }
}

function given(name: string, value: string | undefined): string {
  if (value === undefined) throw invalid(`missing a value on flag: --${name}`);
  return value;
}

function truth(name: string, value: string | undefined): string {
  if (value === undefined) return 'true';
  if (value === '') throw invalid(`missing a value on flag: --${name}`);
  const lower = value.toLowerCase();
  if (lower !== 'true' && lower !== 'false') {
    throw invalid(`expecting boolean value for flag --${name}, not: ${value}`);
  }
  return lower;
}
