import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseCsvLine } from './csv.ts';

test('parseCsvLine: reads back what is quoted as RFC 4180 says', () => {
  fc.assert(
    fc.property(fc.array(fc.string(), { minLength: 1 }), (fields) => {
      const line = fields.map((field) => `"${field.replaceAll('"', '""')}"`).join(',');
      assert.deepEqual(parseCsvLine(line), fields);
    }),
  );
});

test('parseCsvLine: plain fields, and quotes in the wrong place', () => {
  assert.deepEqual(parseCsvLine('a=b,,c'), ['a=b', '', 'c']);
  assert.throws(() => parseCsvLine('a"b'), {
    message: 'parse error on line 1, column 2: bare " in non-quoted-field',
  });
  assert.throws(() => parseCsvLine('"a'), /extraneous or missing " in quoted-field/);
});
