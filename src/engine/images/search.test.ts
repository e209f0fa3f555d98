import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { SearchResult } from '#/wire/registry.ts';
import { searchFilter, searchLimit, splitTerm } from './search.ts';

const result: SearchResult = {
  name: 'x',
  description: '',
  star_count: 5,
  is_official: true,
  is_automated: false,
};

test('searchLimit: 1 to 100, 25 if nothing is said', () => {
  assert.deepEqual([undefined, 0, 1, 100].map(searchLimit), [25, 25, 1, 100]);
  for (const limit of [-1, 101]) {
    assert.throws(() => searchLimit(limit), { message: `limit ${limit} is outside the range of [1, 100]` });
  }
});

test('searchFilter: official, automated, at least so many stars', () => {
  const passes = (filters: Record<string, string[]>): boolean =>
    searchFilter(new Map(Object.entries(filters)))(result);
  assert.equal(passes({}), true);
  assert.deepEqual([passes({ stars: ['5'] }), passes({ stars: ['5', '6'] })], [true, false]);
  assert.deepEqual(
    [passes({ 'is-official': ['true'] }), passes({ 'is-official': ['false'] })],
    [true, false],
  );
  assert.deepEqual([passes({ 'is-automated': ['true'] }), passes({ 'is-automated': ['0'] })], [false, true]);
  assert.throws(() => passes({ foo: ['a'] }), { message: "invalid filter 'foo'" });
  assert.throws(() => passes({ stars: ['a'] }), /invalid filter 'stars=a'/);
  assert.throws(() => passes({ 'is-official': ['a'] }), { message: "invalid filter 'is-official=[a]'" });
});

test('splitTerm: the registry that the term begins with, or the hub', () => {
  assert.deepEqual(splitTerm('busybox'), { domain: 'docker.io', text: 'busybox' });
  assert.deepEqual(splitTerm('library/busybox'), { domain: 'docker.io', text: 'busybox' });
  assert.deepEqual(splitTerm('me/busybox'), { domain: 'docker.io', text: 'me/busybox' });
  assert.deepEqual(splitTerm('docker.io/library/x'), { domain: 'docker.io', text: 'x' });
  assert.deepEqual(splitTerm('localhost/x'), { domain: 'localhost', text: 'x' });
  assert.deepEqual(splitTerm('r.example:5000/a/b'), { domain: 'r.example:5000', text: 'a/b' });
});
