import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { bytesOf, errorCodes, locationOf, RawRegistry, withDigest } from '#tests/registry-client.ts';
import { startRegistry } from '#tests/registry-server.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { smallDisk } from '#tests/small-disk.ts';
import { until } from '#tests/until.ts';
import type { Access } from './access.ts';

const content = randomBytes(300_000);
const digest = digestOf(content);

/** Sends the head of a request and some of its body, and leaves it at that. */
function stall(host: string, head: string, body: Buffer): Socket {
  const [name = '', port = ''] = host.split(':');
  const socket = connect(Number(port), name);
  socket.on('error', () => undefined);
  socket.write(`${head}\r\nHost: ${host}\r\n\r\n`);
  socket.write(body);
  return socket;
}

async function uploadedTo(registry: RawRegistry, location: string, size: number): Promise<void> {
  const isThere = async (): Promise<boolean> => {
    const { headers } = await registry.send('GET', location);
    return headers.get('range') === `0-${size - 1}`;
  };
  await until(isThere, { what: `${size} bytes have arrived`, patience: 10_000 });
}

test('uploads: a lost connection leaves what arrived, and the upload goes on there', async () => {
  await using server = await startRegistry();
  const registry = new RawRegistry(server.url);
  const location = await registry.begin('a');
  const half = content.subarray(0, 150_000);
  const socket = stall(server.host, `PATCH ${location} HTTP/1.1\r\nContent-Length: 300000`, half);
  await until(
    async () => (await server.services.storage.uploaded(location.split('/').at(-1) ?? '')) !== undefined,
    {
      what: 'the upload is there',
    },
  );
  socket.end();
  await uploadedTo(registry, location, half.length);
  const rest = await registry.chunk('PUT', withDigest(location, digest), {
    content: content.subarray(150_000),
    start: 150_000,
  });
  assert.equal(rest.status, 201);
  assert.ok((await bytesOf(await registry.send('GET', locationOf(rest)))).equals(content));
});

test('uploads: a newer request takes over from one whose connection only looks alive', async () => {
  await using server = await startRegistry();
  const registry = new RawRegistry(server.url);
  const large = randomBytes(3_000_000);
  const location = await registry.begin('a');
  const id = location.split('/').at(-1) ?? '';
  const head = `PATCH ${location} HTTP/1.1\r\nContent-Length: ${large.length}`;
  const socket = stall(server.host, head, large.subarray(0, 2_500_000));
  const closed = new Promise((resolve) => socket.once('close', resolve));
  const arrived = async (): Promise<boolean> => ((await server.services.storage.uploaded(id)) ?? 0) > 0;
  await until(arrived, { what: 'the first request is at work', patience: 10_000 });
  const again = await registry.chunk('PATCH', location, { content: large, start: 0 });
  await errorCodes(again, 416);
  await closed;
  const start = Number(again.headers.get('range')?.split('-')[1]) + 1;
  assert.ok(start > 1_000_000 && start <= 2_500_000);
  const rest = { content: large.subarray(start), start };
  const ended = await registry.chunk('PUT', withDigest(location, digestOf(large)), rest);
  assert.equal(ended.status, 201, await ended.text());
});

test('uploads: a full disk is 507, what was stored stays, and the next start finds nothing of it', async () => {
  using scratch = scratchDir();
  const root = scratch.join('small');
  using _disk = smallDisk(root, 12);
  {
    await using server = await startRegistry({ root });
    const registry = new RawRegistry(server.url);
    await registry.push('a', content);
    const large = randomBytes(9_000_000);
    const path = `/v2/a/blobs/uploads/?digest=${digestOf(large)}`;
    assert.deepEqual(await errorCodes(await registry.send('POST', path, { body: large }), 507), ['UNKNOWN']);
    assert.ok((await bytesOf(await registry.send('GET', `/v2/a/blobs/${digest}`))).equals(content));
    await registry.push('a', randomBytes(100_000));
  }
  assert.deepEqual(readdirSync(`${root}/uploads`), []);
});

test('uploads: a blob above the limit is 413, and a client that waits for the go-ahead sends nothing in vain', async () => {
  await using server = await startRegistry({ limits: { maxBlobBytes: 100_000 } });
  const registry = new RawRegistry(server.url);
  const path = `/v2/a/blobs/uploads/?digest=${digest}`;
  assert.deepEqual(await errorCodes(await registry.send('POST', path, { body: content }), 413), [
    'SIZE_INVALID',
  ]);
  const socket = stall(
    server.host,
    'PATCH /v2/a/blobs/uploads/none HTTP/1.1\r\nContent-Length: 9\r\nExpect: 100-continue',
    Buffer.alloc(0),
  );
  let text = '';
  for await (const chunk of socket.setEncoding('utf8') as AsyncIterable<string>) text += chunk;
  assert.match(text, /^HTTP\/1\.1 404 /);
});

test('mounts: only from repositories that the user may pull from', async () => {
  const access: Access = {
    identify: () => Promise.resolve({ name: 'ann' }),
    decide: (_user, { verb, repository }) => ({ allowed: repository !== 'secret' || verb === 'push' }),
  };
  await using server = await startRegistry({ access });
  const registry = new RawRegistry(server.url);
  await registry.push('secret', content);
  for (const query of [`mount=${digest}&from=secret`, `mount=${digest}`]) {
    const response = await registry.send('POST', `/v2/mine/blobs/uploads/?${query}`);
    assert.equal(response.status, 202, query);
  }
  assert.equal((await registry.send('GET', `/v2/mine/blobs/${digest}`)).status, 404);
  assert.deepEqual(await errorCodes(await registry.send('GET', `/v2/secret/blobs/${digest}`), 403), [
    'DENIED',
  ]);
});
