import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { encodeFilters, parseFilters } from './filters.ts';

test('parseFilters: both forms and the empty ones', () => {
  assert.deepEqual(
    [...parseFilters('{"label":["a=b","c"],"name":{"x":true,"y":false}}')],
    [
      ['label', ['a=b', 'c']],
      ['name', ['x', 'y']],
    ],
  );
  for (const text of ['', '{}', 'null']) assert.equal(parseFilters(text).size, 0);
});

test('parseFilters: refuses everything else', () => {
  for (const text of ['x', '[]', '1', '{"a":1}', '{"a":"b"}', '{"a":[1]}', '{"a":{"b":1}}', '{} {}']) {
    assert.throws(() => parseFilters(text), SyntaxError, text);
  }
});

test('encodeFilters: parseFilters reads it back', () => {
  const names = fc.string().filter((name) => name !== '__proto__');
  fc.assert(
    fc.property(fc.dictionary(names, fc.uniqueArray(names)), (filters) => {
      const back = parseFilters(encodeFilters(filters));
      for (const [name, values] of Object.entries(filters)) {
        assert.deepEqual(new Set(back.get(name)), new Set(values));
      }
    }),
  );
});
