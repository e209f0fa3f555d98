import { parseBinarySize, parseGoDuration } from '#/base/units.ts';

/** A command-line flag as data: its help, and how its text becomes a value. */
export interface Flag<T> {
  /** The word for the value in the help; empty for switches, which take none. */
  readonly type: string;
  /** One letter. */
  readonly short?: string;
  readonly usage: string;
  /** The value when the flag is not given. */
  readonly initial: T;
  /** How the help shows the default; absent if it is not worth showing. */
  readonly shown?: string;
  /** The text that the flag stands for when no value follows. */
  readonly implied?: string;
  readonly hidden?: boolean;
  /** The flag that this is another name for; it has no value of its own. */
  readonly alias?: string;
  /** The value after one more occurrence; throws an Error that says what is wrong with `text`. */
  parse(text: string, before: T): T;
}

/** The flags of a command by their long names. */
export type FlagTable = Readonly<Record<string, Flag<unknown>>>;

/** The parsed values of a table of flags. */
export type FlagValues<F extends FlagTable> = {
  readonly [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};

/** A table of flags whose values are written out as a type, for tables that several modules share. */
export type FlagsFor<V> = { readonly [K in keyof V]: Flag<V[K]> };

interface Options<T> {
  readonly short?: string;
  readonly initial?: T;
  readonly hidden?: boolean;
}

const goTrue = new Set(['1', 't', 'T', 'true', 'TRUE', 'True']);
const goFalse = new Set(['0', 'f', 'F', 'false', 'FALSE', 'False']);

/** Go's strconv.ParseBool; `undefined` if it is neither. */
export function parseGoBool(text: string): boolean | undefined {
  return goTrue.has(text) ? true : goFalse.has(text) ? false : undefined;
}

/** A switch: `--rm`, `--sig-proxy=false`. */
export function boolFlag(usage: string, { initial = false, ...rest }: Options<boolean> = {}): Flag<boolean> {
  return {
    type: '',
    usage,
    initial,
    implied: 'true',
    ...(initial && { shown: 'true' }),
    ...rest,
    parse(text) {
      const value = parseGoBool(text);
      if (value === undefined)
        throw new Error(`strconv.ParseBool: parsing ${JSON.stringify(text)}: invalid syntax`);
      return value;
    },
  };
}

/** Text; the last one counts. */
export function stringFlag(
  usage: string,
  { initial = '', type = 'string', ...rest }: Options<string> & { type?: string; implied?: string } = {},
): Flag<string> {
  return {
    type,
    usage,
    initial,
    ...(initial !== '' && { shown: JSON.stringify(initial) }),
    ...rest,
    parse: (text) => text,
  };
}

interface IntegerOptions extends Options<number> {
  /** Bits; unsigned if `unsigned`. */
  readonly bits?: number;
  readonly unsigned?: boolean;
  readonly type?: string;
}

/** A whole number in decimal or, with 0x, 0o or 0b, in another base. */
export function intFlag(usage: string, options: IntegerOptions = {}): Flag<number> {
  const { initial = 0, bits = 64, unsigned = false, type = 'int', ...rest } = options;
  const parser = unsigned ? 'ParseUint' : 'ParseInt';
  return {
    type,
    usage,
    initial,
    ...(initial !== 0 && { shown: String(initial) }),
    ...rest,
    parse(text) {
      const digits = text.replace(/^[+-]/, '').replace(/^0(?=[0-7]+$)/, '0o');
      const signed = /^[+-]/.test(text);
      if (!/^(?:\d+|0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+)$/.test(digits) || (signed && unsigned)) {
        throw new Error(`strconv.${parser}: parsing ${JSON.stringify(text)}: invalid syntax`);
      }
      const value = BigInt(digits) * (text.startsWith('-') ? -1n : 1n);
      const [low, high] = unsigned
        ? [0n, 2n ** BigInt(bits) - 1n]
        : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n];
      if (value < low || value > high) {
        throw new Error(`strconv.${parser}: parsing ${JSON.stringify(text)}: value out of range`);
      }
      return Number(value);
    },
  };
}

/** Text that may be given several times. `check` normalises each one or throws an Error. */
export function listFlag(
  usage: string,
  {
    check = (text) => text,
    type = 'list',
    ...rest
  }: { short?: string; hidden?: boolean; type?: string; check?: (text: string) => string } = {},
): Flag<readonly string[]> {
  return { type, usage, initial: [], ...rest, parse: (text, before) => [...before, check(text)] };
}

/** Values of any type that may be given several times. */
export function itemsFlag<T>(
  usage: string,
  { parse, type = 'list', short }: { parse: (text: string) => T; type?: string; short?: string },
): Flag<readonly T[]> {
  return {
    type,
    usage,
    initial: [],
    ...(short !== undefined && { short }),
    parse: (text, before) => [...before, parse(text)],
  };
}

/** `key=value` pairs. */
export function mapFlag(
  usage: string,
  {
    check = (text) => text,
    type = 'map',
    ...rest
  }: { short?: string; type?: string; check?: (text: string) => string } = {},
): Flag<Readonly<Record<string, string>>> {
  return {
    type,
    usage,
    initial: {},
    ...rest,
    parse(text, before) {
      const pair = check(text);
      const at = pair.indexOf('=');
      return { ...before, [at < 0 ? pair : pair.slice(0, at)]: at < 0 ? '' : pair.slice(at + 1) };
    },
  };
}

/** Bytes with a binary unit: `512m`. With `unlimited`, -1 is allowed. */
export function bytesFlag(
  usage: string,
  { unlimited = false, ...rest }: { short?: string; unlimited?: boolean; hidden?: boolean } = {},
): Flag<number> {
  return {
    type: 'bytes',
    usage,
    initial: 0,
    ...rest,
    parse: (text) => (unlimited && text === '-1' ? -1 : parseBinarySize(text)),
  };
}

/** A Go duration in nanoseconds: `1m30s`. */
export function durationFlag(usage: string): Flag<number> {
  return { type: 'duration', usage, initial: 0, parse: (text) => parseGoDuration(text) };
}

/** Filters for lists: `name=value`, gathered by name. */
export function filterFlag(
  usage: string,
  options: { short?: string } = {},
): Flag<Readonly<Record<string, readonly string[]>>> {
  return {
    type: 'filter',
    usage,
    initial: {},
    ...options,
    parse(text, before) {
      if (text === '') return before;
      const at = text.indexOf('=');
      if (at < 0) throw new Error('bad format of filter (expected name=value)');
      const name = text.slice(0, at).trim().toLowerCase();
      const value = text.slice(at + 1).trim();
      const values = before[name] ?? [];
      return { ...before, [name]: values.includes(value) ? values : [...values, value] };
    },
  };
}

/** Another, hidden name for a flag of the same table. */
export function aliasOf(name: string): Flag<undefined> {
  return { type: '', usage: '', initial: undefined, hidden: true, alias: name, parse: () => undefined };
}
