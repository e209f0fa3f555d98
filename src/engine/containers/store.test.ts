import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Database } from '#/state/db.ts';
import { type ContainerRecord, type ContainerSpec, transition } from './model.ts';
import { ContainerStore } from './store.ts';

function record(id: string, name: string): ContainerRecord {
  return {
    id: id.padEnd(64, '0'),
    name,
    imageId: 'sha256:1',
    created: '2026-01-01T00:00:00.000000000Z',
    spec: { imageName: 'i' } as ContainerSpec,
    state: { kind: 'created', error: '', exitCode: 0 },
    restartCount: 0,
    manuallyStopped: false,
  };
}

test('ContainerStore: find by id, name, slash and name, and a prefix that is unambiguous', () => {
  using db = new Database(':memory:');
  const store = new ContainerStore(db);
  const [a, b] = [record('ab1', 'one'), record('ab2', 'ab')];
  for (const one of [a, b]) store.insert(one);
  for (const ref of [a.id, 'one', '/one', 'ab1']) assert.equal(store.find(ref), a);
  // A name wins over a prefix.
  assert.equal(store.find('ab'), b);
  assert.throws(() => store.find('a'), /Multiple IDs found with provided prefix: a/);
  assert.throws(() => store.find('zz'), { kind: 'notFound', message: 'No such container: zz' });
  assert.throws(() => store.find(''), { kind: 'invalid' });
});

test('ContainerStore: a taken name is a conflict that names the holder; rename frees the old name', () => {
  using db = new Database(':memory:');
  const store = new ContainerStore(db);
  const a = record('a1', 'one');
  store.insert(a);
  assert.throws(() => store.insert(record('b1', 'one')), {
    kind: 'conflict',
    message: new RegExp(`"/one" is already in use by container "${a.id}"`),
  });
  store.update({ ...a, name: 'two' });
  store.insert(record('b1', 'one'));
  assert.equal(store.find('two').id, a.id);
});

test('ContainerStore: what was written is there after reopening', () => {
  using db = new Database(':memory:');
  const store = new ContainerStore(db);
  const a = record('a1', 'one');
  store.insert(a);
  const next = store.update({
    ...transition(a, { kind: 'removing', last: undefined, volumes: false }),
    restartCount: 2,
    manuallyStopped: true,
  });
  assert.deepEqual(
    JSON.parse(JSON.stringify(new ContainerStore(db).get(a.id))),
    JSON.parse(JSON.stringify(next)),
  );
  store.delete(a.id);
  assert.equal(new ContainerStore(db).get(a.id), undefined);
  assert.equal(store.idOfName('one'), undefined);
});

test('ContainerStore.containersUsing: also tells of one that is being made', () => {
  using db = new Database(':memory:');
  const store = new ContainerStore(db);
  const a = record('a1', 'one');
  store.insert({ ...a, state: { kind: 'creating' } });
  assert.deepEqual(store.containersUsing(a.imageId), [{ id: a.id, name: 'one', running: false }]);
  assert.deepEqual(store.all(), []);
});

test('transition: steps that make no sense are conflicts', () => {
  const a = record('a1', 'one');
  const removing = transition(a, { kind: 'removing', last: undefined, volumes: false });
  assert.throws(() => transition(removing, { kind: 'created', error: '', exitCode: 0 }), {
    kind: 'conflict',
  });
});
