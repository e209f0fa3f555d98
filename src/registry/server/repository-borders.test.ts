import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { errorCodes, RawRegistry } from '#tests/registry-client.ts';
import { descriptorOf, imageOf } from '#tests/registry-push.ts';
import { startRegistry } from '#tests/registry-server.ts';

test('repositories: what one has cannot be read, told of, taken or removed by way of another', async () => {
  await using server = await startRegistry();
  const registry = new RawRegistry(server.url);
  const [config, layer, own] = [randomBytes(100), randomBytes(200), randomBytes(300)];
  for (const blob of [config, layer]) await registry.push('secret', blob);
  await registry.push('mine', own);
  const image = imageOf(config, [layer]);
  assert.equal((await registry.put('secret/manifests/v1', image)).status, 201);
  const manifest = descriptorOf(image).digest;
  const blob = digestOf(layer);
  for (const [method, path, code] of [
    ['GET', `/v2/mine/blobs/${blob}`, 'BLOB_UNKNOWN'],
    ['DELETE', `/v2/mine/blobs/${blob}`, 'BLOB_UNKNOWN'],
    ['GET', `/v2/mine/manifests/${manifest}`, 'MANIFEST_UNKNOWN'],
    ['DELETE', `/v2/mine/manifests/${manifest}`, 'MANIFEST_UNKNOWN'],
    ['GET', '/v2/mine/manifests/v1', 'MANIFEST_UNKNOWN'],
  ] as const) {
    assert.deepEqual(await errorCodes(await registry.send(method, path), 404), [code], path);
  }
  assert.equal((await registry.send('HEAD', `/v2/mine/blobs/${blob}`)).status, 404);
  // Whoever knows a digest does not get the blob by an image that lists it, nor by an upload without its bytes.
  const codes = await errorCodes(await registry.put('mine/manifests/v1', image), 404);
  assert.deepEqual([...new Set(codes)], ['MANIFEST_BLOB_UNKNOWN']);
  // An index may name what is not there; that makes it no less absent.
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [descriptorOf(image)] };
  assert.equal((await registry.put('mine/manifests/v2', index)).status, 201);
  assert.equal((await registry.send('GET', `/v2/mine/manifests/${manifest}`)).status, 404);
  const target = new URL(await registry.begin('mine'), server.url);
  target.searchParams.set('digest', blob);
  assert.deepEqual(await errorCodes(await registry.send('PUT', target.href), 400), ['DIGEST_INVALID']);
  assert.equal((await registry.send('GET', `/v2/mine/blobs/${blob}`)).status, 404);
  const referrers = await registry.send('GET', `/v2/mine/referrers/${manifest}`);
  assert.deepEqual(((await referrers.json()) as { manifests: unknown[] }).manifests, []);
  // All of it is still there.
  assert.equal((await registry.send('GET', `/v2/secret/blobs/${blob}`)).status, 200);
  assert.equal((await registry.send('GET', `/v2/secret/manifests/v1`)).status, 200);
});

test('paths: nothing that is not a name, a tag or a digest gets to the storage', async () => {
  await using server = await startRegistry();
  const registry = new RawRegistry(server.url);
  await registry.push('app', Buffer.from('x'));
  for (const path of [
    '/v2/app/blobs/sha256:..%2f..%2f..%2fetc%2fpasswd',
    '/v2/app/blobs/sha256:../../../etc/passwd',
    '/v2/app/blobs/..%2f..%2fetc%2fpasswd',
    '/v2/app/manifests/..%2f..%2fetc%2fpasswd',
    '/v2/..%2f..%2fetc/manifests/passwd',
    '/v2/%2e%2e/%2e%2e/manifests/x',
    '/v2/app/manifests/-x',
    `/v2/app/manifests/${'x'.repeat(129)}`,
    '/v2/app/manifests/a%00b',
    `/v2/app/blobs/sha256:${'A'.repeat(64)}`,
    `/v2/app/blobs/md5:${'0'.repeat(32)}`,
    `/v2/${'a/'.repeat(200)}x/tags/list`,
    '/v2/app/blobs/uploads/..%2f..%2fx',
    '/v2/app/blobs/uploads/%00',
  ]) {
    const { status } = await registry.send('GET', path);
    assert.ok(status === 400 || status === 404, `${path}: ${status}`);
  }
  for (const query of [
    'mount=sha256:../x&from=app',
    `mount=${digestOf('x')}&from=../..`,
    'digest=sha256:..%2fx',
  ]) {
    const { status } = await registry.send('POST', `/v2/app/blobs/uploads/?${query}`);
    assert.ok([202, 400, 404].includes(status), `${query}: ${status}`);
  }
});
