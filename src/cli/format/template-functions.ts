import { toJson } from './go-json.ts';
import { sprint, sprintAll } from './go-print.ts';
import { sprintf } from './go-printf.ts';
import {
  basicKind,
  GoNil,
  GoStruct,
  type GoValue,
  isList,
  isMap,
  isTrue,
  mapEntry,
  numberIn,
  typeName,
} from './go-values.ts';

/** What a parameter of a template function accepts. */
export type Parameter = 'any' | 'string' | 'int' | 'strings';

/** A function that templates can call. `and` and `or` are not here: they do not evaluate all their arguments. */
export interface TemplateFunction {
  readonly params: readonly Parameter[];
  /** The last parameter may be given any number of times, also none. */
  readonly variadic?: boolean;
  /** Throws an Error whose message follows "error calling NAME: ". */
  call(args: readonly GoValue[]): GoValue;
}

const text = (value: GoValue | undefined): string =>
  typeof value === 'string' ? value : sprint(value ?? null);
const integer = (value: GoValue | undefined): number => Number(numberIn(value ?? 0));

function equal(a: GoValue, b: GoValue): boolean {
  const [kindA, kindB] = [basicKind(a), basicKind(b)];
  const nilA = a === null || a instanceof GoNil;
  const nilB = b === null || b instanceof GoNil;
  if (kindA !== kindB) {
    if (a !== null && b !== null) throw new Error('incompatible types for comparison');
    return false;
  }
  if (kindA === 'int') return BigInt(numberIn(a)) === BigInt(numberIn(b));
  if (kindA === 'float') return numberIn(a) === numberIn(b);
  if (kindA !== 'other') return a === b;
  if (nilA || nilB) return nilA && nilB;
  if (isList(a) || isMap(a)) throw new Error(`non-comparable type ${sprint(a)}: ${typeName(a)}`);
  return a === b;
}

function less(a: GoValue, b: GoValue): boolean {
  const [kindA, kindB] = [basicKind(a), basicKind(b)];
  if (kindA !== kindB) throw new Error('incompatible types for comparison');
  if (kindA === 'other' || kindA === 'bool') throw new Error('invalid type for comparison');
  if (kindA === 'string') return Buffer.compare(Buffer.from(text(a)), Buffer.from(text(b))) < 0;
  return numberIn(a) < numberIn(b);
}

function indexed(item: GoValue, key: GoValue): GoValue {
  if (item === null) throw new Error('index of untyped nil');
  if (item instanceof GoNil && item.kind === 'pointer') throw new Error('index of nil pointer');
  if (isMap(item) || (item instanceof GoNil && item.kind === 'map')) {
    if (typeof key !== 'string') throw new Error(`value has type ${typeName(key)}; should be string`);
    return isMap(item) ? (mapEntry(item, key) ?? zeroLike(item)) : '';
  }
  if (!isList(item) && typeof item !== 'string' && !(item instanceof GoNil)) {
    throw new Error(`can't index item of type ${typeName(item)}`);
  }
  if (basicKind(key) !== 'int') throw new Error(`cannot index slice/array with type ${typeName(key)}`);
  const at = integer(key);
  const list = typeof item === 'string' ? [...Buffer.from(item)] : isList(item) ? item : [];
  if (at < 0 || at >= list.length) throw new Error(`index out of range: ${at}`);
  return list[at] ?? null;
}

/** What Go gives for a key that is missing: the zero of the element type, which we guess from the other elements. */
function zeroLike(map: { readonly [key: string]: GoValue }): GoValue {
  const values = Object.values(map);
  return values.length > 0 && values.every((value) => typeof value === 'string') ? '' : null;
}

function sliced(item: GoValue, bounds: readonly GoValue[]): GoValue {
  if (item === null) throw new Error('slice of untyped nil');
  if (!isList(item) && typeof item !== 'string')
    throw new Error(`can't slice item of type ${typeName(item)}`);
  if (bounds.length > 3) throw new Error(`too many slice indexes: ${bounds.length}`);
  if (typeof item === 'string' && bounds.length === 3) throw new Error('cannot 3-index slice a string');
  const bytes = typeof item === 'string' ? Buffer.from(item) : undefined;
  const length = bytes?.length ?? item.length;
  const [from = 0, to = length] = bounds.map((bound) => {
    if (basicKind(bound) !== 'int') throw new Error(`cannot index slice/array with type ${typeName(bound)}`);
    const at = integer(bound);
    if (at < 0 || at > length) throw new Error(`index out of range: ${at}`);
    return at;
  });
  if (from > to) throw new Error(`invalid slice index: ${from} > ${to}`);
  return bytes === undefined ? item.slice(from, to) : bytes.subarray(from, to).toString();
}

function lengthOf(item: GoValue): number {
  if (item === null) throw new Error('len of untyped nil');
  if (typeof item === 'string') return Buffer.byteLength(item);
  if (isList(item)) return item.length;
  if (isMap(item)) return Object.keys(item).length;
  if (item instanceof GoNil) {
    if (item.kind === 'pointer') throw new Error('len of nil pointer');
    return 0;
  }
  throw new Error(`len of type ${typeName(item)}`);
}

const htmlEscapes: Readonly<Record<string, string>> = {
  '"': '&#34;',
  "'": '&#39;',
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '\0': '\uFFFD',
};

function scriptEscape(char: string): string {
  const short = { '\\': '\\\\', "'": "\\'", '"': '\\"' }[char];
  return short ?? `\\u${(char.charCodeAt(0) || 0).toString(16).toUpperCase().padStart(4, '0')}`;
}

const compare = (result: (a: GoValue, b: GoValue) => boolean): TemplateFunction => ({
  params: ['any', 'any'],
  call: ([a = null, b = null]) => result(a, b),
});

/** The functions of Go's text/template. */
const builtins: Readonly<Record<string, TemplateFunction>> = {
  eq: {
    params: ['any', 'any'],
    variadic: true,
    call: ([first = null, ...others]) => {
      if (others.length === 0) throw new Error('missing argument for comparison');
      return others.some((other) => equal(first, other));
    },
  },
  ne: compare((a, b) => !equal(a, b)),
  lt: compare(less),
  le: compare((a, b) => less(a, b) || equal(a, b)),
  gt: compare((a, b) => !less(a, b) && !equal(a, b)),
  ge: compare((a, b) => !less(a, b)),
  not: { params: ['any'], call: ([value = null]) => !isTrue(value) },
  len: { params: ['any'], call: ([item = null]) => lengthOf(item) },
  index: {
    params: ['any', 'any'],
    variadic: true,
    call: ([item = null, ...keys]) => keys.reduce<GoValue>(indexed, item),
  },
  slice: { params: ['any', 'any'], variadic: true, call: ([item = null, ...bounds]) => sliced(item, bounds) },
  print: { params: ['any'], variadic: true, call: sprintAll },
  println: { params: ['any'], variadic: true, call: (args) => `${args.map(sprint).join(' ')}\n` },
  printf: {
    params: ['string', 'any'],
    variadic: true,
    call: ([format, ...args]) => sprintf(text(format), args),
  },
  html: {
    params: ['any'],
    variadic: true,
    call: (args) => sprintAll(args).replace(/["'&<>\0]/g, (char) => htmlEscapes[char] ?? ''),
  },
  js: {
    params: ['any'],
    variadic: true,
    call: (args) => sprintAll(args).replace(/[\\'"<>&=\p{Cc}]/gu, scriptEscape),
  },
  urlquery: {
    params: ['any'],
    variadic: true,
    call: (args) =>
      encodeURIComponent(sprintAll(args))
        .replaceAll('%20', '+')
        .replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`),
  },
  call: {
    params: ['any', 'any'],
    variadic: true,
    call: ([value = null]) => {
      if (value === null) throw new Error('call of nil');
      throw new Error(`non-function ${sprint(value)} of type ${typeName(value)}`);
    },
  },
};

/** The functions that Docker adds. */
const added: Readonly<Record<string, TemplateFunction>> = {
  json: { params: ['any'], call: ([value = null]) => toJson(value) },
  split: { params: ['string', 'string'], call: ([value, separator]) => text(value).split(text(separator)) },
  join: {
    params: ['strings', 'string'],
    call: ([list, separator]) =>
      isList(list ?? null) ? (list as readonly GoValue[]).map(text).join(text(separator)) : '',
  },
  title: {
    params: ['string'],
    call: ([value]) => text(value).replace(/(?<![\p{L}\p{N}_'])\p{L}/gu, (letter) => letter.toUpperCase()),
  },
  lower: { params: ['string'], call: ([value]) => text(value).toLowerCase() },
  upper: { params: ['string'], call: ([value]) => text(value).toUpperCase() },
  pad: {
    params: ['string', 'int', 'int'],
    call: ([value, before, after]) =>
      text(value) === '' ? '' : ' '.repeat(integer(before)) + text(value) + ' '.repeat(integer(after)),
  },
  truncate: {
    params: ['string', 'int'],
    call: ([value, length]) => Buffer.from(text(value)).subarray(0, integer(length)).toString(),
  },
};

/** In the header of a table these functions leave the name of the column alone. */
const untouched = ['json', 'split', 'join', 'title', 'lower', 'upper', 'truncate'];

/** All functions of a template. */
export const templateFunctions: Readonly<Record<string, TemplateFunction>> = { ...builtins, ...added };

/** All functions as they act on a header: padding still pads. */
export const headerFunctions: Readonly<Record<string, TemplateFunction>> = {
  ...templateFunctions,
  ...Object.fromEntries(
    untouched.map((name) => [
      name,
      {
        params: ['string', ...(added[name]?.params.slice(1) ?? [])] as const,
        call: ([value = null]: readonly GoValue[]) => value,
      },
    ]),
  ),
};

/** Checks an argument against a parameter; the message completes `wrong type for value; expected …`. */
export function mismatch(value: GoValue, parameter: Parameter): string | undefined {
  if (parameter === 'any') return undefined;
  if (parameter === 'string') {
    return typeof value === 'string' ? undefined : `expected string; got ${describeType(value)}`;
  }
  if (parameter === 'int')
    return basicKind(value) === 'int' ? undefined : `expected int; got ${describeType(value)}`;
  const fits =
    (isList(value) && value.every((item) => typeof item === 'string')) ||
    (value instanceof GoNil && value.kind === 'slice');
  return fits ? undefined : `expected []string; got ${describeType(value)}`;
}

function describeType(value: GoValue): string {
  return value instanceof GoStruct ? value.type.replace(/^\*/, '') : typeName(value);
}
