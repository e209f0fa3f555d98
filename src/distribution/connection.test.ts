import assert from 'node:assert/strict';
import { test } from 'node:test';
import { basicAuth, type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { openTokenService } from '#tests/token-service.ts';
import { mergeScopes } from './connection.ts';
import type { Credentials } from './credentials.ts';

const joe: Credentials = { kind: 'basic', username: 'joe', password: 'hunter2' };
const bytes = Buffer.from('the content of a blob');

function redirectTo(registry: FaultyRegistry, location: string): void {
  const answer = { status: 307, headers: { location } };
  registry.faults.add({ path: '/app/blobs/', fault: { kind: 'answer', answer } });
}

test('mergeScopes asks once for each thing, with all that is to be done with it', () => {
  assert.deepEqual(
    mergeScopes(['repository:b:pull', 'repository:a:push,pull', 'repository:a:delete', 'registry:catalog:*']),
    ['registry:catalog:*', 'repository:a:delete,pull,push', 'repository:b:pull'],
  );
});

test('a redirect to another host is followed without credentials', async () => {
  await using store = await openFaultyRegistry();
  await using registry = await openFaultyRegistry({ guard: basicAuth('joe', 'hunter2') });
  const blob = store.content.addBlob('app', bytes);
  redirectTo(registry, `${store.url}/v2/app/blobs/${blob.digest}?signature=secret`);
  using client = openClient();
  const repository = repositoryOf(client, `${registry.host}/app`, { credentials: joe });
  // Now the client knows that credentials are wanted, and sends them at once.
  await repository.head('latest', { signal: never() });
  assert.deepEqual(
    Buffer.concat(await Array.fromAsync(repository.download(blob, { signal: never() }))),
    bytes,
  );
  assert.equal(registry.seen('GET', '/blobs/')[0]?.headers['authorization']?.startsWith('Basic '), true);
  assert.equal(store.requests.length, 1);
  assert.equal(store.requests[0]?.headers['authorization'], undefined);
});

test('a redirect within the host keeps the credentials; one that comes back from elsewhere does not', async () => {
  await using registry = await openFaultyRegistry({ guard: basicAuth('joe', 'hunter2') });
  await using other = await openFaultyRegistry();
  const blob = registry.content.addBlob('app', bytes);
  registry.content.addBlob('real', bytes);
  using client = openClient();
  const repository = repositoryOf(client, `${registry.host}/app`, { credentials: joe });
  const location = `/v2/real/blobs/${blob.digest}`;
  registry.faults.add({
    path: '/app/blobs/',
    fault: { kind: 'answer', answer: { status: 308, headers: { location } } },
  });
  assert.deepEqual(
    Buffer.concat(await Array.fromAsync(repository.download(blob, { signal: never() }))),
    bytes,
  );
  registry.faults.clear();
  redirectTo(registry, `${other.url}/v2/app/blobs/x`);
  other.faults.add({
    fault: { kind: 'answer', answer: { status: 302, headers: { location: registry.url + location } } },
  });
  const before = registry.requests.length;
  await assert.rejects(repository.blob(blob.digest, { signal: never() }));
  assert.equal(registry.requests.at(-1)?.headers['authorization'], undefined);
  assert.equal(registry.requests.length, before + 2);
});

test('redirects in circles, to nowhere and to other schemes end with an error', async () => {
  await using registry = await openFaultyRegistry();
  using client = openClient({ maxAttempts: 1 });
  const blob = registry.content.addBlob('app', bytes);
  const repository = repositoryOf(client, `${registry.host}/app`);
  for (const [location, expected] of [
    [`/v2/app/blobs/${blob.digest}`, /more than 5 redirects/],
    ['http://[', /redirected to nowhere/],
    ['file:///etc/passwd', /leads to "file:.*nothing was sent there/],
  ] as const) {
    registry.faults.clear();
    redirectTo(registry, location);
    await assert.rejects(repository.blob(blob.digest, { signal: never() }), expected);
  }
  assert.equal(registry.requests.length, 6 + 1 + 1);
});

test('basic credentials are sent when they are asked for, and wrong ones once', async () => {
  await using registry = await openFaultyRegistry({ guard: basicAuth('joe', 'hunter2') });
  registry.content.addImage('app', [], { tag: 'latest' });
  using client = openClient();
  const as = (credentials: Credentials): Promise<unknown> =>
    repositoryOf(client, `${registry.host}/app`, { credentials }).manifest('latest', { signal: never() });
  await as(joe);
  assert.deepEqual(
    registry.requests.map(({ headers }) => headers['authorization']?.slice(0, 5)),
    [undefined, 'Basic'],
  );
  await assert.rejects(as({ ...joe, password: 'wrong' }), { kind: 'unauthorized', status: 401 });
  assert.equal(registry.requests.length, 4);
  await assert.rejects(as({ kind: 'anonymous' }), {
    message: `Get "${registry.url}/v2/app/manifests/latest": no basic auth credentials`,
  });
});

test('what a token does not allow is denied, as Docker says it', async () => {
  await using service = await openTokenService();
  await using registry = await openFaultyRegistry({ guard: service.guard() });
  using client = openClient();
  const repository = repositoryOf(client, `${registry.host}/app`, { actions: 'pull,push' });
  const manifest = { mediaType: 'application/vnd.oci.image.manifest.v1+json', bytes };
  await assert.rejects(repository.putManifest('latest', manifest, { signal: never() }), {
    kind: 'unauthorized',
    message: 'denied: requested access to the resource is denied',
  });
  assert.ok(registry.requests.length <= 3);
});

test('no error tells a secret', async () => {
  await using service = await openTokenService({ users: { joe: 'hunter2' } });
  await using registry = await openFaultyRegistry({ guard: service.guard() });
  using client = openClient({ maxAttempts: 1 });
  const repository = repositoryOf(client, `${registry.host}/app`, { credentials: joe, actions: 'pull,push' });
  const failures: unknown[] = [];
  for (const fault of [
    { kind: 'reset' },
    { kind: 'answer', answer: { status: 500, body: 'x' } },
    { kind: 'answer', answer: { status: 403 } },
    {
      kind: 'answer',
      answer: { status: 302, headers: { location: 'ftp://joe:hunter2@x/?token=token-1-of-joe' } },
    },
  ] as const) {
    registry.faults.clear();
    registry.faults.add({ fault, skip: 1 });
    failures.push(await repository.manifest('latest', { signal: never() }).catch((error: unknown) => error));
  }
  for (const failure of failures) {
    assert.ok(failure instanceof Error);
    // What a log would write of it: the message, the stack, the causes.
    const shown = [failure.stack, String(failure.cause), JSON.stringify(failure)].join();
    assert.doesNotMatch(shown, /hunter2|token-1-of-joe|am9lOmh1bnRlcjI|secret-state/);
  }
});
