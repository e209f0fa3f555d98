import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compileGlob } from './glob.ts';

test('compileGlob: matches as path.Match of Go does', () => {
  const matching: readonly (readonly [string, string])[] = [
    ['z*', 'zrich'],
    ['z*:1', 'zrich:1'],
    ['*/*', 'me/app'],
    ['b?x', 'box'],
    ['[a-c]x', 'bx'],
    ['[^a-c]x', 'dx'],
    ['a\\*b', 'a*b'],
    ['[\\]]', ']'],
    ['**a*', 'xxaxx'],
    ['', ''],
  ];
  for (const [pattern, name] of matching) assert.equal(compileGlob(pattern)(name), true, pattern);
  const failing: readonly (readonly [string, string])[] = [
    ['*', 'me/app'],
    ['a?', 'a'],
    ['[a-c]', 'd'],
    ['a*b', 'abc'],
    ['a', ''],
  ];
  for (const [pattern, name] of failing) assert.equal(compileGlob(pattern)(name), false, pattern);
});

test('compileGlob: refuses malformed patterns', () => {
  for (const pattern of ['[', '[]', '[a', 'a\\', '[-a]', '[a-]']) {
    assert.throws(() => compileGlob(pattern), /syntax error in pattern/, pattern);
  }
});

test('compileGlob: stars match like the regular expression that they mean', () => {
  const letters = fc.string({ unit: fc.constantFrom('a', 'b', '*', '/', '?'), maxLength: 12 });
  fc.assert(
    fc.property(
      letters,
      fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 12 }),
      (pattern, name) => {
        const meant = new RegExp(`^${pattern.replace(/[*]+/g, '[^/]*').replaceAll('?', '[^/]')}$`);
        assert.equal(compileGlob(pattern)(name), meant.test(name));
      },
    ),
  );
  assert.equal(compileGlob(`${'a*'.repeat(50)}b`)('a'.repeat(5000)), false);
});
