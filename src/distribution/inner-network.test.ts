import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { basicAuth, type FaultyRegistry, openFaultyRegistry, unauthorized } from '#tests/faulty-registry.ts';
import { ownAddress } from '#tests/own-address.ts';
import { never, openClient, repositoryOf, type TestClientOptions } from '#tests/registry-clients.ts';
import { openTokenService, type TokenService } from '#tests/token-service.ts';
import { until } from '#tests/until.ts';
import { isInternal } from './addresses.ts';
import type { Credentials } from './credentials.ts';

// Where these names lead is in tests/support/hosts: the first to an address outside, the second to this machine, the third to both.
const outside = 'outside.test';
const inside = 'inner.outside.test';
const changing = 'changing.test';

const joe: Credentials = { kind: 'basic', username: 'joe', password: 'hunter2' };
const anybody: readonly Credentials[] = [
  joe,
  { kind: 'identityToken', token: 'identity-of-joe' },
  { kind: 'anonymous' },
];

test('isInternal knows addresses of inner networks in all their forms', () => {
  for (const address of [
    '10.255.0.1',
    '100.64.0.1',
    '169.254.169.254',
    '172.31.0.1',
    '192.168.0.1',
    '198.18.0.1',
    '0.0.0.0',
    '::1',
    '::ffff:10.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::10.0.0.1',
    'fd12::1',
    'fe80::1%eth0',
  ]) {
    assert.equal(isInternal(address), true, address);
  }
  for (const address of [
    '9.9.9.9',
    '172.32.0.1',
    '203.0.113.5',
    '::ffff:9.9.9.9',
    '64:ff9b::9.9.9.9',
    '2600::1',
  ]) {
    assert.equal(isInternal(address), false, address);
  }
});

/** A registry outside whose realm is a service on this machine, under a name. */
async function withRealm(
  { registryName, realmName }: { registryName: string; realmName: string },
  run: (parts: { registry: string; asked: FaultyRegistry; service: TokenService }) => Promise<void>,
): Promise<void> {
  await using service = await openTokenService({
    users: { joe: 'hunter2' },
    identities: { 'identity-of-joe': 'joe' },
  });
  const realm = service.realm.replace('127.0.0.1', realmName);
  await using asked = await openFaultyRegistry({ listen: ownAddress, guard: service.guard({ realm }) });
  asked.content.addImage('app', [], { tag: 'latest' });
  await run({ registry: asked.host.replace(ownAddress, registryName), asked, service });
}

async function pull(
  registry: string,
  credentials: Credentials,
  hosts: TestClientOptions['hosts'] = {},
): Promise<void> {
  using client = openClient({ hosts: { insecure: [registry], ...hosts }, maxAttempts: 1 });
  await repositoryOf(client, `${registry}/app`, { credentials }).manifest('latest', { signal: never() });
}

test('a realm whose name leads to an inner network is asked by no registry outside', async () => {
  await withRealm({ registryName: outside, realmName: inside }, async ({ registry, asked, service }) => {
    for (const credentials of anybody) {
      await assert.rejects(pull(registry, credentials), {
        kind: 'forbidden',
        message:
          /it leads to 127\.0\.0\.1, an address of an inner network, the registry does not; nothing was sent there\. .*add "inner\.outside\.test" to "realms"/,
      });
    }
    assert.equal(service.server.requests.length, 0);
    assert.ok(asked.requests.length > 0);
    using client = openClient({ hosts: { insecure: [registry] }, maxAttempts: 1 });
    await assert.rejects(client.login(registry, { credentials: joe, signal: never() }), {
      kind: 'forbidden',
    });
    assert.equal(service.server.requests.length, 0);
  });
});

test('a realm in an inner network can be configured, and is no matter for registries there', async () => {
  await withRealm({ registryName: outside, realmName: inside }, async ({ registry, service }) => {
    const routes = { [registry]: { mirrors: [], rewrites: [], realms: [inside] } };
    await pull(registry, joe, { routes });
    assert.equal(service.server.requests.length, 1);
  });
  await using service = await openTokenService({ users: { joe: 'hunter2' } });
  const realm = service.realm.replace('127.0.0.1', inside);
  await using registry = await openFaultyRegistry({ guard: service.guard({ realm }) });
  registry.content.addImage('app', [], { tag: 'latest' });
  await pull(registry.host.replace('127.0.0.1', inside), joe);
});

test('a name that leads to an inner network only when tokens are asked for does not get credentials either', async () => {
  await withRealm({ registryName: changing, realmName: changing }, async ({ registry, asked, service }) => {
    for (const credentials of anybody) {
      await assert.rejects(pull(registry, credentials), {
        kind: 'forbidden',
        message: /leads to 127\.0\.0\.1/,
      });
    }
    assert.equal(service.server.requests.length, 0);
    assert.ok(asked.requests.length > 0);
  });
});

test('a registry that leads to an inner network only when credentials are sent does not get them', async () => {
  const guard = basicAuth('joe', 'hunter2');
  const challenge = unauthorized('Basic realm="test"');
  await using registry = await openFaultyRegistry({
    listen: ownAddress,
    // The next request needs a connection of its own.
    guard: (request) =>
      guard(request) && { ...challenge, headers: { ...challenge.headers, connection: 'close' } },
  });
  const port = Number(registry.host.split(':')[1]);
  let answered = 0;
  const inner = createServer((_request, response) => {
    answered += 1;
    response.end();
  });
  using client = openClient({ hosts: { insecure: [`${changing}:${port}`] }, maxAttempts: 1 });
  const repository = repositoryOf(client, `${changing}:${port}/app`, { credentials: joe });
  registry.faults.add({ fault: { kind: 'slow', delay: 200 } });
  const asked = repository.manifest('latest', { signal: never() });
  asked.catch(() => {});
  await until(() => registry.requests.length > 0, { what: 'the first request' });
  // From now on the name leads here first.
  inner.listen(port, '127.0.0.1');
  await once(inner, 'listening');
  await assert.rejects(asked, { kind: 'forbidden', message: /leads to 127\.0\.0\.1 now.*nothing was sent/ });
  assert.equal(answered, 0);
  inner.close();
});
