import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { silentLogger } from '#/base/log.ts';
import { digestOf } from '#/oci/digest.ts';
import { descriptorOf, imageOf, pushBlob, putManifest } from '#tests/registry-push.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { Collector, type CollectorOptions } from './collector.ts';
import { collectionRoute } from './route.ts';

const day = 24 * 3_600_000;

/** A collector for which everything was pushed long ago. */
function laterCollector({ services }: TestRegistry, rest: Partial<CollectorOptions> = {}): Collector {
  return new Collector({
    services,
    policy: { rules: [] },
    grace: day,
    uploadTimeout: day,
    log: silentLogger(),
    now: () => Date.now() + 10 * day,
    ...rest,
  });
}

async function pushImage(url: string, name: string, layers: readonly Buffer[]): Promise<string> {
  const [repository = ''] = name.split(':');
  const config = Buffer.from(JSON.stringify({ name }));
  for (const blob of [config, ...layers]) await pushBlob(url, repository, blob);
  const document = imageOf(config, layers);
  assert.equal((await putManifest(url, name, document)).status, 201);
  return descriptorOf(document).digest;
}

async function statusOf(url: string, path: string): Promise<number> {
  return (await fetch(`${url}/v2/${path}`, { method: 'HEAD' })).status;
}

test('Collector: removes what no manifest refers to, and nothing else', async () => {
  await using registry = await startRegistry();
  const { url } = registry;
  const [shared, gone, loose] = [randomBytes(5000), randomBytes(6000), randomBytes(7000)];
  await pushImage(url, 'one:v1', [shared]);
  const digest = await pushImage(url, 'one:v2', [shared, gone]);
  await pushBlob(url, 'two', loose);
  assert.equal((await fetch(`${url}/v2/one/manifests/${digest}`, { method: 'DELETE' })).status, 202);
  const collector = laterCollector(registry);
  const dry = await collector.run({ dryRun: true });
  assert.deepEqual(
    dry.links.map((link) => link.digest).sort(),
    [gone, loose, Buffer.from('{"name":"one:v2"}')].map(digestOf).sort(),
  );
  assert.equal(await statusOf(url, `one/blobs/${digestOf(gone)}`), 200);
  const report = await collector.run({ dryRun: false });
  assert.deepEqual([report.blobs, report.bytes], [3, 13_000 + '{"name":"one:v2"}'.length]);
  assert.equal(await statusOf(url, `one/blobs/${digestOf(shared)}`), 200);
  assert.equal(await statusOf(url, 'one/manifests/v1'), 200);
  assert.equal(await statusOf(url, `one/blobs/${digestOf(gone)}`), 404);
  assert.equal(await registry.services.storage.size(digestOf(gone)), undefined);
  assert.equal((await fetch(`${url}/v2/two/tags/list`)).status, 404);
  assert.deepEqual(await (await fetch(`${url}/v2/_catalog`)).json(), { repositories: ['one'] });
});

test('Collector: what is younger than the grace period stays, and a look renews it for who may push', async () => {
  await using registry = await startRegistry();
  const { url, services } = registry;
  const blob = randomBytes(1000);
  await pushBlob(url, 'one', blob);
  const now = laterCollector(registry, { now: () => Date.now() + day - 60_000 });
  assert.equal((await now.run({ dryRun: false })).links.length, 0);
  assert.equal(await services.storage.size(digestOf(blob)), 1000);
});

test('Collector: retention takes tags and, when nothing needs them, their manifests', async () => {
  await using registry = await startRegistry();
  const { url } = registry;
  const layers = [randomBytes(100), randomBytes(200), randomBytes(300)];
  for (const [index, layer] of layers.entries()) await pushImage(url, `app:build-${index}`, [layer]);
  const policy = {
    rules: [
      {
        name: 'builds',
        matches: (_repository: string, tag: string) => tag.startsWith('build-'),
        keepNewest: 1,
      },
    ],
    deleteUntaggedAfter: day,
  };
  const dry = await laterCollector(registry, { policy }).run({ dryRun: true });
  assert.deepEqual(
    dry.decisions.filter(({ kind }) => kind === 'tag').map(({ name, isKept }) => [name, isKept]),
    [
      ['build-2', true],
      ['build-1', false],
      ['build-0', false],
    ],
  );
  assert.equal(dry.decisions.filter(({ kind, isKept }) => kind === 'manifest' && !isKept).length, 2);
  assert.deepEqual(await (await fetch(`${url}/v2/app/tags/list`)).json(), {
    name: 'app',
    tags: ['build-0', 'build-1', 'build-2'],
  });
  await laterCollector(registry, { policy }).run({ dryRun: false });
  assert.deepEqual(await (await fetch(`${url}/v2/app/tags/list`)).json(), { name: 'app', tags: ['build-2'] });
  const report = await laterCollector(registry, { policy, now: () => Date.now() + 20 * day }).run({
    dryRun: false,
  });
  assert.equal(report.links.length, 0);
  assert.equal(await registry.services.storage.size(digestOf(layers[0] ?? '')), undefined);
  assert.equal(await registry.services.storage.size(digestOf(layers[2] ?? '')), 300);
});

test('Collector: gives up uploads that rest, and removes blobs that were never linked', async () => {
  await using registry = await startRegistry();
  const { url, services } = registry;
  const begun = await fetch(`${url}/v2/one/blobs/uploads/`, { method: 'POST' });
  const location = begun.headers.get('location') ?? '';
  const orphan = randomBytes(10);
  await services.storage.begin('orphan');
  await services.storage.append(
    'orphan',
    (async function* () {
      yield orphan;
    })(),
    { algorithm: 'sha256' },
  );
  await services.storage.commit('orphan', digestOf(orphan));
  const report = await laterCollector(registry).run({ dryRun: false });
  assert.deepEqual([report.uploads, report.orphans], [1, 1]);
  assert.equal((await fetch(`${url}${location}`)).status, 404);
  assert.equal(await services.storage.size(digestOf(orphan)), undefined);
});

test('collectionRoute: collects on demand, tells what it would do, and needs the right to', async () => {
  await using inner = await startRegistry();
  const collector = laterCollector(inner);
  await using outer = await startRegistry({
    routes: [collectionRoute(collector)],
    access: {
      identify: (request) =>
        Promise.resolve(request.headers.authorization === undefined ? undefined : { name: 'root' }),
      decide: (user) =>
        user === undefined ? { allowed: false, challenge: 'Basic realm="test"' } : { allowed: true },
    },
  });
  await pushBlob(inner.url, 'one', randomBytes(50));
  const headers = { Authorization: 'any' };
  const path = `${outer.url}/skiff/v1/gc`;
  assert.equal((await fetch(path, { method: 'POST' })).status, 401);
  const dry = (await (await fetch(`${path}?dry-run=1`, { method: 'POST', headers })).json()) as Record<
    string,
    unknown
  >;
  assert.deepEqual([dry['dryRun'], (dry['links'] as unknown[]).length], [true, 1]);
  assert.equal(await (await fetch(path, { headers })).json(), null);
  const done = await (await fetch(path, { method: 'POST', headers })).json();
  assert.deepEqual(await (await fetch(path, { headers })).json(), done);
  assert.equal((await fetch(`${path}?dry-run=maybe`, { method: 'POST', headers })).status, 400);
});
