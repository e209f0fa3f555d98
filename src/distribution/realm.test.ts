import assert from 'node:assert/strict';
import { test } from 'node:test';
import { openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { openTokenService } from '#tests/token-service.ts';
import { parseChallenges } from './challenge.ts';
import type { Credentials } from './credentials.ts';
import type { RegistryHost } from './hosts.ts';
import { realmOf } from './realm.ts';

const joe: Credentials = { kind: 'basic', username: 'joe', password: 'hunter2' };
const nobody: Credentials = { kind: 'anonymous' };

function ask(
  registry: string,
  realm: string,
  {
    credentials = joe,
    insecure = false,
    realms = [],
  }: Partial<RegistryHost> & { credentials?: Credentials } = {},
): string {
  const base = new URL(registry);
  const host = { domain: 'reg.example', base, name: base.host, isMirror: false, insecure, realms };
  const [challenge] = parseChallenges(`Bearer realm="${realm}",service="x"`);
  assert.ok(challenge !== undefined);
  return realmOf(challenge, host, credentials).href;
}

test('realmOf sends credentials to the registry itself and to its own organisation', () => {
  for (const [registry, realm] of [
    ['https://reg.example/', 'https://reg.example/token'],
    ['https://reg.example:5000/', 'https://reg.example:5001/token'],
    ['https://registry-1.docker.io/', 'https://auth.docker.io/token'],
    ['https://registry.gitlab.com/', 'https://gitlab.com/jwt/auth'],
    ['https://registry.shop.co.uk/', 'https://auth.shop.co.uk/'],
    ['http://127.0.0.1:5000/', 'http://localhost:5001/token'],
    ['https://10.0.0.5/', 'https://10.0.0.5:8443/token'],
  ] as const) {
    assert.equal(ask(registry, realm), realm);
  }
});

test('realmOf keeps credentials from whoever answers in the place of a registry (CVE-2026-33540)', () => {
  for (const [registry, realm] of [
    ['https://reg.example.com/', 'https://evil.test/token'],
    ['https://reg.example.com/', 'https://reg.example.com.evil.test/token'],
    ['https://registry.shop.co.uk/', 'https://evil.co.uk/token'],
    ['https://me.azurewebsites.net/', 'https://evil.azurewebsites.net/token'],
    ['https://192.0.2.1/', 'https://192.0.2.2/token'],
    ['https://10.0.0.5/', 'https://10.0.0.6/token'],
    ['https://reg/', 'https://other/token'],
    ['https://reg.example.com/', 'https://reg.example.com@evil.test/token'],
  ] as const) {
    const credentials: readonly Credentials[] = [joe, { kind: 'identityToken', token: 'secret' }];
    for (const one of credentials) {
      assert.throws(() => ask(registry, realm, { credentials: one }), {
        kind: 'forbidden',
        message:
          /is another host, so the credentials were not sent. If it belongs to the registry, add ".*" to "realms"/,
      });
    }
    // Who has no credentials has none to lose.
    if (!realm.includes('//10.'))
      assert.ok(ask(registry, realm, { credentials: nobody }).startsWith('https://'));
  }
});

test('realmOf believes what is configured', () => {
  const realm = 'https://login.other.test/token';
  assert.equal(ask('https://reg.example.com/', realm, { realms: ['login.other.test'] }), realm);
  assert.throws(() => ask('https://reg.example.com/', realm, { realms: ['other.test'] }), {
    kind: 'forbidden',
  });
});

test('realmOf does not go from TLS to none, nor from outside to an inner network', () => {
  for (const credentials of [joe, nobody]) {
    assert.throws(
      () => ask('https://reg.example/', 'http://reg.example/token', { credentials }),
      /without TLS/,
    );
    for (const inner of [
      '10.1.2.3',
      '192.168.1.1',
      '169.254.169.254',
      '127.0.0.1',
      '[fd00::1]',
      '[fe80::1]',
      'localhost',
    ]) {
      assert.throws(() => ask('https://reg.example/', `https://${inner}/token`, { credentials }), {
        kind: 'forbidden',
        message: /address of an inner network/,
      });
    }
  }
  assert.ok(ask('https://reg.example/', 'http://reg.example/token', { insecure: true }));
  assert.throws(() => ask('https://reg.example/', 'ftp://reg.example/token'), /not a URL of HTTP/);
  assert.throws(() => ask('https://reg.example/', 'nowhere'), { kind: 'unavailable' });
});

test('realmOf drops credentials that a registry puts into its realm', () => {
  assert.equal(ask('https://reg.example/', 'https://a:b@reg.example/token'), 'https://reg.example/token');
});

test('a hijacked realm is never asked', async () => {
  await using service = await openTokenService({ users: { joe: 'hunter2' } });
  const realm = service.realm.replace('127.0.0.1', 'evil.invalid');
  await using registry = await openFaultyRegistry({ guard: service.guard({ realm }) });
  using client = openClient();
  const repository = repositoryOf(client, `${registry.host}/app`, { credentials: joe });
  await assert.rejects(repository.manifest('latest', { signal: never() }), /the credentials were not sent/);
  assert.equal(service.server.requests.length, 0);
  assert.equal(registry.requests.length, 1);
});
