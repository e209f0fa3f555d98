import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { type AddressInfo, connect } from 'node:net';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { silentLogger } from '#/base/log.ts';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { startRegistry } from '#tests/registry-server.ts';
import { openAccess } from './access.ts';
import type { Call } from './call.ts';
import { RegistryServer } from './server.ts';

const octets = { 'Content-Type': 'application/octet-stream' };

async function pushBlob(url: string, repository: string, content: Buffer): Promise<Response> {
  return fetch(`${url}/v2/${repository}/blobs/uploads/?digest=${digestOf(content)}`, {
    method: 'POST',
    headers: octets,
    body: content,
  });
}

test('RegistryServer: stores an image and gives it back, and tells of it', async () => {
  await using registry = await startRegistry();
  const { url } = registry;
  const [config, layer] = [Buffer.from('{}'), randomBytes(300_000)];
  for (const content of [config, layer]) assert.equal((await pushBlob(url, 'team/app', content)).status, 201);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: { mediaType: mediaTypes.config, digest: digestOf(config), size: config.length },
      layers: [{ mediaType: mediaTypes.layer, digest: digestOf(layer), size: layer.length }],
    }),
  );
  const put = await fetch(`${url}/v2/team/app/manifests/v1`, {
    method: 'PUT',
    headers: { 'Content-Type': mediaTypes.manifest },
    body: manifest,
  });
  assert.equal(put.status, 201);
  assert.equal(put.headers.get('docker-content-digest'), digestOf(manifest));
  const got = await fetch(`${url}/v2/team/app/manifests/v1`);
  assert.deepEqual(Buffer.from(await got.arrayBuffer()), manifest);
  const blob = await fetch(`${url}/v2/team/app/blobs/${digestOf(layer)}`);
  assert.ok(Buffer.from(await blob.arrayBuffer()).equals(layer));
  assert.deepEqual(await (await fetch(`${url}/v2/_catalog`)).json(), { repositories: ['team/app'] });
  assert.deepEqual(await (await fetch(`${url}/v2/team/app/tags/list`)).json(), {
    name: 'team/app',
    tags: ['v1'],
  });
  const kinds = registry.facts.map(({ kind }) => kind).filter((kind) => kind !== 'request');
  assert.deepEqual(kinds, ['blobPushed', 'blobPushed', 'manifestPushed', 'manifestPulled', 'blobPulled']);
});

test('RegistryServer: answers with the specified bodies of errors', async () => {
  await using registry = await startRegistry();
  const response = await fetch(`${registry.url}/v2/none/blobs/${digestOf('none')}`);
  assert.equal(response.status, 404);
  const { errors } = (await response.json()) as {
    errors: { code: string; message: string; detail: unknown }[];
  };
  assert.equal(errors[0]?.code, 'BLOB_UNKNOWN');
  assert.equal(response.headers.get('docker-distribution-api-version'), 'registry/2.0');
});

test('RegistryServer: answers a refused request that came before the answer to the one before it was sent', async () => {
  await using registry = await startRegistry();
  const [host = '', port = ''] = registry.host.split(':');
  const socket = connect(Number(port), host);
  const request = (path: string): string => `GET ${path} HTTP/1.1\r\nHost: ${registry.host}\r\n\r\n`;
  // In one piece, so that the second is there before the first is answered.
  socket.write(request('/v2/') + request('/v2/none/manifests/none') + request('/v2/'));
  let text = '';
  for await (const chunk of socket.setEncoding('utf8') as AsyncIterable<string>) {
    text += chunk;
    if ((text.match(/^HTTP/gm) ?? []).length === 3 && text.endsWith('{}\n')) break;
  }
  assert.deepEqual(text.match(/^HTTP\/1\.1 \d+/gm), ['HTTP/1.1 200', 'HTTP/1.1 404', 'HTTP/1.1 200']);
});

test('RegistryServer: cuts connections on which nothing moves, but not while it is at work itself', async () => {
  await using registry = await startRegistry();
  const slow = async (call: Call): Promise<void> => {
    await delay(600);
    call.json({ done: true });
  };
  const server = new RegistryServer({
    services: registry.services,
    access: openAccess,
    log: silentLogger(),
    routes: [{ path: '/slow', methods: { GET: slow } }],
  });
  const door = server.door().listen(0, '127.0.0.1');
  door.setTimeout(100);
  try {
    await once(door, 'listening');
    const { port } = door.address() as AddressInfo;
    const begun = await fetch(`http://127.0.0.1:${port}/v2/a/blobs/uploads/`, { method: 'POST' });
    const stalled = connect(port, '127.0.0.1').resume();
    const location = begun.headers.get('location') ?? '';
    stalled.write(`PATCH ${location} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nhalf`);
    const closed = once(stalled, 'close');
    const response = await fetch(`http://127.0.0.1:${port}/slow`);
    assert.deepEqual(await response.json(), { done: true });
    await closed;
    assert.equal((await fetch(`http://127.0.0.1:${port}${location}`)).headers.get('range'), '0-3');
  } finally {
    await server.close(0);
  }
});
