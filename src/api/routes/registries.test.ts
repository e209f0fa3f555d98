import assert from 'node:assert/strict';
import { test } from 'node:test';
import { notFound, unavailable } from '#/base/errors.ts';
import { serve, type TestServer } from '#tests/api-client.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import type { Backend } from '../backend.ts';
import { imageRoutes } from './images.ts';
import { registryRoutes } from './registries.ts';

type Fakes = Partial<Backend['registries']>;

function open(registries: Fakes): Promise<TestServer> {
  return serve([...imageRoutes, ...registryRoutes], fakeBackend({ registries }));
}

/** What a pull or push was asked for, without what differs each time. */
type Asked = { reference: unknown; platform: unknown; credentials: unknown };

async function askedBy(
  method: 'pull' | 'push',
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<Asked> {
  const asked: Asked[] = [];
  const note: Backend['registries']['pull'] = async (reference, { platform, credentials }) => {
    asked.push({ reference, platform, credentials });
  };
  await using server = await open({ [method]: note });
  const { status, body } = await server.ask('POST', path, { headers });
  assert.deepEqual([status, body], [200, '']);
  assert.equal(asked.length, 1);
  return asked[0] as Asked;
}

const digest = `sha256:${'a'.repeat(64)}`;

test('POST /images/create: the tag can be part of the name, apart, a digest, or all of them', async () => {
  const hub = { domain: 'docker.io', path: 'library/x' };
  const cases: [string, object][] = [
    ['fromImage=x&tag=1', { ...hub, tag: '1', digest: undefined }],
    ['fromImage=x:2', { ...hub, tag: '2', digest: undefined }],
    ['fromImage=x:2&tag=1', { ...hub, tag: '1', digest: undefined }],
    [`fromImage=x&tag=${digest}`, { ...hub, tag: undefined, digest }],
    [`fromImage=x:1@${digest}`, { ...hub, tag: '1', digest }],
    ['fromImage=x', { ...hub, tag: undefined, digest: undefined }],
    ['fromImage=[::1]:5000/a/b&tag=1', { domain: '[::1]:5000', path: 'a/b', tag: '1', digest: undefined }],
  ];
  for (const [query, reference] of cases) {
    const asked = await askedBy('pull', `/v1.51/images/create?${query}`);
    assert.deepEqual(asked, { reference, platform: undefined, credentials: { kind: 'anonymous' } }, query);
  }
});

test('POST /images/create: the platform is read since API 1.32, bad ones have a status', async () => {
  const arm = { os: 'linux', architecture: 'arm', variant: 'v7', osVersion: '' };
  const path = 'images/create?fromImage=x&tag=1&platform=linux/arm';
  assert.deepEqual((await askedBy('pull', `/v1.32/${path}`)).platform, arm);
  assert.equal((await askedBy('pull', `/v1.31/${path}`)).platform, undefined);
  await using server = await open({});
  assert.equal((await server.ask('POST', '/v1.51/images/create?fromImage=x&platform=foo')).status, 400);
  assert.equal((await server.ask('POST', '/v1.51/images/create?fromImage=x&tag=a:b')).status, 400);
});

test('POST /images/{name}/push: tag, platform since API 1.46 and credentials', async () => {
  const header = Buffer.from('{"username":"u","password":"p"}').toString('base64url');
  const platform = encodeURIComponent('{"os":"linux","architecture":"arm64"}');
  const path = `images/r.example/x/push?tag=1&platform=${platform}`;
  const asked = await askedBy('push', `/v1.46/${path}`, { 'X-Registry-Auth': header });
  assert.deepEqual(asked, {
    reference: { domain: 'r.example', path: 'x', tag: '1', digest: undefined },
    platform: { os: 'linux', architecture: 'arm64', variant: '', osVersion: '' },
    credentials: { kind: 'basic', username: 'u', password: 'p' },
  });
  const old = await askedBy('push', `/v1.45/${path}`, { 'X-Registry-Auth': 'broken!' });
  assert.deepEqual([old.platform, old.credentials], [undefined, { kind: 'anonymous' }]);
});

test('POST /images/create: what fails before the first progress has a status, later it is told in the stream', async () => {
  await using early = await open({ pull: () => Promise.reject(notFound('manifest for x:1 not found')) });
  const refused = await early.ask('POST', '/images/create?fromImage=x&tag=1');
  assert.deepEqual([refused.status, refused.body], [404, '{"message":"manifest for x:1 not found"}\n']);
  await using late = await open({
    pull: async (_reference, { onProgress }) => {
      onProgress({ kind: 'note', status: 'Pulling from library/x', id: '1' });
      throw unavailable('the connection was cut');
    },
  });
  const streamed = await late.ask('POST', '/images/create?fromImage=x&tag=1');
  const message = 'the connection was cut';
  assert.equal(streamed.status, 200);
  assert.deepEqual(
    streamed.body
      .trimEnd()
      .split('\r\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { status: 'Pulling from library/x', id: '1' },
      { errorDetail: { message }, error: message },
    ],
  );
});

test('POST /images/create: reports of bytes are few, stages all there', async () => {
  await using server = await open({
    pull: async (_reference, { onProgress }) => {
      for (let current = 1; current <= 1000; current += 1) {
        onProgress({ kind: 'bytes', id: 'abc', status: 'Downloading', current, total: 1000 });
      }
      onProgress({ kind: 'stage', id: 'abc', status: 'Download complete' });
      onProgress({ kind: 'result', value: { Tag: '1' } });
    },
  });
  const { body } = await server.ask('POST', '/images/create?fromImage=x&tag=1');
  const lines = body.trimEnd().split('\r\n');
  assert.ok(lines.length < 50, String(lines.length));
  assert.deepEqual(lines.slice(-3), [
    `{"status":"Downloading","progressDetail":{"current":1000,"total":1000},"progress":"[${'='.repeat(50)}>]      1kB/1kB","id":"abc"}`,
    '{"status":"Download complete","progressDetail":{},"id":"abc"}',
    '{"progressDetail":{},"aux":{"Tag":"1"}}',
  ]);
});

test('GET /images/search, /distribution, POST /auth: hand on what was asked', async () => {
  const asked: unknown[] = [];
  await using server = await open({
    search: async (term, { limit, filters }) => {
      asked.push([term, limit, [...filters]]);
      return [];
    },
    inspect: async (name) => {
      asked.push(name);
      throw notFound('manifest unknown');
    },
    login: async (address, { credentials }) => {
      asked.push([address, credentials]);
      return { IdentityToken: '', Status: 'Login Succeeded' };
    },
  });
  const filters = encodeURIComponent('{"stars":["3"]}');
  assert.equal((await server.ask('GET', `/images/search?term=a/b&limit=5&filters=${filters}`)).body, '[]\n');
  assert.equal((await server.ask('GET', '/images/search?term=a&limit=x')).status, 400);
  assert.equal((await server.ask('GET', '/v1.51/distribution/r.example/a/b:1/json')).status, 404);
  const login = await server.ask('POST', '/auth', {
    body: { username: 'u', password: 'p', serveraddress: 'r' },
  });
  assert.equal(login.body, '{"IdentityToken":"","Status":"Login Succeeded"}\n');
  assert.deepEqual(asked, [
    ['a/b', 5, [['stars', ['3']]]],
    'r.example/a/b:1',
    ['r', { kind: 'basic', username: 'u', password: 'p' }],
  ]);
});
