import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { errorCodes, RawRegistry } from '#tests/registry-client.ts';
import { descriptorOf, imageOf } from '#tests/registry-push.ts';
import { startRegistry } from '#tests/registry-server.ts';
import type { Access, Verb } from './access.ts';

const config = Buffer.from('{}');
const image = imageOf(config, []);
const blob = digestOf(config);
const manifest = descriptorOf(image).digest;
const verbs: readonly Verb[] = ['ping', 'pull', 'push', 'delete', 'list', 'admin'];

/** Every request of the API and the right that it needs. `%` stands for the repository. */
const requests: readonly (readonly [string, string, Verb])[] = [
  ['GET', '/v2/', 'ping'],
  ['GET', '/v2/%/manifests/v1', 'pull'],
  ['HEAD', `/v2/%/manifests/${manifest}`, 'pull'],
  ['PUT', '/v2/%/manifests/v2', 'push'],
  ['DELETE', '/v2/%/manifests/v1', 'delete'],
  ['DELETE', `/v2/%/manifests/${manifest}`, 'delete'],
  ['GET', `/v2/%/blobs/${blob}`, 'pull'],
  ['HEAD', `/v2/%/blobs/${blob}`, 'pull'],
  ['DELETE', `/v2/%/blobs/${blob}`, 'delete'],
  ['POST', '/v2/%/blobs/uploads/', 'push'],
  ['POST', `/v2/%/blobs/uploads/?mount=${blob}&from=%`, 'push'],
  ['GET', '/v2/%/blobs/uploads/none', 'push'],
  ['PATCH', '/v2/%/blobs/uploads/none', 'push'],
  ['PUT', `/v2/%/blobs/uploads/none?digest=${digestOf('x')}`, 'push'],
  ['DELETE', '/v2/%/blobs/uploads/none', 'push'],
  ['GET', '/v2/%/tags/list', 'list'],
  ['GET', `/v2/%/referrers/${manifest}`, 'pull'],
  ['GET', '/v2/_catalog', 'list'],
];

for (const [method, path, verb] of requests) {
  test(`rights: ${method} ${path.replace(/sha256:[0-9a-f]+/, 'DIGEST')} needs ${verb} and nothing else`, async () => {
    const allowed = new Set<Verb>(verbs);
    const access: Access = {
      identify: () => Promise.resolve({ name: 'ann' }),
      decide: (_user, wanted) => ({ allowed: allowed.has(wanted.verb) }),
    };
    await using server = await startRegistry({ access });
    const registry = new RawRegistry(server.url);
    await registry.push('app', config);
    assert.equal((await registry.put('app/manifests/v1', image)).status, 201);
    const send = (repository: string): Promise<Response> =>
      registry.send(method, path.replaceAll('%', repository), {
        headers: { 'Content-Type': mediaTypes.manifest },
        ...(method === 'PUT' || method === 'PATCH' ? { body: JSON.stringify(image) } : {}),
      });
    allowed.delete(verb);
    // What is there and what is not are the same to who may not know.
    for (const repository of ['app', 'none']) {
      const response = await send(repository);
      if (method === 'HEAD') assert.equal(response.status, 403);
      else assert.deepEqual(await errorCodes(response, 403), ['DENIED']);
    }
    allowed.clear();
    allowed.add(verb);
    const { status } = await send('app');
    assert.ok(path.includes('/none') ? status === 404 : status < 300, `status ${status}`);
  });
}

test('rights: the catalog shows only what may be listed, and its pages are full all the same', async () => {
  const access: Access = {
    identify: () => Promise.resolve(undefined),
    decide: (_user, { verb, repository }) => ({
      allowed: verb !== 'list' || repository === undefined || !repository.startsWith('secret'),
    }),
  };
  await using server = await startRegistry({ access });
  const registry = new RawRegistry(server.url);
  for (const name of ['a', 'secret/one', 'secret/two', 'z']) await registry.push(name, config);
  const response = await registry.send('GET', '/v2/_catalog?n=2');
  assert.deepEqual(await response.json(), { repositories: ['a', 'z'] });
  assert.equal(response.headers.get('link'), null);
});
