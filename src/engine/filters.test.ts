import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Filters } from '#/wire/filters.ts';
import {
  booleanFilter,
  checkFilterNames,
  hasLabels,
  matchesName,
  prunesLabels,
  untilFilter,
} from './filters.ts';

function filters(values: Readonly<Record<string, readonly string[]>>): Filters {
  return new Map(Object.entries(values));
}

test('booleanFilter: takes 0, 1, false and true, and refuses others and contradictions', () => {
  for (const value of ['1', 'true']) assert.equal(booleanFilter(filters({ d: [value] }), 'd', false), true);
  for (const value of ['0', 'false']) assert.equal(booleanFilter(filters({ d: [value] }), 'd', true), false);
  assert.equal(booleanFilter(filters({}), 'd', true), true);
  assert.throws(
    () => booleanFilter(filters({ d: ['True'] }), 'd', true),
    /^EngineError: invalid filter 'd=\[True\]'$/,
  );
  assert.throws(() => booleanFilter(filters({ d: ['true', 'false'] }), 'd', true), /'d=\[true false\]'/);
});

test('checkFilterNames: names the first unknown one', () => {
  assert.throws(() => checkFilterNames(filters({ a: [], b: [] }), ['a']), {
    message: "invalid filter 'b'",
    kind: 'invalid',
  });
});

test('hasLabels: every label must be there, with the value if one is given', () => {
  const labels = { a: 'b', empty: '' };
  const has = (...label: string[]): boolean => hasLabels(filters({ label }), labels);
  assert.deepEqual([has('a'), has('a=b'), has('empty='), has('a', 'empty')], [true, true, true, true]);
  assert.deepEqual([has('a=c'), has('x'), has('a', 'x'), has('toString')], [false, false, false, false]);
  assert.equal(hasLabels(filters({ label: ['a'] }), null), false);
});

test('prunesLabels: spares what has all the unwanted labels', () => {
  assert.equal(prunesLabels(filters({ 'label!': ['a'] }), { a: 'b' }), false);
  assert.equal(prunesLabels(filters({ 'label!': ['a', 'x'] }), { a: 'b' }), true);
  assert.equal(prunesLabels(filters({ 'label!': ['x'], label: ['y'] }), { a: 'b' }), false);
});

test('untilFilter: takes one moment', () => {
  assert.equal(untilFilter(filters({})), undefined);
  assert.equal(untilFilter(filters({ until: ['1.5'] })), 1_500_000_000n);
  assert.throws(() => untilFilter(filters({ until: ['1h', '2h'] })), /more than one until filter specified/);
  assert.throws(
    () => untilFilter(filters({ until: ['x'] })),
    /failed to parse value as time or duration: "x"/,
  );
});

test('matchesName: a regular expression, unless it could take long', () => {
  assert.equal(matchesName('v1$', 'iv1'), true);
  assert.equal(matchesName('^v', 'iv1'), false);
  assert.equal(matchesName('(', 'iv1'), false);
  assert.equal(matchesName('(a+)+$', `${'a'.repeat(5000)}!`), false);
});
