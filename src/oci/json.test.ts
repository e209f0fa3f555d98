import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { parseJson } from './json.ts';

const bounds = { what: 'thing', maxBytes: 1000 };

test('parseJson: refuses what is too large, too deep, not UTF-8 or not JSON', () => {
  assert.throws(() => parseJson(Buffer.alloc(1001, ' '), bounds), { kind: 'tooLarge' });
  const deep = (levels: number): Buffer => Buffer.from('['.repeat(levels) + ']'.repeat(levels));
  assert.throws(() => parseJson(deep(33), bounds), /nested more than 32 levels/);
  assert.ok(parseJson(deep(32), bounds).isPresent);
  assert.ok(parseJson(Buffer.from(`"${'['.repeat(50)}\\"["`), bounds).isPresent);
  assert.throws(() => parseJson(Buffer.from([0x22, 0xff, 0x22]), bounds), /thing is not valid JSON/);
  assert.throws(() => parseJson(Buffer.from('{} {}'), bounds), /thing is not valid JSON/);
});

test('Field: a wrong type is an error with its path, never a coercion', () => {
  const field = parseJson(Buffer.from('{"a":[{"b":"1"}],"n":-1,"f":1.5,"big":9007199254740993}'), bounds);
  const element = field.get('a').list(5, (f) => f)[0];
  assert.throws(
    () => element?.get('b').count(),
    /^EngineError: thing\.a\[0\]\.b: expected a whole number of at least 0, got "1"$/,
  );
  assert.throws(() => field.get('n').count(), /thing\.n/);
  assert.throws(() => field.get('f').integer(), /thing\.f/);
  assert.throws(() => field.get('big').integer(), /thing\.big/);
  assert.throws(() => field.get('a').string(), /expected a string/);
  assert.throws(() => field.get('a').get('x'), /expected an object/);
  assert.throws(() => field.get('a').list(0, (f) => f), /more than the 0/);
  assert.throws(() => field.record(1, (f) => f), /more than the 1/);
  assert.throws(() => field.get('none').string(), /got nothing/);
});

test('Field: inherited names are absent and __proto__ is an ordinary member', () => {
  const field = parseJson(Buffer.from('{"__proto__":{"x":"y"}}'), bounds);
  assert.equal(field.get('toString').isPresent, false);
  assert.equal(field.get('x').isPresent, false);
  assert.deepEqual(Object.keys(field.record(5, (f) => f.get('x').string())), ['__proto__']);
});

test('parseJson: accepts exactly what JSON.parse does, within its bounds', () => {
  fc.assert(
    fc.property(fc.json({ maxDepth: 5 }), (text) => {
      const bytes = Buffer.from(text);
      if (bytes.length > bounds.maxBytes) return;
      assert.equal(parseJson(bytes, bounds).isPresent, JSON.parse(text) !== null);
    }),
  );
});
