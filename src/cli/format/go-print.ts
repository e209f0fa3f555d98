import { formatGoDuration } from '#/base/units.ts';
import {
  GoDuration,
  GoFloat,
  GoNil,
  GoStruct,
  GoTime,
  type GoValue,
  isList,
  sortedKeys,
} from './go-values.ts';

/** A float as Go's `%v`: the shortest form that reads back, with an exponent below 1e-4 and from 1e6 on. */
export function formatFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  const [digits = '', exponent = '0'] = value.toExponential().split('e');
  const power = Number(exponent);
  if (power >= -4 && power < 6) return Object.is(value, -0) ? '-0' : String(value);
  return `${digits}e${power < 0 ? '-' : '+'}${String(Math.abs(power)).padStart(2, '0')}`;
}

/** A value as Go's `%v` prints it: `map[a:1 b:2]` with sorted keys, `[a b]`, `{a b}`, `<nil>`. */
export function sprint(value: GoValue): string {
  if (value === null) return '<nil>';
  if (typeof value === 'string') return value;
  if (typeof value === 'number')
    return Number.isInteger(value) ? BigInt(value).toString() : formatFloat(value);
  if (typeof value !== 'object') return String(value);
  if (value instanceof GoFloat) return formatFloat(value.value);
  if (value instanceof GoDuration) return formatGoDuration(value.nanoseconds);
  if (value instanceof GoTime) return value.toString();
  if (value instanceof GoNil) return { pointer: '<nil>', slice: '[]', map: 'map[]' }[value.kind];
  if (value instanceof GoStruct) return `{${value.values().map(sprint).join(' ')}}`;
  if (isList(value)) return `[${value.map(sprint).join(' ')}]`;
  return `map[${sortedKeys(value)
    .map((key) => `${key}:${sprint(value[key] ?? null)}`)
    .join(' ')}]`;
}

/** Go's fmt.Sprint: a space between two operands where neither is a string. */
export function sprintAll(values: readonly GoValue[]): string {
  let out = '';
  for (const [index, value] of values.entries()) {
    const before = values[index - 1];
    if (index > 0 && typeof value !== 'string' && typeof before !== 'string') out += ' ';
    out += sprint(value);
  }
  return out;
}

/** What an action prints: as `%v`, but no value at all is `<no value>`. */
export function printed(value: GoValue): string {
  return value === null ? '<no value>' : sprint(value);
}
