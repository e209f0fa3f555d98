import assert from 'node:assert/strict';
import { createSecretKey } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { test } from 'node:test';
import { hashSync } from 'bcryptjs';
import { silentLogger } from '#/base/log.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import type { Verb } from '../access.ts';
import { type AuthConfig, readAuth } from '../config/auth.ts';
import { Section } from '../config/section.ts';
import { RegistryError } from '../errors.ts';
import { AccessControl, type Caller, issueToken } from './access-control.ts';
import { BcryptThread } from './bcrypt.ts';
import { Htpasswd } from './htpasswd.ts';
import { type RuleVerb, verbs } from './rules.ts';
import { OwnTokens } from './tokens.ts';

function config(auth: unknown): AuthConfig {
  const read = readAuth(new Section({ auth }, { key: '', folder: '/' }));
  assert.ok(read !== undefined);
  return read;
}

async function control(
  auth: Record<string, unknown>,
): Promise<AsyncDisposable & { access: AccessControl; tokens: OwnTokens }> {
  await using stack = new AsyncDisposableStack();
  const dir = stack.use(scratchDir());
  const path = dir.join('users');
  writeFileSync(
    path,
    ['alice', 'bob', 'root'].map((name) => `${name}:${hashSync(`${name}-pw`, 4)}`).join('\n'),
  );
  const bcrypt = stack.use(new BcryptThread());
  const htpasswd = new Htpasswd({ path, remember: 60_000, bcrypt, log: silentLogger() });
  const tokens = new OwnTokens({ key: createSecretKey(Buffer.alloc(32)), service: 'reg', lifetime: 60_000 });
  const access = new AccessControl({
    config: config({ htpasswd: { path }, ...auth }),
    url: undefined,
    htpasswd,
    tokens,
  });
  const rest = stack.move();
  return { access, tokens, [Symbol.asyncDispose]: () => rest.disposeAsync() };
}

/** A request as the HTTP server makes it, with a header and without a connection. */
function request(authorization?: string): IncomingMessage {
  const made = new IncomingMessage(new Socket());
  made.headers.host = 'registry.example';
  if (authorization !== undefined) made.headers.authorization = authorization;
  return made;
}

function may(access: AccessControl, caller: Caller): (verb: RuleVerb, repository: string) => boolean {
  return (verb, repository) => access.decide(caller, { verb, repository }).allowed;
}

function challengeTo(access: AccessControl, caller: Caller, verb: Verb): string | undefined {
  const decision = access.decide(caller, { verb, repository: verb === 'ping' ? undefined : 'a/b' });
  assert.equal(decision.allowed, false);
  return decision.challenge;
}

function isUnauthorized(error: unknown): boolean {
  return (
    error instanceof RegistryError && error.status === 401 && error.headers['WWW-Authenticate'] !== undefined
  );
}

function basic(name: string, password = `${name}-pw`): string {
  return `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;
}

const rules = [
  { repositories: ['private/**'], who: ['root'] },
  { repositories: ['private/**'], who: ['anyone'], effect: 'deny' },
  { repositories: ['team/*'], who: ['@team'], verbs: ['pull', 'push', 'list'] },
  { repositories: ['**'], who: ['root'] },
  { repositories: ['public/*'], who: ['anyone'], verbs: ['pull', 'list'] },
];

test('AccessControl: each role can do with each verb what the rules say, and no more', async () => {
  await using made = await control({ rules, groups: { team: ['alice'] } });
  const callers: Record<string, Caller> = {
    nobody: await made.access.identify(request()),
    alice: await made.access.identify(request(basic('alice'))),
    bob: await made.access.identify(request(basic('bob'))),
    root: await made.access.identify(request(basic('root'))),
  };
  const expected: Record<string, Record<string, readonly RuleVerb[]>> = {
    'private/x': { nobody: [], alice: [], bob: [], root: verbs },
    'team/app': { nobody: [], alice: ['pull', 'push', 'list'], bob: [], root: verbs },
    'public/app': { nobody: ['pull', 'list'], alice: ['pull', 'list'], bob: ['pull', 'list'], root: verbs },
    other: { nobody: [], alice: [], bob: [], root: verbs },
  };
  for (const [repository, byRole] of Object.entries(expected)) {
    for (const [role, allowed] of Object.entries(byRole)) {
      const caller = callers[role];
      assert.ok(caller !== undefined);
      const can = may(made.access, caller);
      assert.deepEqual(
        verbs.filter((verb) => can(verb, repository)),
        allowed,
        `${role} ${repository}`,
      );
      // The same through a token for everything.
      const wanted = [{ type: 'repository', name: repository, actions: [...verbs] }];
      const { token } = await issueToken(made, { caller, wanted });
      const bearer = await made.access.identify(request(`Bearer ${token}`));
      assert.deepEqual(
        verbs.filter((verb) => may(made.access, bearer)(verb, repository)),
        allowed,
        `token of ${role} ${repository}`,
      );
      assert.equal(may(made.access, bearer)('pull', 'public/other'), false, 'a token is for its repository');
    }
  }
});

test('AccessControl: wrong credentials are never taken for none', async () => {
  await using made = await control({ anonymousRead: true });
  for (const header of [basic('alice', 'x'), basic('carol'), 'Basic !', 'Bearer abc', 'Digest x', '']) {
    await assert.rejects(made.access.identify(request(header)), isUnauthorized, header);
  }
});

test('AccessControl: a token is not worth more than the rules of now', async () => {
  await using before = await control({});
  await using after = await control({ rules: [{ repositories: ['a'], who: ['alice'], verbs: ['pull'] }] });
  const caller = await before.access.identify(request(basic('alice')));
  const wanted = [{ type: 'repository', name: 'a', actions: ['*'] }];
  const { token, expires_in } = await issueToken(before, { caller, wanted });
  assert.equal(expires_in, 60);
  const bearer = await after.access.identify(request(`Bearer ${token}`));
  assert.equal(may(after.access, bearer)('pull', 'a'), true);
  assert.equal(may(after.access, bearer)('push', 'a'), false);
});

test('AccessControl: somebody unknown is asked for a password or sent to the token service, somebody known hears no', async () => {
  await using plain = await control({ realm: 'Ours', rules: [] });
  const basicChallenge = 'Basic realm="Ours", charset="UTF-8"';
  const unknown = await plain.access.identify(request());
  assert.equal(challengeTo(plain.access, unknown, 'ping'), basicChallenge);
  assert.equal(challengeTo(plain.access, unknown, 'push'), basicChallenge);
  const bob = await plain.access.identify(request(basic('bob')));
  assert.equal(plain.access.decide(bob, { verb: 'ping', repository: undefined }).allowed, true);
  assert.equal(challengeTo(plain.access, bob, 'push'), undefined);
  assert.equal(challengeTo(plain.access, bob, 'admin'), undefined);

  await using bearer = await control({ anonymousRead: true, admins: ['root'] });
  const realm = 'Bearer realm="http://registry.example/auth/token",service="skiff-registry"';
  const stranger = await bearer.access.identify(request());
  assert.equal(challengeTo(bearer.access, stranger, 'ping'), realm);
  assert.equal(challengeTo(bearer.access, stranger, 'push'), `${realm},scope="repository:a/b:pull,push"`);
  assert.equal(may(bearer.access, stranger)('pull', 'a/b'), true);
  const { token } = await issueToken(bearer, { caller: stranger, wanted: [] });
  const holder = await bearer.access.identify(request(`Bearer ${token}`));
  assert.equal(bearer.access.decide(holder, { verb: 'ping', repository: undefined }).allowed, true);
  assert.equal(
    challengeTo(bearer.access, holder, 'pull'),
    `${realm},scope="repository:a/b:pull",error="insufficient_scope"`,
  );
  const root = await bearer.access.identify(request(basic('root')));
  assert.equal(bearer.access.decide(root, { verb: 'admin', repository: undefined }).allowed, true);

  const service = new AccessControl({
    config: config({ token: { url: 'https://t.example/token', service: 's', issuer: 'i', jwksFile: '/x' } }),
    url: undefined,
    htpasswd: undefined,
    tokens: undefined,
  });
  const someone = await service.identify(request());
  assert.equal(
    challengeTo(service, someone, 'delete'),
    'Bearer realm="https://t.example/token",service="s",scope="repository:a/b:delete"',
  );
});

test('AccessControl: a token for the catalog shows the names that rules show', async () => {
  await using made = await control({ rules, groups: { team: [] } });
  const caller = await made.access.identify(request());
  const wanted = [{ type: 'registry', name: 'catalog', actions: ['*'] }];
  const bearer = await made.access.identify(
    request(`Bearer ${(await issueToken(made, { caller, wanted })).token}`),
  );
  assert.equal(made.access.decide(bearer, { verb: 'list', repository: undefined }).allowed, true);
  assert.equal(may(made.access, bearer)('list', 'public/x'), true);
  assert.equal(may(made.access, bearer)('list', 'private/x'), false);
  assert.equal(may(made.access, bearer)('pull', 'public/x'), false);
});

test('AccessControl: without authentication everybody may do everything', async () => {
  const access = new AccessControl({
    config: { kind: 'none' },
    url: undefined,
    htpasswd: undefined,
    tokens: undefined,
  });
  const caller = await access.identify(request('Bearer whatever'));
  assert.equal(access.decide(caller, { verb: 'ping', repository: undefined }).allowed, true);
  assert.ok(verbs.every((verb) => may(access, caller)(verb, 'a')));
});
