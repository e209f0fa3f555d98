import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readCollection } from './collection.ts';
import { Section } from './section.ts';

function read(gc: unknown): ReturnType<typeof readCollection> {
  return readCollection(new Section({ gc }, { key: '', folder: '/' }));
}

test('readCollection: without the key nothing is deleted that has a name', () => {
  const config = readCollection(new Section({}, { key: '', folder: '/' }));
  assert.equal(config.grace, 24 * 3_600_000);
  assert.deepEqual(config.policy, { rules: [] });
});

test('readCollection: reads times and rules', () => {
  const config = read({
    interval: 'never',
    grace: '2h',
    uploads: '48h',
    untagged: '168h',
    keep: [{ name: 'builds', repositories: ['team/*', 'ci/**'], tags: ['build-*', 'a*b*c'], newest: 10 }],
  });
  assert.deepEqual([config.interval, config.grace, config.uploads], [undefined, 7_200_000, 48 * 3_600_000]);
  assert.equal(config.policy.deleteUntaggedAfter, 168 * 3_600_000);
  const [rule] = config.policy.rules;
  assert.deepEqual([rule?.name, rule?.keepNewest, rule?.keepFor], ['builds', 10, undefined]);
  const tags = ['build-', 'build-1', 'xbuild-1', 'abc', 'a1b2c', 'acb', 'abcd'];
  assert.deepEqual(
    tags.filter((tag) => rule?.matches('team/app', tag)),
    ['build-', 'build-1', 'abc', 'a1b2c'],
  );
  assert.deepEqual(
    ['team/app', 'team/app/sub', 'ci/a/b', 'other'].filter((name) => rule?.matches(name, 'build-1')),
    ['team/app', 'ci/a/b'],
  );
});

test('readCollection: says what is wrong, by key', () => {
  assert.throws(() => read({ grace: '1m' }), {
    kind: 'invalid',
    message: /^gc\.grace: must be at least 10m/,
  });
  assert.throws(() => read({ keep: [{ tags: ['a/b'] }] }), {
    message: /^gc\.keep\[0\]\.tags: "a\/b" is no pattern/,
  });
  assert.throws(() => read({ keep: [{ repositories: ['A'] }] }), {
    message: /^gc\.keep\[0\]\.repositories: /,
  });
  assert.throws(() => read({ keep: [{ newest: -1 }] }), { message: /^gc\.keep\[0\]\.newest: / });
  assert.throws(() => read({ interval: 'sometimes' }), { message: /^gc\.interval: / });
});
