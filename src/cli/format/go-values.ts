/**
 * What templates work on: JSON values, plus the few Go types whose printed form JSON cannot tell. `null` is Go's nil
 * interface and the "no value" of a missing map entry; a plain object is a map; integers are numbers or, beyond 2^53,
 * bigints.
 */
export type GoValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | GoFloat
  | GoNil
  | GoTime
  | GoDuration
  | GoStruct
  | readonly GoValue[]
  | GoMap;

/** A map with string keys. */
export type GoMap = { readonly [key: string]: GoValue };

/** A floating-point number that may have an integral value. */
export class GoFloat {
  readonly value: number;

  constructor(value: number) {
    this.value = value;
  }
}

/** A nil that has a type: it prints as `<nil>`, `[]` or `map[]`. */
export class GoNil {
  readonly kind: 'pointer' | 'slice' | 'map';
  readonly type: string;

  constructor(kind: GoNil['kind'], type: string) {
    this.kind = kind;
    this.type = type;
  }
}

/** A time.Time: prints like `2006-01-02 15:04:05.999 +0000 UTC`, is RFC 3339 in JSON. */
export class GoTime {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }

  /** Go's `Time.String()` of an RFC 3339 text. */
  toString(): string {
    const match = /^(\d{4,}-\d{2}-\d{2})T(\d{2}:\d{2}:\d{2}(?:\.\d+)?)(Z|([+-]\d{2}):?(\d{2}))$/.exec(
      this.text,
    );
    if (match === null) return this.text;
    const [, date, time, zone, hours, minutes] = match;
    const clock = (time ?? '').replace(/\.?0+$/, (zeros) =>
      zeros.startsWith('.') || time?.includes('.') ? '' : zeros,
    );
    return zone === 'Z'
      ? `${date} ${clock} +0000 UTC`
      : `${date} ${clock} ${hours}${minutes} ${hours}${minutes}`;
  }
}

/** A time.Duration in nanoseconds. */
export class GoDuration {
  readonly nanoseconds: number;

  constructor(nanoseconds: number) {
    this.nanoseconds = nanoseconds;
  }
}

/** A method that a template can call: its parameters and what it does. */
export interface GoMethod {
  readonly params: readonly ('string' | 'int')[];
  call(args: readonly GoValue[]): GoValue;
}

/** A struct: fields in order, possibly computed when read, and methods. */
export class GoStruct {
  /** As Go prints it in messages, for example `*formatter.ContainerContext`. */
  readonly type: string;
  readonly #fields: ReadonlyMap<string, GoValue | (() => GoValue)>;
  readonly #methods: Readonly<Record<string, GoMethod>>;
  readonly #json: GoValue | undefined;
  readonly #missing: GoValue | undefined;

  /**
   * `json` is what the json function prints instead of the fields, where the two differ; `missing` the value of fields
   * that there are not, instead of an error.
   */
  constructor(
    type: string,
    fields: ReadonlyMap<string, GoValue | (() => GoValue)>,
    {
      methods = {},
      json,
      missing,
    }: { methods?: Readonly<Record<string, GoMethod>>; json?: GoValue; missing?: GoValue } = {},
  ) {
    this.type = type;
    this.#fields = fields;
    this.#methods = methods;
    this.#json = json;
    this.#missing = missing;
  }

  /** The value of a field, `undefined` if there is none of that name. */
  get(name: string): GoValue | undefined {
    const field = this.#fields.has(name) ? this.#fields.get(name) : this.#missing;
    return typeof field === 'function' ? field() : field;
  }

  method(name: string): GoMethod | undefined {
    return Object.hasOwn(this.#methods, name) ? this.#methods[name] : undefined;
  }

  values(): GoValue[] {
    return [...this.#fields.keys()].map((name) => this.get(name) ?? null);
  }

  names(): string[] {
    return [...this.#fields.keys()];
  }

  /** What `json` prints: by default a map of the fields, sorted by name. */
  toJson(): GoValue {
    if (this.#json !== undefined) return this.#json;
    return Object.fromEntries([...this.#fields.keys()].sort().map((name) => [name, this.get(name) ?? null]));
  }
}

/** A list, not one of the other objects. */
export function isList(value: GoValue): value is readonly GoValue[] {
  return Array.isArray(value);
}

/** A map, not one of the other objects. */
export function isMap(value: GoValue): value is GoMap {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}

/** The entry of a map, `undefined` if there is none. */
export function mapEntry(map: GoMap, key: string): GoValue | undefined {
  return Object.hasOwn(map, key) ? map[key] : undefined;
}

/** The keys of a map in Go's order: by bytes. */
export function sortedKeys(map: GoMap): string[] {
  return Object.keys(map).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}

/** The kinds that Go's comparison functions distinguish. */
export type BasicKind = 'bool' | 'int' | 'float' | 'string' | 'other';

/** What kind of value it is for comparison. */
export function basicKind(value: GoValue): BasicKind {
  if (typeof value === 'boolean') return 'bool';
  if (typeof value === 'string') return 'string';
  if (typeof value === 'bigint' || value instanceof GoDuration) return 'int';
  if (typeof value === 'number') return Number.isInteger(value) ? 'int' : 'float';
  return value instanceof GoFloat ? 'float' : 'other';
}

/** The number in a value of kind int or float. */
export function numberIn(value: GoValue): number | bigint {
  if (value instanceof GoDuration) return value.nanoseconds;
  if (value instanceof GoFloat) return value.value;
  return typeof value === 'bigint' ? value : Number(value);
}

/** Go's truth: false are zero, "", empty lists and maps, nil and no value. */
export function isTrue(value: GoValue): boolean {
  if (value === null || value instanceof GoNil) return false;
  if (typeof value === 'object') {
    if (isList(value)) return value.length > 0;
    if (isMap(value)) return Object.keys(value).length > 0;
    if (value instanceof GoFloat) return value.value !== 0;
    if (value instanceof GoDuration) return value.nanoseconds !== 0;
    return true;
  }
  return Boolean(value);
}

/** The name of a value's type as Go prints it. */
export function typeName(value: GoValue): string {
  if (value === null) return '<nil>';
  if (value instanceof GoStruct || value instanceof GoNil) return value.type;
  if (value instanceof GoTime) return 'time.Time';
  if (value instanceof GoDuration) return 'time.Duration';
  if (isList(value)) return value.every((item) => typeof item === 'string') ? '[]string' : '[]interface {}';
  if (isMap(value)) return 'map[string]interface {}';
  const kind = basicKind(value);
  return kind === 'float' ? 'float64' : kind;
}
