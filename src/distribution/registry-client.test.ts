import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import { basicAuth, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { openTokenService } from '#tests/token-service.ts';
import type { Credentials } from './credentials.ts';

const joe: Credentials = { kind: 'basic', username: 'joe', password: 'hunter2' };
const other: Credentials = { ...joe, password: 'wrong' };

test('login tells whether a registry takes a password, in the words of Docker', async () => {
  await using registry = await openFaultyRegistry({ guard: basicAuth('joe', 'hunter2') });
  using client = openClient();
  const login = (credentials: Credentials): Promise<unknown> =>
    client.login(registry.host, { credentials, signal: never() });
  assert.deepEqual(await login(joe), { status: 'Login Succeeded', identityToken: '' });
  await assert.rejects(login(other), {
    kind: 'unauthorized',
    message: `login attempt to ${registry.url}/v2/ failed with status: 401 Unauthorized`,
  });
});

test('login at a token service gives an identity token, which is good for what follows', async () => {
  await using service = await openTokenService({ users: { joe: 'hunter2' } });
  await using registry = await openFaultyRegistry({ guard: service.guard() });
  registry.content.addImage('app', [], { tag: 'latest' });
  using client = openClient();
  const signal = never();
  await assert.rejects(client.login(registry.host, { credentials: other, signal }), {
    kind: 'unauthorized',
    message: `Get "${registry.url}/v2/": unauthorized: incorrect username or password`,
  });
  const { identityToken } = await client.login(registry.host, { credentials: joe, signal });
  assert.equal(identityToken, 'identity-of-joe');
  const credentials: Credentials = { kind: 'identityToken', token: identityToken };
  await repositoryOf(client, `${registry.host}/app`, { credentials }).manifest('latest', { signal });
  assert.deepEqual(await client.login(registry.host, { credentials, signal }), {
    status: 'Login Succeeded',
    identityToken: '',
  });
});

test('login fails at once where nobody is, and asks once', async () => {
  using client = openClient();
  await assert.rejects(client.login('127.0.0.1:1', { credentials: joe, signal: never() }), {
    kind: 'unavailable',
    message: 'Get "http://127.0.0.1:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused',
  });
  await using registry = await openFaultyRegistry();
  registry.faults.add({ fault: { kind: 'answer', answer: { status: 503 } } });
  await assert.rejects(client.login(registry.host, { credentials: joe, signal: never() }), {
    message: `Get "${registry.url}/v2/": received unexpected HTTP status: 503 Service Unavailable`,
  });
  assert.equal(registry.requests.length, 1);
});

test('search reads what registries find, within bounds', async () => {
  const results = [
    { name: 'team/app', description: 'An app', star_count: 3, is_official: false },
    { name: 'app', is_official: true },
  ];
  await using registry = await openFaultyRegistry({
    handle: ({ path }) =>
      path.startsWith('/v1/search') ? { status: 200, body: JSON.stringify({ results }) } : undefined,
  });
  using client = openClient({ maxAttempts: 1 });
  const search = (): Promise<unknown> =>
    client.search(registry.host, 'app & more', {
      limit: 5,
      credentials: { kind: 'anonymous' },
      signal: never(),
    });
  assert.deepEqual(await search(), [
    { name: 'team/app', description: 'An app', starCount: 3, isOfficial: false },
    { name: 'app', description: '', starCount: 0, isOfficial: true },
  ]);
  assert.equal(registry.requests[0]?.path, '/v1/search?q=app+%26+more&n=5');
  registry.faults.add({ fault: { kind: 'pad', bytes: 5_000_000 } });
  await assert.rejects(search(), { kind: 'tooLarge' });
});

test('a garbage collection is asked for once, and a registry that has none says so', async () => {
  await using registry = await openFaultyRegistry();
  using client = openClient();
  const collect = (): Promise<string> =>
    client.collectGarbage(registry.host, {
      dryRun: true,
      credentials: { kind: 'anonymous' },
      signal: never(),
    });
  await assert.rejects(collect(), { status: 404 });
  registry.faults.add({ fault: { kind: 'answer', answer: { status: 503 } } });
  await assert.rejects(collect(), { status: 503 });
  assert.deepEqual(
    registry.requests.map(({ method, path }) => `${method} ${path}`),
    ['POST /skiff/v1/gc?dry-run=1', 'POST /skiff/v1/gc?dry-run=1'],
  );
});

test('a registry without TLS is asked for it once, not for each repository', async () => {
  let refused = 0;
  const server = createServer((_request, response) => response.end('{"tags":["t"]}'));
  server.on('clientError', (_error, socket) => {
    refused += 1;
    socket.destroy();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  using client = openClient();
  try {
    for (const name of ['a', 'b', 'c']) {
      assert.deepEqual(
        await Array.fromAsync(repositoryOf(client, `${host}/${name}`).tags({ signal: never() })),
        ['t'],
      );
    }
    assert.equal(refused, 1);
  } finally {
    server.close();
  }
});
