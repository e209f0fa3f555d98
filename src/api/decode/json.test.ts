import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  boolean,
  command,
  type Decoder,
  int64,
  list,
  map,
  nullable,
  omitEmpty,
  string,
  stringMap,
  struct,
  uint16,
} from './json.ts';

interface Thing {
  readonly Name: string;
  readonly Size: number;
  readonly On: boolean;
  readonly Tags: readonly string[] | null;
  readonly Limit: number | null;
  readonly Extra?: Readonly<Record<string, string>>;
}

const thing: Decoder<Thing> = struct('Thing', {
  Name: string,
  Size: int64,
  On: boolean,
  Tags: list(string),
  Limit: nullable(int64),
  Extra: omitEmpty(stringMap),
});
const zero: Thing = { Name: '', Size: 0, On: false, Tags: null, Limit: null };

test('struct: absent and null are zero, unknown keys are ignored, keys match in any case, the last one wins', () => {
  assert.deepEqual(thing({}, ''), zero);
  assert.deepEqual(thing(null, ''), zero);
  assert.deepEqual(thing({ Name: null, Tags: null, Other: 1, Extra: {} }, ''), zero);
  assert.deepEqual(thing({ name: 'a', NAME: 'b', tags: [], extra: { k: 'v' } }, ''), {
    ...zero,
    Name: 'b',
    Tags: [],
    Extra: { k: 'v' },
  });
});

test('struct: a wrong type is refused with its place', () => {
  const wrong: [unknown, RegExp][] = [
    [[], /cannot unmarshal array into Go value of type Thing/],
    ['x', /cannot unmarshal string into Go value of type Thing/],
    [{ Name: 1 }, /cannot unmarshal number into Go struct field \.Name of type string/],
    [{ Size: 1.5 }, /cannot unmarshal number 1\.5 into Go struct field \.Size of type int64/],
    [{ On: 'true' }, /cannot unmarshal string into Go struct field \.On of type bool/],
    [{ Tags: ['a', true] }, /cannot unmarshal bool into Go struct field \.Tags\.1 of type string/],
    [{ Tags: {} }, /cannot unmarshal object into Go struct field \.Tags/],
    [{ Extra: { k: 1 } }, /field \.Extra\.k of type string/],
  ];
  for (const [value, message] of wrong) assert.throws(() => thing(value, ''), message);
});

test('struct: gives a Thing or a DecodeError for any JSON', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      try {
        const { Name, Size, On } = thing(value, '');
        return typeof Name === 'string' && Number.isSafeInteger(Size) && typeof On === 'boolean';
      } catch (error) {
        return error instanceof Error && error.name === 'DecodeError';
      }
    }),
  );
});

test('int64: numbers beyond 2^53 become the largest exact one, those beyond 2^63 are refused', () => {
  assert.equal(int64(2 ** 63, ''), Number.MAX_SAFE_INTEGER);
  assert.equal(int64(-(2 ** 63), ''), Number.MIN_SAFE_INTEGER);
  assert.throws(() => int64(1e19, ''), /int64/);
});

test('uint16: bounds', () => {
  assert.equal(uint16(65535, ''), 65535);
  for (const value of [65536, -1, 0.5]) assert.throws(() => uint16(value, '.W'), /field \.W of type uint16/);
});

test('command: a string is a list of one', () => {
  assert.deepEqual(command('a b', ''), ['a b']);
  assert.deepEqual(command(['a'], ''), ['a']);
  assert.equal(command(undefined, ''), null);
});

test('map: a key named __proto__ is only a key', () => {
  const decoded = map(string)(JSON.parse('{"__proto__":"x"}'), '');
  assert.deepEqual(Object.entries(decoded ?? {}), [['__proto__', 'x']]);
  assert.equal(Object.getPrototypeOf(decoded), Object.prototype);
});
