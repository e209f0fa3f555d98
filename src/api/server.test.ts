import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { conflict, notModified } from '#/base/errors.ts';
import { readUntil, serve } from '#tests/api-client.ts';
import { fakeBackend } from '#tests/fake-backend.ts';
import type { Backend } from './backend.ts';
import type { Handler, Route } from './call.ts';
import { createBody } from './decode/containers.ts';
import { readJson } from './input.ts';
import { beginStream, json, send } from './respond.ts';
import { systemRoutes } from './routes/system.ts';
import { unimplementedRoutes } from './routes/unimplemented.ts';
import { ApiServer } from './server.ts';

const engine = fakeBackend({});

test('ApiServer: every answer carries the version headers', async () => {
  await using server = await serve(systemRoutes, engine);
  for (const [method, path, status] of [
    ['HEAD', '/_ping', 200],
    ['GET', '/v1.30/_ping', 200],
    ['GET', '/nope', 404],
    ['OPTIONS', '/anything', 200],
  ] as const) {
    const answer = await server.ask(method, path);
    assert.equal(answer.status, status);
    assert.equal(answer.headers['api-version'], '1.51');
    assert.equal(answer.headers['docker-experimental'], 'false');
    assert.equal(answer.headers.ostype, 'linux');
    assert.equal(answer.headers.server, 'Skiff/test (linux)');
  }
  assert.equal((await server.ask('GET', '/_ping')).body, 'OK');
});

test('ApiServer: unknown paths, versions and features are told apart', async () => {
  await using server = await serve([...systemRoutes, ...unimplementedRoutes], engine);
  const cases: [string, string, number, string][] = [
    ['GET', '/nope', 404, '{"message":"page not found"}\n'],
    ['POST', '/info', 404, '{"message":"page not found"}\n'],
    [
      'GET',
      '/v1.52/info',
      400,
      '{"message":"client version 1.52 is too new. Maximum supported API version is 1.51"}\n',
    ],
    [
      'GET',
      '/v1.23/info',
      400,
      'client version 1.23 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version\n',
    ],
    ['POST', '/commit', 501, '{"message":"Committing containers is not implemented"}\n'],
    ['GET', '/services/a/logs', 501, '{"message":"Swarm mode is not implemented"}\n'],
  ];
  for (const [method, path, status, body] of cases) {
    const answer = await server.ask(method, path);
    assert.deepEqual([answer.status, answer.body], [status, body], path);
  }
});

test('ApiServer: what a handler throws becomes the answer', async () => {
  const raise =
    (error: Error): Handler =>
    () =>
      Promise.reject(error);
  await using server = await serve(
    [
      ['GET', '/conflict', raise(conflict('taken'))],
      ['GET', '/same', raise(notModified('so already'))],
      ['GET', '/bug', raise(new TypeError('oops'))],
    ],
    engine,
  );
  assert.deepEqual(pick(await server.ask('GET', '/conflict')), [409, '{"message":"taken"}\n']);
  assert.deepEqual(pick(await server.ask('GET', '/same')), [304, '']);
  assert.deepEqual(pick(await server.ask('GET', '/bug')), [500, '{"message":"oops"}\n']);
});

function pick({ status, body }: { status: number; body: string }): [number, string] {
  return [status, body];
}

test('readJson: bodies that Docker refuses', async () => {
  const echo: Route = [
    'POST',
    '/c',
    async (call) => json(call, (await readJson(call, createBody, { required: true })).config.Image),
  ];
  await using server = await serve([echo], engine);
  const type = { 'Content-Type': 'application/json' };
  const cases: [string, object, number, string][] = [
    ['{"Image":"x"} ', type, 200, 'x'],
    ['{"Image":"x"}', { 'Content-Type': 'application/json; charset=utf-8' }, 200, 'x'],
    ['', type, 400, 'invalid JSON: got EOF while reading request body'],
    ['{"Image":"x"} {}', type, 400, 'unexpected content after JSON'],
    ['{"Image":"x"}x', type, 400, 'unexpected content after JSON'],
    ['{"Image":', type, 400, 'invalid JSON: unexpected EOF'],
    ['{"Image":"', type, 400, 'invalid JSON: unexpected EOF'],
    [
      '{Image:1}',
      type,
      400,
      "invalid JSON: invalid character 'I' looking for beginning of object key string",
    ],
    [
      '{"Image":1}',
      type,
      400,
      'invalid JSON: json: cannot unmarshal number into Go struct field .Image of type string',
    ],
    [
      '{}',
      { 'Content-Type': 'text/plain' },
      400,
      "unsupported Content-Type header (text/plain): must be 'application/json'",
    ],
    ['{}', { 'Content-Type': '' }, 400, 'malformed Content-Type header (): mime: no media type'],
    ['{}', {}, 400, 'malformed Content-Type header (): mime: no media type'],
  ];
  for (const [body, headers, status, expected] of cases) {
    const answer = await server.ask('POST', '/c', { body, headers: { ...headers } });
    const value: unknown = JSON.parse(answer.body);
    const shown = typeof value === 'object' && value !== null && 'message' in value ? value.message : value;
    assert.deepEqual([answer.status, shown], [status, expected], body);
  }
});

test('readJson: a body over the limit is refused, announced or not', async () => {
  const echo: Route = ['POST', '/c', async (call) => json(call, await readJson(call, createBody))];
  await using server = await serve([echo], engine);
  const body = JSON.stringify({ Image: 'x'.repeat(5 * 1024 * 1024) });
  const headers = { 'Content-Type': 'application/json' };
  const chunked = { ...headers, 'Transfer-Encoding': 'chunked' };
  // A connection that ends with the answer must not break while the client still sends.
  const last = { ...headers, Connection: 'close' };
  for (const sent of [headers, chunked, last]) {
    const answer = await server.ask('POST', '/c', { body, headers: sent });
    assert.deepEqual(pick(answer), [413, '{"message":"http: request body too large"}\n']);
  }
});

test('Call.signal: aborts when the client hangs up', async () => {
  const { promise: aborted, resolve } = Promise.withResolvers<unknown>();
  const hang: Route = [
    'GET',
    '/hang',
    async (call) => {
      beginStream(call, 'text/plain');
      await once(call.signal, 'abort');
      resolve(call.signal.reason);
    },
  ];
  await using server = await serve([hang], engine);
  const socket = await server.raw('GET /hang HTTP/1.1\r\nHost: d\r\n\r\n');
  await once(socket, 'data');
  socket.destroy();
  assert.match(String(await aborted), /hung up/);
});

test('ApiServer.close: aborts what waits, and lets it answer', async () => {
  const { promise: waiting, resolve } = Promise.withResolvers<void>();
  const wait: Route = [
    'GET',
    '/wait',
    async (call) => {
      const { signal } = call;
      resolve();
      await once(signal, 'abort');
      json(call, { reason: String(signal.reason) });
    },
  ];
  await using server = await serve([wait], engine);
  const answer = server.ask('GET', '/wait');
  await waiting;
  await server.api.close(5000);
  assert.match((await answer).body, /shutting down/);
});

test('send: what is sent at once still comes in chunks of its own', async () => {
  const three: Route = [
    'GET',
    '/three',
    async (call) => {
      beginStream(call, 'application/json');
      for (const n of [1, 2, 3]) await send(call.response, `{"n":${n}}\n`, call);
      call.response.end();
    },
  ];
  await using server = await serve([three], engine);
  const socket = await server.raw('GET /three HTTP/1.1\r\nHost: d\r\nConnection: close\r\n\r\n');
  const answer = await readUntil(socket, () => false);
  assert.match(answer, /\r\n8\r\n\{"n":1\}\n\r\n8\r\n\{"n":2\}\n\r\n8\r\n\{"n":3\}\n\r\n0\r\n\r\n$/);
});

test('send: a client that does not read holds the producer back', async () => {
  let produced = 0;
  const { promise: ended, resolve } = Promise.withResolvers<void>();
  const flood: Route = [
    'GET',
    '/flood',
    async (call) => {
      const chunk = Buffer.alloc(64 * 1024);
      const { signal } = call;
      beginStream(call, 'application/octet-stream');
      try {
        for (;;) {
          await send(call.response, chunk, { signal });
          produced += chunk.length;
        }
      } finally {
        resolve();
      }
    },
  ];
  await using server = await serve([flood], engine);
  const socket = await server.raw('GET /flood HTTP/1.1\r\nHost: d\r\n\r\n');
  await once(socket, 'readable');
  let before = -1;
  // The kernel's buffers fill up, then nothing moves any more.
  while (before !== produced) {
    before = produced;
    await new Promise((done) => setTimeout(done, 100));
  }
  assert.ok(produced < 8 * 1024 * 1024, `${produced} bytes were produced for nobody`);
  socket.destroy();
  await ended;
});

test('ApiServer.door: with names, refuses browsers and foreign hosts', async () => {
  await using server = await serve(systemRoutes, engine);
  const door = new ApiServer({
    routes: systemRoutes,
    engine,
    log: (await import('#/base/log.ts')).silentLogger(),
    product: 'x',
  }).door({ names: new Set(['box']) });
  await using _closing = { [Symbol.asyncDispose]: async () => void door.close() };
  const path = `${server.path}.tcp`;
  door.listen(path);
  await once(door, 'listening');
  const status = async (headers: Record<string, string>): Promise<number> =>
    (await server.ask('GET', '/_ping', { socketPath: path, headers })).status;
  for (const host of ['127.0.0.1:2375', '[::1]:2375', 'localhost', 'box:1', 'api.moby.localhost']) {
    assert.equal(await status({ Host: host }), 200, host);
  }
  assert.equal(await status({ Host: 'evil.example' }), 403);
  assert.equal(await status({ Host: 'localhost', Origin: 'http://localhost' }), 403);
});

test('GET /info, /_ping: what older versions of the API have, and the builder that the daemon names', async () => {
  const info = (): Promise<unknown> =>
    Promise.resolve({ RuncCommit: { ID: '1' }, InitCommit: { ID: '' }, ContainerdCommit: { ID: '' } });
  await using server = await serve(
    systemRoutes,
    fakeBackend({ system: { info: info as Backend['system']['info'], builderVersion: '1' } }),
  );
  const infoOf = async (version: string): Promise<Record<string, unknown>> =>
    JSON.parse((await server.ask('GET', `/${version}/info`)).body) as Record<string, unknown>;
  const [oldest, older, newest] = [await infoOf('v1.48'), await infoOf('v1.49'), await infoOf('v1.51')];
  assert.deepEqual(oldest['RuncCommit'], { ID: '1', Expected: '1' });
  assert.deepEqual([older['RuncCommit'], older['BridgeNfIptables']], [{ ID: '1' }, false]);
  assert.ok(!('BridgeNfIp6tables' in newest));
  assert.equal((await server.ask('HEAD', '/_ping')).headers['builder-version'], '1');
});
