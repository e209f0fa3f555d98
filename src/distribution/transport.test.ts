import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { test } from 'node:test';
import { openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf, type TestClientOptions } from '#tests/registry-clients.ts';

async function failureOf(host: string, options: TestClientOptions = {}): Promise<string> {
  using client = openClient({ maxAttempts: 1, ...options });
  const asked = repositoryOf(client, `${host}/app`).manifest('latest', { signal: never() });
  const error: unknown = await asked.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(error instanceof Error);
  return error.message;
}

test('failures of the network are told in the words of Docker', async () => {
  assert.equal(
    await failureOf('127.0.0.1:1'),
    'Get "http://127.0.0.1:1/v2/app/manifests/latest": dial tcp 127.0.0.1:1: connect: connection refused',
  );
  assert.equal(
    await failureOf('localhost:1'),
    'Get "http://localhost:1/v2/app/manifests/latest": dial tcp 127.0.0.1:1: connect: connection refused',
  );
  assert.match(
    await failureOf('nosuch.invalid'),
    /^Get "https:\/\/nosuch\.invalid\/v2\/app\/manifests\/latest": dial tcp: lookup nosuch\.invalid: (no such host|server misbehaving)$/,
  );
  assert.match(
    await failureOf('203.0.113.77'),
    /: dial tcp 203\.0\.113\.77:443: connect: network is unreachable$/,
  );
  await using registry = await openFaultyRegistry();
  registry.faults.add({ fault: { kind: 'reset' } });
  assert.match(await failureOf(registry.host), /: (EOF|read: connection reset by peer)$/);
});

test('a registry that does not answer, or stops in the middle, is not waited for without end', async () => {
  const patience = { connect: 5000, idle: 100 };
  await using registry = await openFaultyRegistry();
  registry.content.addImage('app', [], { tag: 'latest' });
  registry.faults.add({ fault: { kind: 'silence' } });
  assert.match(await failureOf(registry.host, { patience }), /nothing came for 0\.1 s/);
  registry.faults.clear();
  registry.faults.add({ fault: { kind: 'slow', pause: 60_000, piece: 10 } });
  assert.match(await failureOf(registry.host, { patience }), /broke off: nothing came for 0\.1 s/);
});

test('a connection that never stands is given up', async () => {
  // It takes the connection, and never begins with TLS.
  await using server = createServer(() => {});
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const held: { destroy(): void }[] = [];
  server.on('connection', (socket) => held.push(socket));
  const message = await failureOf(host, { patience: { connect: 100, idle: 150 } });
  assert.match(message, /i\/o timeout|nothing came/);
  for (const socket of held) socket.destroy();
});

test('requests go through a proxy, whose password nobody gets to see', async () => {
  const lines: string[] = [];
  await using proxy = await openFaultyRegistry({
    handle: ({ path, headers }) => {
      lines.push(`${path} ${headers['proxy-authorization']}`);
      return { status: 502 };
    },
  });
  const url = `http://joe:hunter2@${proxy.host}`;
  const options = { hosts: { insecure: ['reg.invalid'] }, proxies: { http: url, https: '', no: '' } };
  const message = await failureOf('reg.invalid', options);
  assert.match(
    message,
    /^Get "http:\/\/reg\.invalid\/v2\/app\/manifests\/latest": received unexpected HTTP status: 502/,
  );
  assert.deepEqual(lines, [
    `http://reg.invalid/v2/app/manifests/latest Basic ${Buffer.from('joe:hunter2').toString('base64')}`,
  ]);
  const refused = await failureOf('reg.invalid', {
    proxies: { http: '', https: 'http://joe:hunter2@127.0.0.1:1', no: '' },
  });
  assert.match(refused, /^Get "https:\/\/reg\.invalid\/.*connection refused$/);
  const direct = await failureOf('127.0.0.1:1', { proxies: { http: url, https: url, no: '' } });
  assert.match(direct, /connection refused/);
  assert.equal(lines.length, 1);
  assert.doesNotMatch(message + refused, /hunter2/);
});
