import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { test } from 'node:test';
import fc from 'fast-check';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { isKind } from '#/base/errors.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import type { TokenConfig } from '../config/auth.ts';
import { grantsVerb, parseScopes } from './grants.ts';
import { claimsOf, OwnTokens, ServiceTokens } from './tokens.ts';

const pull = { type: 'repository', name: 'team/app', actions: ['pull'] };
const { publicKey, privateKey } = await generateKeyPair('ES256');
const jwks = { keys: [{ ...(await exportJWK(publicKey)), kid: 'one', alg: 'ES256' }] };
const base = {
  url: new URL('https://tokens.example/token'),
  service: 'reg',
  issuer: 'tokens',
  audience: 'reg',
};

function sign(claims: Record<string, unknown>): Promise<string> {
  return new SignJWT({ iss: 'tokens', aud: 'reg', exp: Math.floor(Date.now() / 1000) + 300, ...claims })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .sign(privateKey);
}

function withFile(): { tokens: ServiceTokens } & Disposable {
  const dir = scratchDir();
  writeFileSync(dir.join('jwks.json'), JSON.stringify(jwks));
  const config: TokenConfig = { ...base, jwks: { kind: 'file', path: dir.join('jwks.json') } };
  return { tokens: new ServiceTokens(config), [Symbol.dispose]: () => dir[Symbol.dispose]() };
}

test('ServiceTokens: a good token says who may do what', async () => {
  using file = withFile();
  const claims = await file.tokens.verify(await sign({ sub: 'alice', groups: ['dev', 3], access: [pull] }));
  assert.deepEqual(claims, { user: 'alice', groups: ['dev'], grants: [pull] });
  assert.deepEqual(await file.tokens.verify(await sign({ sub: '' })), {
    user: undefined,
    groups: [],
    grants: [],
  });
});

test('ServiceTokens: other issuers, audiences, keys and times are refused', async () => {
  using file = withFile();
  const other = await generateKeyPair('ES256');
  const now = Math.floor(Date.now() / 1000);
  const foreign = await new SignJWT({ iss: 'tokens', aud: 'reg', exp: now + 300 })
    .setProtectedHeader({ alg: 'ES256', kid: 'one' })
    .sign(other.privateKey);
  const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from('{}').toString('base64url')}.`;
  const shared = await new SignJWT({ iss: 'tokens', aud: 'reg', exp: now + 300 })
    .setProtectedHeader({ alg: 'HS256', kid: 'one' })
    .sign(new TextEncoder().encode(JSON.stringify(jwks.keys[0])));
  // What a token says of its own key is no reason to believe it (CVE-2025-24976).
  const signedBy = (header: object): Promise<string> =>
    new SignJWT({ iss: 'tokens', aud: 'reg', exp: now + 300 })
      .setProtectedHeader({ alg: 'ES256', ...header })
      .sign(other.privateKey);
  const jwk = await exportJWK(other.publicKey);
  const bad = [
    await signedBy({ jwk }),
    await signedBy({ jwk, kid: 'one' }),
    await signedBy({ jwk: { ...jwk, kid: 'one' }, kid: 'two' }),
    await signedBy({ jku: 'http://127.0.0.1:1/keys' }),
    await signedBy({ x5c: ['MIIB'] }),
    await signedBy({ crit: ['x'], x: 1 }).catch(() => 'crit'),
    await sign({ iss: 'others' }),
    await sign({ aud: 'others' }),
    await sign({ exp: now - 120 }),
    await sign({ nbf: now + 120 }),
    await sign({ exp: undefined }),
    await sign({ access: 'all' }),
    await sign({ access: [{ type: 'repository', name: 'x' }] }),
    await sign({ sub: 5 }),
    foreign,
    unsigned,
    shared,
    'abc',
    '',
  ];
  for (const token of bad) {
    await assert.rejects(file.tokens.verify(token), (error) => isKind(error, 'unauthorized'), token);
  }
});

test('ServiceTokens: keys from a URL; without them the answer is not "no" but "later"', async () => {
  const server = createServer((_request, response) => response.end(JSON.stringify(jwks))).listen(
    0,
    '127.0.0.1',
  );
  await once(server, 'listening');
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/keys`);
  const tokens = new ServiceTokens({ ...base, jwks: { kind: 'url', url } });
  assert.deepEqual((await tokens.verify(await sign({ access: [pull] }))).grants, [pull]);
  server.close().closeAllConnections();
  await once(server, 'close');
  const later = new ServiceTokens({ ...base, jwks: { kind: 'url', url } });
  await assert.rejects(later.verify(await sign({})), (error) => isKind(error, 'unavailable'));
});

test('OwnTokens: what was issued is good where the key is the same, for its time', async () => {
  const key = createSecretKey(Buffer.alloc(32, 1));
  const tokens = new OwnTokens({ key, service: 'reg', lifetime: 60_000 });
  const { token } = await tokens.issue('alice', [pull]);
  const other = new OwnTokens({ key, service: 'reg', lifetime: 1 });
  assert.deepEqual(await other.verify(token), { user: 'alice', groups: [], grants: [pull] });
  const elsewhere = new OwnTokens({ key: createSecretKey(Buffer.alloc(32, 2)), service: 'reg', lifetime: 1 });
  await assert.rejects(elsewhere.verify(token), (error) => isKind(error, 'unauthorized'));
  const past = new OwnTokens({ key, service: 'reg', lifetime: -2000 });
  await assert.rejects(tokens.verify((await past.issue('alice', [])).token), (error) =>
    isKind(error, 'unauthorized'),
  );
});

test('claimsOf: claims or a complaint, for any payload', () => {
  fc.assert(
    fc.property(
      fc.record({ sub: fc.anything(), groups: fc.anything(), access: fc.anything() }),
      (payload) => {
        try {
          for (const { actions } of claimsOf(payload).grants) assert.ok(Array.isArray(actions));
        } catch (error) {
          assert.ok(isKind(error, 'invalid'), String(error));
        }
      },
    ),
  );
});

test('parseScopes: scopes as clients send them', () => {
  assert.deepEqual(
    parseScopes(['repository:team/app:pull,push registry:catalog:*', 'repository(plugin):a:pull,pull']),
    [
      { type: 'repository', name: 'team/app', actions: ['pull', 'push'] },
      { type: 'registry', name: 'catalog', actions: ['*'] },
      { type: 'repository', name: 'a', actions: ['pull'] },
    ],
  );
  for (const text of ['x', 'repository:a', 'a:b:c!', ':a:pull', `repository:${'a'.repeat(5000)}:pull`]) {
    assert.throws(() => parseScopes([text]), /is no scope/);
  }
  assert.throws(() => parseScopes(['a:b:c '.repeat(65)]), /more than 64 scopes/);
});

test('grantsVerb: a grant is for its repository and its actions only', () => {
  assert.equal(grantsVerb([pull], 'pull', 'team/app'), true);
  assert.equal(grantsVerb([pull], 'list', 'team/app'), true);
  assert.equal(grantsVerb([pull], 'push', 'team/app'), false);
  assert.equal(grantsVerb([pull], 'pull', 'team/apps'), false);
  assert.equal(grantsVerb([{ ...pull, actions: ['*'] }], 'delete', 'team/app'), true);
  assert.equal(grantsVerb([{ ...pull, type: 'registry' }], 'pull', 'team/app'), false);
});
