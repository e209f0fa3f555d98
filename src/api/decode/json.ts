/**
 * Turns JSON of unknown shape into typed values as Go's encoding/json does, because that is what Docker's clients were
 * written against: keys match in any case, unknown keys are ignored, null and absent are the zero value, and a wrong
 * type is an error that names where it is.
 */

/** Gives a typed value from a parsed one; `undefined` means absent. `path` is where it stands, for messages. */
export type Decoder<T> = (value: unknown, path: string) => T;

/** A value of the wrong type. */
export class DecodeError extends Error {
  constructor(value: unknown, path: string, type: string) {
    const place = path === '' ? `Go value of type ${type}` : `Go struct field ${path} of type ${type}`;
    const literal = typeof value === 'number' && /^u?int/.test(type) ? ` ${value}` : '';
    super(`json: cannot unmarshal ${describe(value)}${literal} into ${place}`);
    this.name = 'DecodeError';
  }
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return 'array';
  return typeof value === 'boolean' ? 'bool' : typeof value;
}

function isZero(value: unknown): value is undefined | null {
  return value === undefined || value === null;
}

/** A string; zero is "". */
export const string: Decoder<string> = (value, path) => {
  if (isZero(value)) return '';
  if (typeof value !== 'string') throw new DecodeError(value, path, 'string');
  return value;
};

/** A truth value; zero is false. */
export const boolean: Decoder<boolean> = (value, path) => {
  if (isZero(value)) return false;
  if (typeof value !== 'boolean') throw new DecodeError(value, path, 'bool');
  return value;
};

/** A whole number within bounds; zero is 0. */
function integer(type: string, min: number, max: number): Decoder<number> {
  return (value, path) => {
    if (isZero(value)) return 0;
    if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
      throw new DecodeError(value, path, type);
    }
    return value;
  };
}

const wholeInt64 = integer('int64', -(2 ** 63), 2 ** 63);

/** A 64-bit number. Beyond 2^53 it is cut to 2^53-1, so that what is written back is a valid int64 and means the same: no limit. */
export const int64: Decoder<number> = (value, path) =>
  Math.max(Number.MIN_SAFE_INTEGER, Math.min(Number.MAX_SAFE_INTEGER, wholeInt64(value, path)));

/** Go's int where a small number is meant. */
export const int: Decoder<number> = integer('int', Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);

/** Small unsigned numbers. */
export const uint16: Decoder<number> = integer('uint16', 0, 0xffff);
/** Permission bits and the like. */
export const uint32: Decoder<number> = integer('uint32', 0, 0xffff_ffff);
/** A size or a rate. */
export const uint64: Decoder<number> = (value, path) =>
  Math.min(Number.MAX_SAFE_INTEGER, integer('uint64', 0, 2 ** 64)(value, path));

/** Go's pointer: null when absent. */
export function nullable<T>(inner: Decoder<T>): Decoder<T | null> {
  return (value, path) => (isZero(value) ? null : inner(value, path));
}

/** Go's pointer with omitempty: undefined when absent. */
export function optional<T>(inner: Decoder<T>): Decoder<T | undefined> {
  return (value, path) => (isZero(value) ? undefined : inner(value, path));
}

/** Go's omitempty: undefined when absent or zero ("" or 0 or false or without members). */
export function omitEmpty<T>(inner: Decoder<T | null>): Decoder<T | undefined> {
  return (value, path) => {
    const result = inner(value, path);
    if (result === null || result === '' || result === 0 || result === false) return undefined;
    if (typeof result === 'object' && Object.keys(result).length === 0) return undefined;
    return result;
  };
}

/** A slice; zero is null, an empty one stays empty. */
export function list<T>(inner: Decoder<T>, type: string = 'slice'): Decoder<readonly T[] | null> {
  return (value, path) => {
    if (isZero(value)) return null;
    if (!Array.isArray(value)) throw new DecodeError(value, path, type);
    return value.map((item: unknown, index) => inner(item, `${path}.${index}`));
  };
}

/** A slice of strings. */
export const strings: Decoder<readonly string[] | null> = list(string, '[]string');

/** A command: a list, or (as in old clients) one string, which is a list of one. */
export const command: Decoder<readonly string[] | null> = (value, path) =>
  typeof value === 'string' ? [value] : strings(value, path);

/** A map with string keys; zero is null. */
export function map<T>(inner: Decoder<T>, type: string = 'map'): Decoder<Readonly<Record<string, T>> | null> {
  return (value, path) => {
    if (isZero(value)) return null;
    const entries = entriesOf(value, path, type);
    return Object.fromEntries(entries.map(([key, item]) => [key, inner(item, `${path}.${key}`)]));
  };
}

/** A map from strings to strings. */
export const stringMap: Decoder<Readonly<Record<string, string>> | null> = map(string, 'map[string]string');

/** What an empty struct holds: nothing. */
export const nothing: Decoder<Readonly<Record<string, never>>> = (value, path) => {
  if (!isZero(value)) entriesOf(value, path, 'struct {}');
  return {};
};

/** The decoders of a struct's fields. Where an optional one gives undefined, the result lacks the field. */
export type Fields<T> = {
  readonly [K in keyof T]-?: Decoder<object extends Pick<T, K> ? T[K] | undefined : T[K]>;
};

/** A struct. Keys match in any case, later ones win, unknown ones are ignored. */
export function struct<T extends object>(type: string, fields: Fields<NoInfer<T>>): Decoder<T> {
  const decoders = Object.entries(fields) as [keyof T & string, Decoder<T[keyof T & string] | undefined>][];
  const nameOf = new Map(decoders.map(([name]) => [name.toLowerCase(), name]));
  return (value, path) => {
    const given = new Map<string, unknown>();
    if (!isZero(value)) {
      for (const [key, item] of entriesOf(value, path, type)) {
        const name = nameOf.get(key.toLowerCase());
        if (name !== undefined) given.set(name, item);
      }
    }
    const result: Partial<T> = {};
    for (const [name, decode] of decoders) {
      const decoded = decode(given.get(name), `${path}.${name}`);
      if (decoded !== undefined) result[name] = decoded;
    }
    // Every field was decoded; those that are missing may be, because their decoder gave undefined.
    return result as T;
  };
}

function entriesOf(value: unknown, path: string, type: string): [string, unknown][] {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DecodeError(value, path, type);
  return Object.entries(value);
}
