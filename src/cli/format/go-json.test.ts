import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { indentJson, parseJson, toJson } from './go-json.ts';

test('parseJson: integers beyond 2^53 stay exact', () => {
  const text = '{"a":9223372036854775807,"b":[-9007199254740993,1.5,1e30],"c":"9223372036854775807","d":1}';
  assert.deepEqual(parseJson(text), {
    a: 9223372036854775807n,
    b: [-9007199254740993n, 1.5, 1e30],
    c: '9223372036854775807',
    d: 1,
  });
  assert.equal(toJson(parseJson('[9223372036854775807]')), '[9223372036854775807]');
});

test('indentJson: is JSON.stringify with an indent', () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      assert.equal(indentJson(JSON.stringify(value), '    '), JSON.stringify(value, null, 4));
    }),
  );
});

test('indentJson: leaves numbers and escapes alone', () => {
  assert.equal(
    indentJson('{"a":1.0e+3,"b":"\\u003c\\""}', '  '),
    '{\n  "a": 1.0e+3,\n  "b": "\\u003c\\""\n}',
  );
  assert.equal(indentJson('{"a":{},"b":[]}', ' '), '{\n "a": {},\n "b": []\n}');
});
