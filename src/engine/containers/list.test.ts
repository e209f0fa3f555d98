import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Database } from '#/state/db.ts';
import { type ListFacts, listContainers } from './list.ts';
import type { ContainerRecord, ContainerSpec, ContainerState } from './model.ts';
import { ContainerStore } from './store.ts';

const ref = { pid: 1, startTime: '1' };
const states: Readonly<Record<string, ContainerState>> = {
  created: { kind: 'created', error: '', exitCode: 0 },
  running: { kind: 'running', init: ref, monitor: ref, startedAt: '2026-01-01T00:00:00.000000000Z' },
  exited: { kind: 'exited', exitCode: 3, startedAt: '', finishedAt: '', oomKilled: false, error: '' },
};

function record(n: number, state: string, change: object = {}): ContainerRecord {
  const spec = {
    imageName: 'i',
    config: { Labels: { n: String(n) } },
    hostConfig: {},
    mounts: [],
    ...change,
  };
  return {
    id: String(n).repeat(64),
    name: `name${n}`,
    imageId: `sha256:${n}`,
    created: `2026-01-0${n}T00:00:00.000000000Z`,
    // Only what the filters look at.
    spec: spec as unknown as ContainerSpec,
    state: states[state] ?? { kind: 'creating' },
    restartCount: 0,
    manuallyStopped: false,
  };
}

const facts: ListFacts = {
  imageFamily: (image) => new Set(image === 'base' ? ['sha256:1', 'sha256:2'] : []),
  networksOf: ({ name }) => (name === 'name1' ? ['bridge', 'b'.repeat(64)] : []),
  portsOf: ({ name }) =>
    name === 'name1' ? { '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }], '81/udp': null } : {},
  healthOf: () => 'none',
};

function namesOf(
  filters: Record<string, string[]>,
  options: { all?: boolean; limit?: number } = {},
): string[] {
  using db = new Database(':memory:');
  const store = new ContainerStore(db);
  for (const one of [record(1, 'running'), record(2, 'exited'), record(3, 'created'), record(4, 'creating')])
    store.insert(one);
  return listContainers(store, { ...options, filters: new Map(Object.entries(filters)) }, facts).map(
    ({ name }) => name,
  );
}

test('listContainers: running ones, all newest first, or the newest few; never half-made ones', () => {
  assert.deepEqual(namesOf({}), ['name1']);
  assert.deepEqual(namesOf({}, { all: true }), ['name3', 'name2', 'name1']);
  assert.deepEqual(namesOf({}, { limit: 2 }), ['name3', 'name2']);
});

test('listContainers: each filter', () => {
  const all = { all: true };
  const cases: readonly (readonly [Record<string, string[]>, string[]])[] = [
    [{ id: ['222'] }, ['name2']],
    [{ name: ['^/name[12]$'] }, ['name2', 'name1']],
    [{ status: ['exited', 'created'] }, ['name3', 'name2']],
    [{ exited: ['3'] }, ['name2']],
    [{ label: ['n=1'] }, ['name1']],
    [{ label: ['n', 'n=3'] }, ['name3']],
    [{ ancestor: ['base'] }, ['name2', 'name1']],
    [{ ancestor: ['other'] }, []],
    [{ before: ['name2'] }, ['name1']],
    [{ since: ['name2'] }, ['name3']],
    [{ network: ['bridge'] }, ['name1']],
    [{ publish: ['8080'] }, ['name1']],
    [{ publish: ['80'] }, []],
    [{ publish: ['8080/udp'] }, []],
    [{ expose: ['79-81/tcp'] }, ['name1']],
    [{ expose: ['81'] }, []],
    [{ expose: ['81/udp'] }, ['name1']],
    [{ health: ['none'] }, ['name3', 'name2', 'name1']],
    [{ 'is-task': ['true'] }, []],
  ];
  for (const [filters, names] of cases)
    assert.deepEqual(namesOf(filters, all), names, JSON.stringify(filters));
});

test("listContainers: Docker's refusals", () => {
  const wrong: readonly (readonly [Record<string, string[]>, RegExp])[] = [
    [{ foo: ['bar'] }, /^EngineError: invalid filter 'foo'$/],
    [
      { status: ['bar'] },
      /invalid filter 'status=bar': invalid value for state \(bar\): must be one of created, running/,
    ],
    [{ exited: ['bar'] }, /invalid filter 'exited=bar': strconv.Atoi: parsing "bar": invalid syntax/],
    [{ before: ['nobody'] }, /No such container: nobody/],
    [
      { publish: ['bar'] },
      /error while looking up for publish bar: strconv.ParseUint: parsing "bar": invalid syntax/,
    ],
  ];
  for (const [filters, message] of wrong) assert.throws(() => namesOf(filters, { all: true }), message);
});
