import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unavailable } from '#/base/errors.ts';
import { RegistryError } from '#/distribution/failures.ts';
import type { SearchResult } from '#/wire/registry.ts';
import { searchFailure, searchFilter, searchLimit, splitTerm, wantsAutomated } from './search.ts';

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

test('wantsAutomated: only if that is what is asked for', () => {
  const wants = (...values: string[]): boolean =>
    wantsAutomated(new Map(values.length === 0 ? [] : [['is-automated', values]]));
  assert.deepEqual([wants(), wants('true'), wants('1'), wants('false')], [false, true, true, false]);
  assert.throws(() => wants('true', 'false'), { message: "invalid filter 'is-automated=[true false]'" });
});

test('searchFailure: what a registry answers is told as Docker does, what keeps it from answering stays', () => {
  const refused = new RegistryError('notFound', 'Get "x": 404', { status: 404 });
  assert.deepEqual(
    [searchFailure(refused), searchFailure(unavailable('nobody is there'))].map((error) => String(error)),
    ['EngineError: Unexpected status code 404', 'EngineError: nobody is there'],
  );
});

test('splitTerm: the registry that the term begins with, or the hub', () => {
  assert.deepEqual(splitTerm('busybox'), { domain: 'docker.io', text: 'busybox' });
  assert.deepEqual(splitTerm('library/busybox'), { domain: 'docker.io', text: 'busybox' });
  assert.deepEqual(splitTerm('me/busybox'), { domain: 'docker.io', text: 'me/busybox' });
  assert.deepEqual(splitTerm('docker.io/library/x'), { domain: 'docker.io', text: 'x' });
  assert.deepEqual(splitTerm('localhost/x'), { domain: 'localhost', text: 'x' });
  assert.deepEqual(splitTerm('r.example:5000/a/b'), { domain: 'r.example:5000', text: 'a/b' });
});
