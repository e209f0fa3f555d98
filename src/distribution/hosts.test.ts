import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mediaTypes } from '#/oci/media-types.ts';
import { openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { type HostSettings, hostsFor, isInsecure, rewrittenPath } from './hosts.ts';

const nothing: HostSettings = { mirrors: [], routes: {}, insecure: [], certificateDirectories: [] };

async function bases(domain: string, settings: Partial<HostSettings>, mirrors = true): Promise<string[]> {
  const hosts = await hostsFor(domain, { ...nothing, ...settings }, { mirrors });
  return hosts.map(({ base }) => base.href);
}

test('hostsFor asks mirrors in their order and then the registry, for pulls', async () => {
  const mirrors = ['https://one.invalid', 'https://two.invalid/prefix'];
  assert.deepEqual(await bases('docker.io', { mirrors }), [
    'https://one.invalid/',
    'https://two.invalid/prefix/',
    'https://registry-1.docker.io/',
  ]);
  assert.deepEqual(await bases('docker.io', { mirrors }, false), ['https://registry-1.docker.io/']);
  // Those are mirrors of Docker Hub.
  assert.deepEqual(await bases('reg.invalid', { mirrors }), ['https://reg.invalid/']);
  const routes = { 'reg.invalid': { mirrors: ['https://m.invalid'], rewrites: [] } };
  assert.deepEqual(await bases('reg.invalid', { routes }), ['https://m.invalid/', 'https://reg.invalid/']);
});

test('hostsFor does without TLS only where that is said, and after TLS', async () => {
  assert.deepEqual(await bases('reg.invalid:5000', {}), ['https://reg.invalid:5000/']);
  assert.deepEqual(await bases('reg.invalid:5000', { insecure: ['reg.invalid:5000'] }), [
    'https://reg.invalid:5000/',
    'http://reg.invalid:5000/',
  ]);
  assert.deepEqual(await bases('127.0.0.1:5000', {}), ['https://127.0.0.1:5000/', 'http://127.0.0.1:5000/']);
  assert.deepEqual(
    await bases('docker.io', { insecure: ['registry-1.docker.io', 'docker.io', '0.0.0.0/0'] }),
    ['https://registry-1.docker.io/'],
  );
});

test('isInsecure knows hosts, ports, ranges, and this machine', async () => {
  for (const [host, insecure, expected] of [
    ['reg.invalid', ['reg.invalid'], true],
    ['REG.invalid:5000', ['reg.invalid:5000'], true],
    ['reg.invalid:5000', ['reg.invalid'], true],
    ['reg.invalid:5001', ['reg.invalid:5000'], false],
    ['10.1.2.3:5000', ['10.0.0.0/8'], true],
    ['11.1.2.3:5000', ['10.0.0.0/8'], false],
    ['[fd00::1]:5000', ['fd00::/8'], true],
    ['[fd00::1]:5000', ['10.0.0.0/8', 'nonsense/99'], false],
    ['localhost:5000', [], true],
    ['[::1]:5000', [], true],
    ['127.9.9.9', [], true],
    ['localhost.evil.invalid', [], false],
  ] as const) {
    assert.equal(await isInsecure(host, { ...nothing, insecure }), expected, host);
  }
});

test('rewrittenPath takes the first rewrite whose pattern matches', () => {
  const rewrites = [
    { from: /^apps\/(.*)$/, to: 'team/apps/$1' },
    { from: /^/, to: 'cache/' },
  ];
  const settings = { ...nothing, routes: { 'reg.invalid': { mirrors: [], rewrites } } };
  assert.equal(rewrittenPath('reg.invalid', 'apps/x', settings), 'team/apps/x');
  assert.equal(rewrittenPath('reg.invalid', 'other', settings), 'cache/other');
  assert.equal(rewrittenPath('elsewhere.invalid', 'apps/x', settings), 'apps/x');
  assert.equal(rewrittenPath('constructor', 'apps/x', settings), 'apps/x');
});

test('what a mirror lacks or breaks comes from the next one, or from the registry; mirrors see no credentials', async () => {
  await using broken = await openFaultyRegistry();
  await using empty = await openFaultyRegistry();
  await using registry = await openFaultyRegistry();
  const { manifest } = registry.content.addImage('app', [], { tag: 'latest' });
  const blob = registry.content.addBlob('app', Buffer.alloc(50_000, 'x'));
  broken.content.addBlob('app', Buffer.alloc(50_000, 'x'));
  empty.content.repository('app');
  broken.faults.add({ path: '/manifests/', fault: { kind: 'answer', answer: { status: 500 } } });
  broken.faults.add({ path: '/blobs/', fault: { kind: 'cut', after: 0 } });
  const routes = { [registry.host]: { mirrors: [broken.url, empty.url], rewrites: [] } };
  using client = openClient({ hosts: { routes } });
  const credentials = { kind: 'basic', username: 'joe', password: 'hunter2' } as const;
  const repository = repositoryOf(client, `${registry.host}/app`, { credentials });
  const { signal } = new AbortController();
  assert.equal((await repository.manifest('latest', { signal })).descriptor.digest, manifest.digest);
  assert.equal((await repository.head('latest', { signal }))?.digest, manifest.digest);
  assert.equal(await repository.head('nothing', { signal }), undefined);
  assert.equal(Buffer.concat(await Array.fromAsync(repository.download(blob, { signal }))).length, 50_000);
  assert.ok(broken.requests.length > 0 && empty.requests.length > 0);
  const seen = [...broken.requests, ...empty.requests];
  assert.ok(seen.every(({ headers }) => headers['authorization'] === undefined));
});

test('a mirror that does not answer is asked once', async () => {
  await using silent = await openFaultyRegistry();
  await using registry = await openFaultyRegistry();
  registry.content.addImage('app', [], { tag: 'latest' });
  silent.faults.add({ fault: { kind: 'reset' } });
  const routes = { [registry.host]: { mirrors: [silent.url], rewrites: [] } };
  using client = openClient({ hosts: { routes } });
  const repository = repositoryOf(client, `${registry.host}/app`);
  for (let round = 0; round < 3; round += 1) await repository.manifest('latest', { signal: never() });
  assert.equal(silent.requests.length, 1);
  assert.equal(registry.requests.length, 3);
});

test('a request that is cancelled decides nothing about TLS for the others', async () => {
  await using registry = await openFaultyRegistry();
  registry.content.addImage('app', [], { tag: 'latest' });
  using client = openClient();
  const repository = repositoryOf(client, `${registry.host}/app`);
  const cancel = new AbortController();
  const leaving = repository.manifest('latest', { signal: cancel.signal });
  const staying = repository.manifest('latest', { signal: never() });
  cancel.abort(new Error('left'));
  await assert.rejects(leaving, /left/);
  await staying;
  await repository.manifest('latest', { signal: never() });
});

test('a mirror that has everything leaves the registry alone, also where its URL has a path', async () => {
  await using mirror = await openFaultyRegistry({
    handle: ({ path }) => (path.startsWith('/prefix/') ? undefined : { status: 404 }),
  });
  await using registry = await openFaultyRegistry();
  const headers = { 'content-type': mediaTypes.manifest };
  mirror.faults.add({ fault: { kind: 'answer', answer: { status: 200, headers, body: '{}' } } });
  const routes = { [registry.host]: { mirrors: [`${mirror.url}/prefix`], rewrites: [] } };
  using client = openClient({ hosts: { routes } });
  const { bytes } = await repositoryOf(client, `${registry.host}/app`).manifest('latest', {
    signal: never(),
  });
  assert.equal(bytes.toString(), '{}');
  assert.equal(mirror.requests[0]?.path, '/prefix/v2/app/manifests/latest');
  assert.equal(registry.requests.length, 0);
});

test('pushes go to the registry alone', async () => {
  await using mirror = await openFaultyRegistry();
  await using registry = await openFaultyRegistry();
  const routes = {
    [registry.host]: { mirrors: [mirror.url], rewrites: [{ from: /^app$/, to: 'team/app' }] },
  };
  using client = openClient({ hosts: { routes } });
  const repository = repositoryOf(client, `${registry.host}/app`, { actions: 'pull,push' });
  await repository.putManifest('latest', { mediaType: 'a/b', bytes: Buffer.from('{}') }, { signal: never() });
  assert.equal(mirror.requests.length, 0);
  assert.equal(registry.content.repository('team/app').tags.size, 1);
});
