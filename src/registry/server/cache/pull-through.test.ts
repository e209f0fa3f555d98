import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import {
  basic,
  type ConfiguredRegistry,
  openRegistry,
  pushImage,
  statusOf,
  users,
} from '#tests/configured-registry.ts';
import { until } from '#tests/until.ts';

interface Image {
  readonly manifest: { readonly digest: string };
  readonly layers: readonly { readonly digest: string; readonly size: number }[];
}

/** An upstream with one image, and how often it was asked for what. */
async function startUpstream(
  settings: object = {},
  headers: Record<string, string> = {},
): Promise<ConfiguredRegistry> {
  const upstream = await openRegistry({ listen: ['127.0.0.1:0'], ...settings }, users('robot'));
  assert.equal(await pushImage(upstream.url, 'team/app', headers), 201);
  return upstream;
}

function asked(upstream: ConfiguredRegistry, method: string, part: string): number {
  return upstream.lines
    .map((line) => JSON.parse(line) as { method: string; path: string })
    .filter((request) => request.method === method && request.path.includes(part)).length;
}

async function image(url: string, name: string, headers: Record<string, string> = {}): Promise<Image> {
  const response = await fetch(`${url}/v2/${name}/manifests/latest`, { headers });
  assert.equal(response.status, 200, await response.clone().text());
  const { layers } = (await response.json()) as Image;
  return { manifest: { digest: response.headers.get('docker-content-digest') ?? '' }, layers };
}

test('PullThrough: gives what the upstream has, asks for each thing once, and goes on without the upstream', async () => {
  const upstream = await startUpstream();
  await using cache = await openRegistry({
    cache: [{ prefix: 'mirror', upstream: upstream.url, ttl: '1h' }],
  });
  const name = 'mirror/team/app';
  const { layers, manifest } = await image(cache.url, name);
  const digest = layers[0]?.digest ?? '';
  const head = await fetch(`${cache.url}/v2/${name}/blobs/${digest}`, { method: 'HEAD' });
  assert.equal(head.headers.get('content-length'), '1000');
  const bodies = await Promise.all(
    Array.from({ length: 8 }, async () => (await fetch(`${cache.url}/v2/${name}/blobs/${digest}`)).bytes()),
  );
  for (const body of bodies) assert.equal(digestOf(body), digest);
  assert.equal(asked(upstream, 'GET', `/blobs/${digest}`), 1);
  await until(
    () => !existsSync(cache.dir.join('data/spool')) || readdirSync(cache.dir.join('data/spool')).length === 0,
    {
      what: 'the spool to go',
    },
  );
  await image(cache.url, name);
  assert.equal(asked(upstream, 'HEAD', '/manifests/latest'), 1);
  assert.deepEqual(await (await fetch(`${cache.url}/v2/${name}/tags/list`)).json(), {
    name,
    tags: ['latest'],
  });
  assert.equal(await statusOf(`${cache.url}/v2/mirror/team/none/manifests/latest`), 404);
  await upstream[Symbol.asyncDispose]();
  assert.equal((await image(cache.url, name)).manifest.digest, manifest.digest);
  assert.equal(digestOf(await (await fetch(`${cache.url}/v2/${name}/blobs/${digest}`)).bytes()), digest);
  assert.deepEqual(await (await fetch(`${cache.url}/v2/${name}/tags/list`)).json(), {
    name,
    tags: ['latest'],
  });
  assert.equal(await statusOf(`${cache.url}/v2/mirror/team/other/manifests/latest`), 503);
});

test('PullThrough: a tag follows the upstream when its time is over, and goes with it', async () => {
  await using upstream = await startUpstream();
  await using cache = await openRegistry({ cache: [{ prefix: 'm', upstream: upstream.url, ttl: '1ms' }] });
  const first = await image(cache.url, 'm/team/app');
  await pushImage(upstream.url, 'team/app');
  const second = await image(cache.url, 'm/team/app');
  assert.notEqual(first.manifest.digest, second.manifest.digest);
  assert.equal(await statusOf(`${cache.url}/v2/m/team/app/manifests/${first.manifest.digest}`), 200);
  await fetch(`${upstream.url}/v2/team/app/manifests/latest`, { method: 'DELETE' });
  assert.equal(await statusOf(`${cache.url}/v2/m/team/app/manifests/latest`), 404);
});

test('PullThrough: a mirror of everything beside local repositories, with and without ns', async () => {
  await using upstream = await startUpstream();
  const { host } = new URL(upstream.url);
  await using cache = await openRegistry({
    cache: [{ upstream: upstream.url }, { prefix: 'other', upstream: 'http://127.0.0.1:1' }],
  });
  const { layers } = await image(cache.url, 'team/app');
  assert.equal(await statusOf(`${cache.url}/v2/team/app/manifests/latest?ns=${host}`), 200);
  assert.equal(await statusOf(`${cache.url}/v2/team/app/blobs/${layers[0]?.digest}?ns=${host}`), 200);
  assert.equal(await pushImage(cache.url, 'own/app'), 201);
  assert.equal(await statusOf(`${cache.url}/v2/own/app/manifests/latest`), 200);
  assert.equal(asked(upstream, 'HEAD', '/own/app/'), 0, 'what was pushed here is never asked for there');
  assert.equal(await pushImage(cache.url, 'team/app'), 403);
  assert.equal(await pushImage(cache.url, 'other/app'), 403);
  assert.equal(asked(upstream, 'POST', '/'), 2, 'only what the test itself pushed to the upstream');
});

test('PullThrough: the upstream sees the credentials of the configuration, the client those of nobody, and rules hold', async () => {
  const closed = { auth: { htpasswd: { path: 'users' }, issue: {} } };
  await using upstream = await startUpstream(closed, basic('robot'));
  const source = { upstream: upstream.url, username: 'robot', password: 'robot-pw' };
  const rules = [{ repositories: ['m/**'], who: ['alice'], verbs: ['pull', 'list'] }];
  await using cache = await openRegistry(
    { auth: { htpasswd: { path: 'users' }, rules }, cache: [{ prefix: 'm', ...source }] },
    users('alice', 'bob'),
  );
  const { layers } = await image(cache.url, 'm/team/app', basic('alice'));
  const path = `${cache.url}/v2/m/team/app/blobs/${layers[0]?.digest}`;
  assert.equal(await statusOf(path, basic('bob')), 403);
  assert.equal(await statusOf(path), 401);
  assert.equal(await statusOf(`${cache.url}/v2/m/team/app/manifests/latest`, basic('bob')), 403);
  const answer = await fetch(path, { headers: basic('alice') });
  assert.equal(answer.status, 200);
  assert.ok(![...answer.headers.values()].join(' ').includes('robot'));
  await using stranger = await openRegistry({ cache: [{ prefix: 'm', upstream: upstream.url }] });
  assert.equal(await statusOf(`${stranger.url}/v2/m/team/app/manifests/latest`), 404);
});

test('PullThrough: beyond the quota what was not used for the longest time goes', async () => {
  await using upstream = await startUpstream();
  await pushImage(upstream.url, 'team/b');
  await pushImage(upstream.url, 'team/c');
  await using cache = await openRegistry({
    cache: [{ prefix: 'm', upstream: upstream.url, quota: 2500, ttl: '1h' }],
  });
  const get = async (name: string): Promise<void> => {
    const { layers } = await image(cache.url, name);
    const response = await fetch(`${cache.url}/v2/${name}/blobs/${layers[0]?.digest}`);
    assert.equal(digestOf(await response.bytes()), layers[0]?.digest);
  };
  for (const name of ['m/team/app', 'm/team/b', 'm/team/app', 'm/team/c']) await get(name);
  await upstream[Symbol.asyncDispose]();
  await get('m/team/app');
  await get('m/team/c');
  const { layers } = await image(cache.url, 'm/team/b');
  assert.equal(await statusOf(`${cache.url}/v2/m/team/b/blobs/${layers[0]?.digest}`), 503);
});

/** An upstream that has one blob and sends it as `send` says. */
async function faultyUpstream(
  content: Buffer,
  send: (write: (chunk: Buffer, isLast?: boolean) => void) => void,
): Promise<{ url: string; server: Server } & AsyncDisposable> {
  const server = createServer((request, response) => {
    if (request.url?.includes('/blobs/') !== true) {
      response.end('{}');
      return;
    }
    response.writeHead(200, { 'Content-Length': content.length, 'Content-Type': 'application/octet-stream' });
    if (request.method === 'HEAD') response.end();
    else send((chunk, isLast = false) => (isLast ? response.end(chunk) : response.write(chunk)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : 0;
  return {
    url: `http://127.0.0.1:${port}`,
    server,
    async [Symbol.asyncDispose]() {
      server.close().closeAllConnections();
      await once(server, 'close');
    },
  };
}

test('PullThrough: a blob with another digest never ends well, and is never kept', async () => {
  const content = randomBytes(600_000);
  const wrong = Buffer.from(content);
  wrong[599_999] = (wrong[599_999] ?? 0) ^ 1;
  await using upstream = await faultyUpstream(content, (write) => write(wrong, true));
  await using cache = await openRegistry({ cache: [{ prefix: 'm', upstream: upstream.url }] });
  const url = `${cache.url}/v2/m/app/blobs/${digestOf(content)}`;
  for (let round = 0; round < 2; round += 1) {
    await assert.rejects(async () => {
      const response = await fetch(url);
      await response.arrayBuffer();
      if (response.status !== 200) throw new Error(`status ${response.status}`);
    }, /terminated|status (400|503)/);
  }
  await until(() => readdirSync(cache.dir.join('data/spool')).length === 0, { what: 'the spool to go' });
  assert.deepEqual(readdirSync(cache.dir.join('data/uploads')), []);
});

test('PullThrough: late clients catch up, slow and leaving ones hold nobody up', async () => {
  const content = randomBytes(3_000_000);
  const gate = Promise.withResolvers<void>();
  await using upstream = await faultyUpstream(content, (write) => {
    write(content.subarray(0, 2_000_000));
    void gate.promise.then(() => write(content.subarray(2_000_000), true));
  });
  await using cache = await openRegistry({ cache: [{ prefix: 'm', upstream: upstream.url }] });
  const url = `${cache.url}/v2/m/app/blobs/${digestOf(content)}`;
  const leaving = new AbortController();
  const gone = await fetch(url, { signal: leaving.signal });
  const slow = await fetch(url);
  leaving.abort();
  await assert.rejects(gone.arrayBuffer());
  const late = await fetch(url, { headers: { Range: 'bytes=1000-1999999' } });
  assert.equal(late.status, 206);
  gate.resolve();
  assert.deepEqual(Buffer.from(await late.bytes()), content.subarray(1000, 2_000_000));
  assert.equal(digestOf(await (await fetch(url)).bytes()), digestOf(content));
  assert.equal(digestOf(await slow.bytes()), digestOf(content));
});
