import assert from 'node:assert/strict';
import { test } from 'node:test';
import { create } from '@bufbuild/protobuf';
import type { CacheRecord } from '#/builder/cache/record.ts';
import { PruneRequestSchema } from '../messages/control_pb.ts';
import { matching, pruneRequest } from './cache-usage.ts';

const day = new Date(0);
const base = { parents: [], size: 1, createdAt: day, lastUsedAt: day, usageCount: 1 };
const records: readonly CacheRecord[] = [
  { ...base, id: 'aa1', kind: 'regular', description: 'mount / from exec make', inUse: false, shared: true },
  { ...base, id: 'bb2', kind: 'exec.cachemount', description: 'cached mount', inUse: true, shared: false },
  { ...base, id: 'ab3', kind: 'source.local', description: '', inUse: false, shared: false },
];

function ids(...filters: string[]): string[] {
  return records.filter(matching(filters)).map(({ id }) => id);
}

test('matching: understands the filters that clients send', () => {
  assert.deepEqual(ids(), ['aa1', 'bb2', 'ab3']);
  assert.deepEqual(ids(''), ['aa1', 'bb2', 'ab3']);
  assert.deepEqual(ids('type==regular'), ['aa1']);
  assert.deepEqual(ids('type!=regular'), ['bb2', 'ab3']);
  assert.deepEqual(ids('id~=a'), ['aa1', 'ab3']);
  assert.deepEqual(ids('inuse'), ['bb2']);
  assert.deepEqual(ids('mutable,private'), ['bb2', 'ab3']);
  assert.deepEqual(ids('type==regular', 'type==source.local'), ['aa1', 'ab3']);
  assert.deepEqual(ids('description~="from exec"'), ['aa1']);
  assert.throws(() => ids('colour==red'), /invalid filter "colour==red"/);
  assert.throws(() => ids('constructor'), /invalid filter/);
});

test('pruneRequest: names the records that filters take', () => {
  const request = create(PruneRequestSchema, {
    filter: ['type==regular'],
    keepDuration: 3_600_000_000_000n,
    maxUsedSpace: 5n,
  });
  assert.deepEqual(pruneRequest(request, records), {
    all: false,
    filters: new Map([
      ['id', ['aa1']],
      ['until', ['3600s']],
    ]),
    maxUsed: 5,
    reserved: undefined,
    minFree: undefined,
  });
});
