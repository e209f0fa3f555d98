import assert from 'node:assert/strict';
import { test } from 'node:test';
import { conflict, notFound } from '#/base/errors.ts';
import { serve } from '#tests/api-client.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import { cacheMountRoutes } from './cache-mounts.ts';

test('cache mounts: go out as archives and come in as such', async () => {
  async function* exportCacheMount(id: string): AsyncGenerator<Uint8Array, void, undefined> {
    await Promise.resolve();
    if (id !== 'cachemount-1') throw notFound(`No such cache mount: ${id}`);
    yield Buffer.from('one ');
    yield Buffer.from('two');
  }
  let isBusy = false;
  const importCacheMount = async (
    bytes: AsyncIterable<Uint8Array>,
  ): Promise<{ id: string; name: string }> => {
    if (isBusy) throw conflict('cache mount "n" is in use');
    return { id: 'cachemount-2', name: Buffer.concat(await Array.fromAsync(bytes)).toString() };
  };
  const backend = fakeBackend({ builder: { exportCacheMount, importCacheMount } });
  await using server = await serve(cacheMountRoutes, backend);
  const found = await server.ask('GET', '/v1.51/skiff/build/mounts?id=cachemount-1');
  assert.deepEqual([found.status, found.body], [200, 'one two']);
  const missing = await server.ask('GET', '/skiff/build/mounts?id=cachemount-7');
  assert.deepEqual(
    [missing.status, JSON.parse(missing.body)],
    [404, { message: 'No such cache mount: cachemount-7' }],
  );
  const made = await server.ask('POST', '/skiff/build/mounts', { body: { an: 'archive' } });
  assert.deepEqual(
    [made.status, JSON.parse(made.body)],
    [201, { ID: 'cachemount-2', Name: '{"an":"archive"}' }],
  );
  isBusy = true;
  assert.equal((await server.ask('POST', '/skiff/build/mounts', { body: { an: 'archive' } })).status, 409);
});
