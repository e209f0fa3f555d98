import assert from 'node:assert/strict';
import { test } from 'node:test';
import { chooseForRemoval } from './choose.ts';
import type { CacheRecord, PruneRequest } from './record.ts';

const day = 24 * 3600 * 1000;
const now = 100 * day;

function record(id: string, change: Partial<CacheRecord> = {}): CacheRecord {
  return {
    id,
    parents: [],
    kind: 'regular',
    description: `step ${id}`,
    inUse: false,
    shared: false,
    size: 10,
    createdAt: new Date(0),
    lastUsedAt: new Date(now - day),
    usageCount: 1,
    ...change,
  };
}

const records = [
  record('new'),
  record('old', { lastUsedAt: new Date(now - 50 * day) }),
  record('used', { inUse: true, lastUsedAt: new Date(now - 60 * day) }),
  record('shared', { shared: true, size: 1000, lastUsedAt: new Date(now - 40 * day) }),
  record('mount', { kind: 'exec.cachemount', parents: ['old'], lastUsedAt: new Date(now - 2 * day) }),
];

function chosen(change: Partial<PruneRequest>, free: number = 0): string[] {
  const filters = change.filters ?? new Map();
  return chooseForRemoval(records, { all: false, ...change, filters }, { now, free }).map(({ id }) => id);
}

function filter(name: string, ...values: readonly string[]): Partial<PruneRequest> {
  return { all: true, filters: new Map([[name, values]]) };
}

test('chooseForRemoval: never what is in use; what images share only with all', () => {
  assert.deepEqual(chosen({}), ['old', 'mount', 'new']);
  assert.deepEqual(chosen({ all: true }), ['old', 'shared', 'mount', 'new']);
});

test('chooseForRemoval: filters', () => {
  assert.deepEqual(chosen(filter('until', '24h')), ['old', 'shared', 'mount', 'new']);
  assert.deepEqual(chosen(filter('until', '720h')), ['old', 'shared']);
  assert.throws(() => chosen(filter('until', 'x')), {
    kind: 'invalid',
    message: `"until" filter expects a duration (e.g., '24h') or a timestamp: failed to parse value as time or duration: "x"`,
  });
  assert.deepEqual(chosen(filter('type', 'exec.cachemount')), ['mount']);
  assert.deepEqual(chosen(filter('id', 'new', 'old')), ['old', 'new']);
  assert.deepEqual(chosen(filter('parent', 'old')), ['mount']);
  assert.deepEqual(chosen(filter('shared', 'true')), ['shared']);
  assert.deepEqual(chosen(filter('private', '')), ['old', 'mount', 'new']);
  assert.deepEqual(chosen(filter('description', 'step n')), ['new']);
  assert.throws(() => chosen(filter('nonsense', 'x')), {
    kind: 'invalid',
    message: "invalid filter 'nonsense'",
  });
});

test('chooseForRemoval: bounds spare what was used last', () => {
  // 40 bytes count: what images need is theirs.
  assert.deepEqual(chosen({ maxUsed: 40 }), []);
  assert.deepEqual(chosen({ maxUsed: 35 }), ['old']);
  assert.deepEqual(chosen({ maxUsed: 15 }), ['old', 'mount', 'new']);
  assert.deepEqual(chosen({ minFree: 15 }, 5), ['old']);
  assert.deepEqual(chosen({ minFree: 100, reserved: 25 }), ['old', 'mount']);
});
