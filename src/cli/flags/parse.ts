import { goQuote } from '#/base/go-quote.ts';
import type { Flag, FlagTable } from './flag.ts';

/** What a command line says. */
export interface ParsedFlags {
  /** By long name; flags that were not given have their initial value. */
  readonly values: Readonly<Record<string, unknown>>;
  /** Long names of the flags that were given. */
  readonly given: ReadonlySet<string>;
  /** What is neither a flag nor a flag's value. */
  readonly args: readonly string[];
  /** `--help` was asked for; nothing after it was read. */
  readonly help: boolean;
}

/** A mistake in the flags, worded as docker words it. */
export class FlagError extends Error {
  override readonly name = 'FlagError';
}

/**
 * Parses GNU-style flags: `--name value`, `--name=value`, `-n value`, `-nvalue`, clusters of short switches, `--` to end
 * them. Without `interspersed` the first argument ends them too. Throws a FlagError.
 */
export function parseFlags(
  table: FlagTable,
  args: readonly string[],
  { interspersed = true }: { interspersed?: boolean } = {},
): ParsedFlags {
  return new FlagParser(table, args).run(interspersed);
}

class FlagParser {
  readonly #table: FlagTable;
  readonly #shorts: ReadonlyMap<string, string>;
  readonly #rest: string[];
  readonly #values: Record<string, unknown>;
  readonly #given = new Set<string>();
  #help = false;

  constructor(table: FlagTable, args: readonly string[]) {
    this.#table = table;
    this.#rest = [...args];
    this.#values = Object.fromEntries(Object.entries(table).map(([name, flag]) => [name, flag.initial]));
    this.#shorts = new Map(
      Object.entries(table).flatMap(([name, { short }]) =>
        short === undefined ? [] : [[short, name] as const],
      ),
    );
  }

  run(interspersed: boolean): ParsedFlags {
    const args: string[] = [];
    while (!this.#help) {
      const word = this.#rest.shift();
      if (word === undefined) break;
      if (word === '--') {
        args.push(...this.#rest);
        break;
      }
      if (word.startsWith('--')) this.#long(word);
      else if (word.startsWith('-') && word !== '-') this.#cluster(word);
      else {
        args.push(word);
        if (!interspersed) {
          args.push(...this.#rest);
          break;
        }
      }
    }
    return { values: this.#values, given: this.#given, args, help: this.#help };
  }

  #long(word: string): void {
    const at = word.indexOf('=');
    const name = word.slice(2, at < 0 ? undefined : at);
    if (name === '' || name.startsWith('-')) throw new FlagError(`bad flag syntax: ${word}`);
    const flag = Object.hasOwn(this.#table, name) ? this.#table[name] : undefined;
    if (flag === undefined) {
      if (name !== 'help') throw new FlagError(`unknown flag: --${name}`);
      this.#help = true;
      return;
    }
    const target = this.#target(name, flag);
    if (at >= 0) this.#set(target, word.slice(at + 1));
    else if (target.flag.implied !== undefined) this.#set(target, target.flag.implied);
    else {
      const value = this.#rest.shift();
      if (value === undefined) throw new FlagError(`flag needs an argument: --${name}`);
      this.#set(target, value);
    }
  }

  #cluster(word: string): void {
    let letters = word.slice(1);
    while (letters !== '' && !this.#help) {
      const letter = letters.charAt(0);
      const following = letters.slice(1);
      const name = this.#shorts.get(letter);
      const flag = name === undefined ? undefined : this.#table[name];
      if (name === undefined || flag === undefined) {
        if (letter !== 'h') throw new FlagError(`unknown shorthand flag: '${letter}' in -${letters}`);
        this.#help = true;
        return;
      }
      const target = this.#target(name, flag);
      letters = '';
      if (following.length > 1 && following.startsWith('=')) this.#set(target, following.slice(1));
      else if (flag.implied !== undefined) {
        this.#set(target, flag.implied);
        letters = following;
      } else if (following !== '') this.#set(target, following);
      else {
        const value = this.#rest.shift();
        if (value === undefined)
          throw new FlagError(`flag needs an argument: '${letter}' in -${word.slice(1)}`);
        this.#set(target, value);
      }
    }
  }

  #target(name: string, flag: Flag<unknown>): { name: string; flag: Flag<unknown> } {
    const real = flag.alias === undefined ? undefined : this.#table[flag.alias];
    return real === undefined || flag.alias === undefined ? { name, flag } : { name: flag.alias, flag: real };
  }

  #set({ name, flag }: { name: string; flag: Flag<unknown> }, text: string): void {
    try {
      this.#values[name] = flag.parse(text, this.#values[name]);
    } catch (error) {
      if (!(error instanceof Error)) throw error;
      const shown = flag.short === undefined ? `--${name}` : `-${flag.short}, --${name}`;
      throw new FlagError(`invalid argument ${goQuote(text)} for "${shown}" flag: ${error.message}`, {
        cause: error,
      });
    }
    this.#given.add(name);
  }
}
