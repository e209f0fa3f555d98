import {
  GoDuration,
  GoNil,
  GoStruct,
  GoTime,
  type GoValue,
  isList,
  isMap,
  mapEntry,
  sortedKeys,
} from './go-values.ts';

/**
 * The Go type behind a JSON value. Templates that print whole values show Go structs as `{a b}` and maps as
 * `map[k:v]`; JSON cannot tell them apart, shapes can. Fields that the daemon left out get Go's zero value.
 */
export type Shape =
  | 'string'
  | 'int'
  | 'bool'
  | 'any'
  | 'time'
  | 'duration'
  | { readonly kind: 'pointer' | 'list' | 'map'; readonly of: Shape; readonly type: string }
  | StructShape;

/** A struct: JSON names, Go names where they differ, and whether a zero value is left out of JSON. */
export interface StructShape {
  readonly kind: 'struct';
  readonly type: string;
  readonly fields: readonly FieldShape[];
}

interface FieldShape {
  readonly name: string;
  readonly json: string;
  readonly omitEmpty: boolean;
  readonly shape: Shape;
}

/**
 * A struct from `{ 'GoName': shape }`. `GoName:JsonName` gives the JSON name where it differs, a trailing `?` says that
 * JSON leaves a zero value out.
 */
export function struct(type: string, fields: Readonly<Record<string, Shape>>): StructShape {
  return {
    kind: 'struct',
    type,
    fields: Object.entries(fields).map(([key, shape]) => {
      const [name = '', json = name] = key.replace(/\?$/, '').split(':');
      return { name, json, omitEmpty: key.endsWith('?'), shape };
    }),
  };
}

const typeOf = (shape: Shape): string =>
  typeof shape === 'string'
    ? {
        any: 'interface {}',
        time: 'time.Time',
        duration: 'time.Duration',
        string: 'string',
        int: 'int',
        bool: 'bool',
      }[shape]
    : shape.type;

/** A pointer: nil if it is not there. */
export const pointer = (of: Shape): Shape => ({ kind: 'pointer', of, type: `*${typeOf(of)}` });
/** A slice: nil prints `[]`. */
export const list = (of: Shape): Shape => ({ kind: 'list', of, type: `[]${typeOf(of)}` });
/** A map with string keys: nil prints `map[]`. */
export const map = (of: Shape): Shape => ({ kind: 'map', of, type: `map[string]${typeOf(of)}` });

/** A JSON value as the Go value of that shape. What does not fit stays as it is. */
export function shaped(value: GoValue | undefined, shape: Shape): GoValue {
  if (typeof shape === 'string') return scalar(value, shape);
  if (shape.kind === 'struct') return shapedStruct(value ?? {}, shape);
  if (value === undefined || value === null) {
    return new GoNil(shape.kind === 'list' ? 'slice' : shape.kind, shape.type);
  }
  if (shape.kind === 'pointer') return shaped(value, shape.of);
  if (shape.kind === 'list') return isList(value) ? value.map((item) => shaped(item, shape.of)) : value;
  if (!isMap(value)) return value;
  // Go's JSON has the keys of maps sorted, whatever order the daemon sent.
  return Object.fromEntries(sortedKeys(value).map((key) => [key, shaped(value[key], shape.of)]));
}

type ScalarShape = Extract<Shape, string>;

function scalar(value: GoValue | undefined, shape: ScalarShape): GoValue {
  switch (shape) {
    case 'any':
      return value ?? null;
    case 'time':
      return new GoTime(typeof value === 'string' ? value : '0001-01-01T00:00:00Z');
    case 'duration':
      return new GoDuration(typeof value === 'number' ? value : 0);
    case 'string':
      return value ?? '';
    case 'int':
      return value ?? 0;
    case 'bool':
      return value ?? false;
  }
}

function shapedStruct(value: GoValue, shape: StructShape): GoValue {
  if (!isMap(value)) return value;
  const fields = new Map<string, GoValue>();
  const json: Record<string, GoValue> = {};
  for (const field of shape.fields) {
    const item = shaped(mapEntry(value, field.json), field.shape);
    fields.set(field.name, item);
    if (!field.omitEmpty || !isEmpty(item)) json[field.json] = item;
  }
  return new GoStruct(shape.type, fields, { json });
}

/** What Go's `omitempty` leaves out. Structs are never empty. */
function isEmpty(value: GoValue): boolean {
  if (value === null || value === '' || value === false || value === 0 || value instanceof GoNil) return true;
  if (value instanceof GoDuration) return value.nanoseconds === 0;
  return (isList(value) && value.length === 0) || (isMap(value) && Object.keys(value).length === 0);
}
