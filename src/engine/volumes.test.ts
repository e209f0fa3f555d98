import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { Filters } from '#/wire/filters.ts';
import { openVolumes, type VolumeScratch } from '#tests/volumes.ts';
import { type EngineEvent, Events } from './events.ts';
import { Volumes } from './volumes.ts';

interface Scratch extends VolumeScratch {
  readonly engine: Volumes;
  /** The events so far, as `action id`. */
  readonly seen: () => Promise<string[]>;
}

async function open(): Promise<Scratch> {
  const scratch = await openVolumes();
  const events = new Events();
  return {
    ...scratch,
    engine: new Volumes({ store: scratch.store, events }),
    seen: async () => {
      const past: EngineEvent[] = [];
      const stop = new AbortController();
      const stream = events.subscribe({ since: 0n, signal: stop.signal });
      stop.abort();
      for await (const event of stream) past.push(event);
      return past.map(({ action, actor }) => `${action} ${actor.id}`);
    },
  };
}

function filters(values: Readonly<Record<string, readonly string[]>>): Filters {
  return new Map(Object.entries(values));
}

test('Volumes: create answers what was asked for, and tells of new volumes only', async () => {
  await using s = await open();
  const volume = await s.engine.create({ Name: 'v1', Labels: { a: 'b' }, DriverOpts: {} });
  assert.deepEqual(
    { ...volume, CreatedAt: '', Mountpoint: '' },
    {
      CreatedAt: '',
      Driver: 'local',
      Labels: { a: 'b' },
      Mountpoint: '',
      Name: 'v1',
      Options: {},
      Scope: 'local',
    },
  );
  assert.deepEqual(await s.engine.create({ Name: 'v1', Driver: 'local', Labels: { x: 'y' } }), volume);
  assert.deepEqual(await s.seen(), ['create v1']);
  await assert.rejects(s.engine.create({ Name: 'v2', Driver: 'foo' }), {
    kind: 'notFound',
    message: 'create v2: error looking up volume plugin foo: plugin "foo" not found',
  });
});

test('Volumes: list filters by use, driver, label and name', async () => {
  await using s = await open();
  await s.engine.create({ Name: 'one', Labels: { l: 'x' } });
  await s.engine.create({ Name: 'two' });
  s.store.ref('two', 'c');
  const found = (values: Record<string, string[]>): string[] =>
    s.engine.list(filters(values)).map(({ Name }) => Name);
  const cases: readonly (readonly [Record<string, string[]>, string[]])[] = [
    [{}, ['one', 'two']],
    [{ dangling: ['true'] }, ['one']],
    [{ dangling: ['0'] }, ['two']],
    [{ driver: ['local'] }, ['one', 'two']],
    [{ driver: ['foo'] }, []],
    [{ label: ['l'] }, ['one']],
    [{ label: ['l=y'] }, []],
    [{ name: ['w'] }, ['two']],
    [{ name: ['^o', 'two'] }, ['one', 'two']],
  ];
  for (const [values, expected] of cases) assert.deepEqual(found(values), expected, JSON.stringify(values));
  assert.throws(() => found({ foo: [] }), { kind: 'invalid', message: "invalid filter 'foo'" });
});

test('Volumes: remove refuses one in use, and with force forgives a missing one', async () => {
  await using s = await open();
  await s.engine.create({ Name: 'vol' });
  s.store.ref('vol', 'c1');
  await assert.rejects(s.engine.remove('vol', { force: true }), { kind: 'conflict' });
  s.store.unref('vol', 'c1');
  await s.engine.remove('vol', { force: false });
  await s.engine.remove('vol', { force: true });
  await assert.rejects(s.engine.remove('vol', { force: false }), {
    kind: 'notFound',
    message: 'get vol: no such volume',
  });
  assert.deepEqual(await s.seen(), ['create vol', 'destroy vol']);
});

test('Volumes: prune takes unused anonymous volumes, named ones only when told', async () => {
  await using s = await open();
  const { Name: anonymous, Mountpoint: path } = await s.engine.create({});
  const { Name: used } = await s.engine.create({});
  for (const Name of ['a1', 'a2', 'a3']) await s.engine.create({ Name, Labels: { [Name]: '' } });
  s.store.ref(used, 'c');
  writeFileSync(join(path, 'f'), 'x'.repeat(100));
  assert.deepEqual(await s.engine.prune(filters({})), { VolumesDeleted: [anonymous], SpaceReclaimed: 100 });
  assert.deepEqual((await s.engine.prune(filters({ all: ['1'], label: ['a1'] }))).VolumesDeleted, ['a1']);
  assert.deepEqual((await s.engine.prune(filters({ all: ['t'], 'label!': ['a2'] }))).VolumesDeleted, ['a3']);
  assert.deepEqual((await s.engine.prune(filters({}), { everything: true })).VolumesDeleted, ['a2']);
  assert.deepEqual(
    s.engine.list(filters({})).map(({ Name }) => Name),
    [used],
  );
  await assert.rejects(s.engine.prune(filters({ all: ['x'] })), /strconv\.ParseBool: parsing "x"/);
  await assert.rejects(s.engine.prune(filters({ dangling: ['1'] })), /invalid filter 'dangling'/);
});

test('Volumes: usage counts bytes and containers', async () => {
  await using s = await open();
  const { Mountpoint: path } = await s.engine.create({ Name: 'vol' });
  writeFileSync(join(path, 'f'), 'x'.repeat(10));
  s.store.ref('vol', 'c');
  assert.deepEqual(
    (await s.engine.usage()).map(({ UsageData }) => UsageData),
    [{ RefCount: 1, Size: 10 }],
  );
});
