import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { Events } from '#/engine/events.ts';
import { Volumes } from '#/engine/volumes.ts';
import { type Answer, serve, type TestServer } from '#tests/api-client.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import { openVolumes } from '#tests/volumes.ts';
import { volumeRoutes } from './volumes.ts';

interface Scratch extends AsyncDisposable {
  readonly ask: TestServer['ask'];
  readonly root: string;
}

async function open(): Promise<Scratch> {
  const scratch = await openVolumes();
  const volumes = new Volumes({ store: scratch.store, events: new Events() });
  const server = await serve(volumeRoutes, { ...fakeBackend({}), volumes });
  return {
    ask: (method, url, options) => server.ask(method, url, options),
    root: scratch.root,
    [Symbol.asyncDispose]: async () => {
      await server[Symbol.asyncDispose]();
      await scratch[Symbol.asyncDispose]();
    },
  };
}

function parsed({ status, body }: Answer, expected: number): unknown {
  assert.equal(status, expected, body);
  return JSON.parse(body);
}

test('/volumes: create, inspect, list, remove', async () => {
  await using s = await open();
  const body = { name: 'vol', Labels: { a: 'b' } };
  const created = parsed(await s.ask('POST', '/v1.51/volumes/create', { body }), 201) as Record<
    string,
    unknown
  >;
  assert.deepEqual(
    { ...created, CreatedAt: '' },
    {
      CreatedAt: '',
      Driver: 'local',
      Labels: { a: 'b' },
      Mountpoint: join(s.root, 'vol', '_data'),
      Name: 'vol',
      Options: null,
      Scope: 'local',
    },
  );
  assert.deepEqual(parsed(await s.ask('GET', '/volumes/vol'), 200), created);
  assert.deepEqual(parsed(await s.ask('GET', '/volumes'), 200), { Volumes: [created], Warnings: null });
  assert.equal((await s.ask('DELETE', '/volumes/vol')).status, 204);
  assert.equal((await s.ask('DELETE', '/volumes/vol?force=1')).status, 204);
  assert.deepEqual(parsed(await s.ask('GET', '/volumes'), 200), { Volumes: [], Warnings: null });
});

test('/volumes: no body at all makes an anonymous volume, which prune takes', async () => {
  await using s = await open();
  const { Name: name } = parsed(await s.ask('POST', '/volumes/create'), 201) as { Name: string };
  await s.ask('POST', '/volumes/create', { body: { Name: 'named' } });
  const pruned = parsed(await s.ask('POST', '/v1.42/volumes/prune'), 200);
  assert.deepEqual(pruned, { VolumesDeleted: [name], SpaceReclaimed: 0 });
  const all = parsed(await s.ask('POST', '/v1.41/volumes/prune'), 200);
  assert.deepEqual(all, { VolumesDeleted: ['named'], SpaceReclaimed: 0 });
});

test('/volumes: wrong input gets the answers of Docker', async () => {
  await using s = await open();
  const refused = async (answer: Promise<Answer>, status: number, message: RegExp): Promise<void> => {
    assert.match((parsed(await answer, status) as { message: string }).message, message);
  };
  const create = (body: unknown): Promise<Answer> => s.ask('POST', '/volumes/create', { body });
  await refused(create({ Name: 'a' }), 400, /^create a: volume name is too short/);
  await refused(create({ Name: 'a/b' }), 400, /includes invalid characters/);
  await refused(create({ Name: 'ab', Driver: 'foo' }), 404, /plugin "foo" not found$/);
  await refused(create({ Name: 'ab', DriverOpts: { x: 'y' } }), 400, /^create ab: invalid option: "x"$/);
  await refused(create({ Name: 5 }), 400, /cannot unmarshal number/);
  await refused(create([]), 400, /cannot unmarshal array into Go value of type volume\.CreateOptions$/);
  await refused(create({ Name: 'ab', ClusterVolumeSpec: {} }), 503, /not a swarm manager/);
  await refused(s.ask('PUT', '/volumes/ab'), 503, /swarm is unavailable$/);
  await refused(s.ask('GET', '/volumes/ab'), 404, /^get ab: no such volume$/);
  await refused(s.ask('DELETE', '/volumes/ab'), 404, /^get ab: no such volume$/);
  await refused(s.ask('GET', '/volumes?filters=x'), 400, /^error reading volume filters: invalid filter$/);
  await refused(s.ask('GET', '/volumes?filters=%7B%22x%22%3A%5B%5D%7D'), 400, /^invalid filter 'x'$/);
});
