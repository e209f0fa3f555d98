import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { compilePathPattern, hasWildcards } from './path-pattern.ts';

test('compilePathPattern: the rules of filepath.Match', () => {
  const cases: readonly (readonly [pattern: string, path: string, expected: boolean])[] = [
    ['abc', 'abc', true],
    ['*', 'abc', true],
    ['*c', 'abc', true],
    ['a*', 'a', true],
    ['a*', 'ab/c', false],
    ['a*/b', 'abc/b', true],
    ['a*/b', 'a/c/b', false],
    ['a*b*c*d*e*/f', 'axbxcxdxe/f', true],
    ['a*b*c*d*e*/f', 'axbxcxdxexxx/f', true],
    ['a*b*c*d*e*/f', 'axbxcxdxe/xxx/f', false],
    ['a*b?c*x', 'abxbbxdbxebxczzx', true],
    ['a*b?c*x', 'abxbbxdbxebxczzy', false],
    ['ab[c]', 'abc', true],
    ['ab[b-d]', 'abc', true],
    ['ab[e-g]', 'abc', false],
    ['ab[^c]', 'abc', false],
    ['ab[^e-g]', 'abc', true],
    ['a\\*b', 'a*b', true],
    ['a\\*b', 'ab', false],
    ['a?b', 'a☺b', true],
    ['a[^a]b', 'a☺b', true],
    ['a???b', 'a☺b', false],
    ['[a-ζ]*', 'α', true],
    ['*[a-ζ]', 'A', false],
    ['a?b', 'a/b', false],
    ['a[^b]b', 'a/b', true],
    ['[\\]a]', ']', true],
    ['[\\-]', '-', true],
    ['[x\\-]', 'x', true],
    ['[\\-x]', 'a', false],
    ['*x', 'xxx', true],
    ['**', 'a/b', false],
    ['a]', 'a]', true],
  ];
  for (const [pattern, path, expected] of cases) {
    assert.equal(compilePathPattern(pattern).matches(path), expected, `${pattern} ${path}`);
  }
});

test('compilePathPattern: refuses malformed patterns', () => {
  for (const pattern of [
    '[]a]',
    '[-]',
    '[x-]',
    '[-x]',
    'a[',
    '[a-b-c]',
    '[',
    '[^',
    '[^bc',
    '\\',
    'a\\',
    '[a-\\',
    '[]',
  ]) {
    assert.throws(
      () => compilePathPattern(pattern),
      { kind: 'invalid', message: /syntax error in pattern/ },
      pattern,
    );
  }
});

test('compilePathPattern: tells folders that hold no match', () => {
  const { mayMatchIn } = compilePathPattern('src/*/x.[ch]');
  assert.deepEqual(['src', 'src/a', 'src/a/b', 'lib', 'lib/a'].map(mayMatchIn), [
    true,
    true,
    false,
    false,
    false,
  ]);
  assert.equal(compilePathPattern('a[^b]c').mayMatchIn('a'), true);
});

test('hasWildcards: escaped ones are none', () => {
  assert.deepEqual(['a', 'a*', 'a?', 'a[b', 'a\\*', '\\[a', '\\\\*'].map(hasWildcards), [
    false,
    true,
    true,
    true,
    false,
    false,
    true,
  ]);
});

/** Tries every way there is. */
function slowMatch(pattern: string, path: string): boolean {
  if (pattern === '') return path === '';
  const [first = ''] = pattern;
  const rest = pattern.slice(first.length);
  if (first === '*') {
    return slowMatch(rest, path) || (path !== '' && path[0] !== '/' && slowMatch(pattern, path.slice(1)));
  }
  if (path === '') return false;
  if (first === '?') return path[0] !== '/' && slowMatch(rest, path.slice(1));
  const set = /^\[(\^?)([^\]]+)\]/.exec(pattern);
  if (set !== null) {
    const isIn = (set[2] ?? '').includes(path[0] ?? '');
    return isIn !== (set[1] === '^') && slowMatch(pattern.slice(set[0].length), path.slice(1));
  }
  return first === path[0] && slowMatch(rest, path.slice(1));
}

test('compilePathPattern: agrees with trying everything', () => {
  const piece = fc.constantFrom('a', 'b', '/', '*', '?', '[ab]', '[^a]', '[/]');
  const pattern = fc.array(piece, { maxLength: 8 }).map((pieces) => pieces.join(''));
  const path = fc.string({ unit: fc.constantFrom('a', 'b', '/'), maxLength: 8 });
  fc.assert(
    fc.property(pattern, path, (text, name) => {
      const { matches, mayMatchIn } = compilePathPattern(text);
      const expected = slowMatch(text, name);
      assert.equal(matches(name), expected);
      if (expected && name.includes('/')) assert.ok(mayMatchIn(name.slice(0, name.lastIndexOf('/'))));
    }),
    { numRuns: 2000 },
  );
});

test('compilePathPattern: takes no longer for hostile patterns', () => {
  const name = 'a'.repeat(4000);
  assert.equal(compilePathPattern(`${'*a'.repeat(200)}b`).matches(name), false);
  assert.equal(compilePathPattern(`${'*[^b]'.repeat(200)}b`).matches(name), false);
});
