import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { type FaultyRegistry, openFaultyRegistry, unauthorized } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { openTokenService, type TokenService } from '#tests/token-service.ts';
import { until } from '#tests/until.ts';
import {
  basicAuthorization,
  type Credentials,
  type Delegate,
  type DelegatedRequest,
  type OwnCredentials,
} from './credentials.ts';
import type { RegistryClient } from './registry-client.ts';

const joe: OwnCredentials = { kind: 'basic', username: 'joe', password: 'hunter2' };

type ServiceOptions = Parameters<typeof openTokenService>[0];

/** A registry with a blob and an image's manifest, which wants tokens of a service. */
async function withTokens(
  options: ServiceOptions,
  run: (parts: { registry: FaultyRegistry; service: TokenService; client: RegistryClient }) => Promise<void>,
): Promise<void> {
  await using service = await openTokenService({ users: { joe: 'hunter2' }, ...options });
  await using registry = await openFaultyRegistry({ guard: service.guard() });
  registry.content.addImage('app', [], { tag: 'latest' });
  using client = openClient();
  await run({ registry, service, client });
}

function queryOf({ path }: { path: string }): URLSearchParams {
  return new URL(path, 'http://x').searchParams;
}

test('a token is got for what is to be done, once, and used for all requests', async () => {
  await withTokens({}, async ({ registry, service, client }) => {
    const repository = repositoryOf(client, `${registry.host}/app`, {
      credentials: joe,
      actions: 'pull,push',
    });
    for (let round = 0; round < 3; round += 1) await repository.manifest('latest', { signal: never() });
    const [asked, ...others] = service.server.requests;
    assert.equal(others.length, 0);
    assert.ok(asked !== undefined);
    assert.deepEqual(queryOf(asked).getAll('scope'), ['repository:app:pull,push']);
    assert.equal(queryOf(asked).get('service'), 'test');
    assert.equal(queryOf(asked).get('account'), 'joe');
    assert.match(asked.headers['authorization'] ?? '', /^Basic /);
    // The registry itself never sees the password.
    assert.ok(
      registry.requests.every(({ headers }) => headers['authorization']?.startsWith('Basic') !== true),
    );
    assert.equal(registry.requests.length, 4);
  });
});

test('requests at the same time share one token', async () => {
  await withTokens({}, async ({ registry, service, client }) => {
    const repository = repositoryOf(client, `${registry.host}/app`, { credentials: joe });
    await repository.manifest('latest', { signal: never() });
    service.revoke();
    service.server.faults.add({ fault: { kind: 'slow', delay: 50 } });
    const all = Array.from({ length: 10 }, () => repository.manifest('latest', { signal: never() }));
    await Promise.all(all);
    assert.equal(service.server.requests.length, 2);
  });
});

test('a token that others wait for survives that the one who asked for it leaves', async () => {
  await withTokens({}, async ({ registry, service, client }) => {
    const repository = repositoryOf(client, `${registry.host}/app`);
    await repository.manifest('latest', { signal: never() });
    service.revoke();
    service.server.faults.add({ skip: 0, times: 1, fault: { kind: 'silence' } });
    const cancel = new AbortController();
    const leaving = repository.manifest('latest', { signal: cancel.signal });
    await until(() => service.server.requests.length === 2, { what: 'the request for a token' });
    const waiting = repository.manifest('latest', { signal: never() });
    // By now it waits for the token that is on its way.
    await setImmediate();
    cancel.abort(new Error('left'));
    await assert.rejects(leaving, /left/);
    assert.ok((await waiting).bytes.length > 0);
  });
});

test('wrong credentials are asked about once, however many requests wait', async () => {
  await withTokens({}, async ({ registry, service, client }) => {
    const credentials: Credentials = { ...joe, password: 'wrong-password' };
    const repository = repositoryOf(client, `${registry.host}/app`, { credentials });
    const error = await repository
      .manifest('latest', { signal: never() })
      .catch((failure: unknown) => failure);
    assert.ok(error instanceof Error);
    assert.equal(error.message, 'unauthorized: incorrect username or password');
    assert.doesNotMatch(JSON.stringify([error, error.stack]), /wrong-password/);
    assert.equal(service.server.requests.length, 1);
  });
});

test('a token that a registry does not accept any more is replaced', async () => {
  await withTokens({ expiresIn: 3600 }, async ({ registry, service, client }) => {
    const repository = repositoryOf(client, `${registry.host}/app`);
    await repository.manifest('latest', { signal: never() });
    service.revoke();
    await repository.manifest('latest', { signal: never() });
    assert.equal(service.server.requests.length, 2);
  });
});

test('a token is not used beyond its life', async (context) => {
  context.mock.timers.enable({ apis: ['Date'], now: Date.now() });
  await withTokens({ expiresIn: 300 }, async ({ registry, service, client }) => {
    const repository = repositoryOf(client, `${registry.host}/app`);
    const ask = async (): Promise<number> => {
      await repository.manifest('latest', { signal: never() });
      return service.server.requests.length;
    };
    assert.equal(await ask(), 1);
    context.mock.timers.tick(280_000);
    assert.equal(await ask(), 1);
    context.mock.timers.tick(15_000);
    assert.equal(await ask(), 2);
    // It was asked for before the registry had to refuse the old one.
    assert.equal(registry.requests.length, 4);
  });
});

test('an identity token buys tokens, by POST, and goes nowhere else', async () => {
  await withTokens({ identities: { 'identity-of-joe': 'joe' }, member: 'access_token' }, async (parts) => {
    const { registry, service, client } = parts;
    const credentials: Credentials = { kind: 'identityToken', token: 'identity-of-joe' };
    await repositoryOf(client, `${registry.host}/app`, { credentials }).manifest('latest', {
      signal: never(),
    });
    const [asked] = service.server.requests;
    assert.equal(asked?.method, 'POST');
    const form = new URLSearchParams(asked?.body.toString());
    assert.equal(form.get('grant_type'), 'refresh_token');
    assert.equal(form.get('refresh_token'), 'identity-of-joe');
    assert.equal(form.get('scope'), 'repository:app:pull');
    assert.equal(asked?.headers['authorization'], undefined);
    assert.ok(!JSON.stringify(registry.requests).includes('identity-of-joe'));
  });
});

test('a registry token is sent as it is; what a header cannot have is refused without showing it', async () => {
  await using registry = await openFaultyRegistry();
  using client = openClient();
  registry.content.addImage('app', [], { tag: 'latest' });
  const with_ = (token: string): Promise<unknown> =>
    repositoryOf(client, `${registry.host}/app`, { credentials: { kind: 'registryToken', token } }).manifest(
      'latest',
      {
        signal: never(),
      },
    );
  await with_('abc.def');
  assert.equal(registry.requests[0]?.headers['authorization'], 'Bearer abc.def');
  await assert.rejects(with_('abc\r\nX-Evil: 1'), (error: Error) => {
    assert.match(error.message, /characters that a header cannot have/);
    assert.ok(!error.message.includes('abc'));
    return true;
  });
  assert.equal(registry.requests.length, 1);
});

test('answers of token services are bounded, checked, and never followed elsewhere', async () => {
  await using elsewhere = await openFaultyRegistry();
  for (const [answer, expected] of [
    [{ status: 200, body: '{}' }, /answered without a token/],
    [{ status: 200, body: '{"token":"with space"}' }, /answered without a token/],
    [{ status: 200, body: 'x'.repeat(2_000_000) }, /more than 1048576 bytes/],
    [{ status: 200, body: 'nonsense' }, /answer of http:/],
    [{ status: 307, headers: { location: elsewhere.url } }, /asking for a token at .*307/],
    [{ status: 503 }, /asking for a token at .*503/],
  ] as const) {
    await withTokens({}, async ({ registry, service, client }) => {
      service.server.faults.add({ fault: { kind: 'answer', answer } });
      const repository = repositoryOf(client, `${registry.host}/app`, { credentials: joe });
      await assert.rejects(repository.manifest('latest', { signal: never() }), expected);
    });
  }
  assert.equal(elsewhere.requests.length, 0);
});

/** Somebody who gets tokens with a name and a password of his own. */
function delegateWith({ token }: { token: string | undefined }): {
  credentials: Credentials;
  asked: DelegatedRequest[];
  given: () => number;
} {
  const asked: DelegatedRequest[] = [];
  let given = 0;
  const delegate: Delegate = {
    token: (request) => {
      asked.push(request);
      return Promise.resolve(token === undefined ? undefined : { token, life: 1000 });
    },
    credentials: () => {
      given += 1;
      return Promise.resolve(joe);
    },
  };
  return { credentials: { kind: 'delegated', delegate }, asked, given: () => given };
}

test('a delegate gets tokens for realms that may be believed, and gives his credentials away only if he cannot', async () => {
  await using registry = await openFaultyRegistry({
    guard: ({ headers }) =>
      headers['authorization'] === 'Bearer his'
        ? undefined
        : unauthorized('Bearer realm="http://127.0.0.1:1/t",service="s"'),
  });
  registry.content.addImage('app', [], { tag: 'latest' });
  using client = openClient();
  const { credentials, asked, given } = delegateWith({ token: 'his' });
  const repository = repositoryOf(client, `${registry.host}/app`, { credentials });
  for (let round = 0; round < 3; round += 1) await repository.manifest('latest', { signal: never() });
  assert.deepEqual(
    asked.map(({ realm, service, scopes }) => [realm.href, service, ...scopes]),
    [['http://127.0.0.1:1/t', 's', 'repository:app:pull']],
  );
  assert.equal(given(), 0);
  const evil = openFaultyRegistry({
    guard: () => unauthorized('Bearer realm="https://evil.example/t",service="s"'),
  });
  await using other = await evil;
  const refused = delegateWith({ token: 'his' });
  await assert.rejects(
    repositoryOf(client, `${other.host}/app`, { credentials: refused.credentials }).manifest('latest', {
      signal: never(),
    }),
    /the credentials were not sent/,
  );
  assert.deepEqual([refused.asked.length, refused.given()], [0, 0]);
  await withTokens({}, async ({ registry: guarded, service }) => {
    const helpless = delegateWith({ token: undefined });
    const pulled = repositoryOf(client, `${guarded.host}/app`, { credentials: helpless.credentials });
    await pulled.manifest('latest', { signal: never() });
    assert.equal(helpless.given(), 1);
    assert.match(service.server.requests[0]?.headers['authorization'] ?? '', /^Basic /);
  });
});

test('a delegate gives his credentials away, once, to a registry that takes nothing less', async () => {
  const wanted = basicAuthorization('joe', 'hunter2');
  await using registry = await openFaultyRegistry({
    guard: ({ headers }) =>
      headers['authorization'] === wanted ? undefined : unauthorized('Basic realm="r"'),
  });
  registry.content.addImage('app', [], { tag: 'latest' });
  using client = openClient();
  const { credentials, asked, given } = delegateWith({ token: 'his' });
  const repository = repositoryOf(client, `${registry.host}/app`, { credentials });
  for (let round = 0; round < 3; round += 1) await repository.manifest('latest', { signal: never() });
  assert.deepEqual([asked.length, given()], [0, 1]);
});
