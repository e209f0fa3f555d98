import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { Database } from '#/state/db.ts';
import { BuildHistory, type KeptBlob, type KeptBuild } from './build-history.ts';

const hour = 60 * 60 * 1000;
const start = Date.parse('2024-01-01T00:00:00Z');

function build(ref: string, hours: number): KeptBuild {
  const completed = new Date(start + hours * hour);
  const created = new Date(completed.getTime() - 1000);
  return { ref, created, completed, isPinned: false, record: Buffer.from(ref) };
}

function blob(text: string): KeptBlob {
  const bytes = Buffer.from(text);
  return { digest: digestOf(bytes), bytes };
}

function refs(history: BuildHistory): string[] {
  return history.list().map(({ ref }) => ref);
}

test('BuildHistory: keeps builds with what belongs to them, until they are deleted', () => {
  using db = new Database(':memory:');
  const history = new BuildHistory(db);
  const [shared, own] = [blob('shared'), blob('own')];
  assert.deepEqual(history.add(build('a', 1), [shared, shared]), []);
  history.add(build('b', 2), [shared, own]);
  assert.deepEqual(refs(history), ['a', 'b']);
  assert.deepEqual(history.find('b'), { ...build('b', 2), record: new Uint8Array(Buffer.from('b')) });
  assert.equal(history.find('c'), undefined);
  assert.equal(Buffer.from(history.blob(shared.digest) ?? []).toString(), 'shared');
  history.delete('b');
  assert.equal(history.blob(own.digest), undefined);
  assert.ok(history.blob(shared.digest) !== undefined);
  history.add(build('a', 3), []);
  assert.equal(history.blob(shared.digest), undefined, 'a build of the same name takes its place');
  assert.deepEqual(refs(history), ['a']);
});

test('BuildHistory: forgets builds of the day before yesterday but the latest fifty and those that are pinned', () => {
  using db = new Database(':memory:');
  const history = new BuildHistory(db);
  for (let index = 0; index < 60; index++)
    assert.deepEqual(history.add(build(`old${index}`, index / 60), []), []);
  history.pin('old3', true);
  const old = Array.from({ length: 11 }, (_, index) => `old${index}`).filter((ref) => ref !== 'old3');
  assert.deepEqual(history.add(build('new', 49), []), old.toReversed());
  assert.equal(refs(history).length, 51);
  assert.equal(history.find('old3')?.isPinned, true);
});

test('BuildHistory: forgets the oldest when what belongs to builds is too much', () => {
  using db = new Database(':memory:');
  const history = new BuildHistory(db);
  const large = (): KeptBlob => {
    const bytes = Buffer.alloc(50 * 1024 * 1024);
    return { digest: digestOf(bytes), bytes };
  };
  assert.deepEqual(history.add(build('a', 1), [large()]), []);
  assert.deepEqual(history.add(build('b', 2), [large()]), []);
  assert.deepEqual(history.add(build('c', 3), [large()]), ['a']);
});
