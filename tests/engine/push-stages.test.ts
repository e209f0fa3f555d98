import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { type ClientRequest, request } from 'node:http';
import { after, afterEach, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import type { FaultRule } from '#tests/faulty-registry/faults.ts';
import { type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { dockerArchive, tarOf } from '#tests/images.ts';
import { type Holdings, holdingsOf, sameAs } from '#tests/leak-check.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let registry: FaultyRegistry;
let clean: Holdings;

before(async () => {
  registry = await openFaultyRegistry();
  daemon = await TestDaemon.start(['--max-download-attempts=3']);
  clean = holdingsOf(daemon);
});

afterEach(() => {
  registry.faults.clear();
  registry.content.repositories.clear();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

/** The requests of a push. */
const stages: readonly (readonly [string, Pick<FaultRule, 'method' | 'path'>])[] = [
  ['the look for a blob', { method: 'HEAD', path: '/blobs/' }],
  ['the begin of an upload', { method: 'POST', path: '/blobs/uploads/' }],
  ['the upload', { method: 'PATCH', path: '/blobs/uploads/' }],
  ['the end of an upload', { method: 'PUT', path: '/blobs/uploads/' }],
  ['the manifest', { method: 'PUT', path: '/manifests/' }],
];

/** Loads an image of a small and a large layer. */
async function load(): Promise<string> {
  const name = `${registry.host}/app`;
  const layers = [await tarOf({ small: randomBytes(1000) }), await tarOf({ large: randomBytes(3 << 20) })];
  const { status } = await daemon.ask('POST', '/images/load', await dockerArchive([`${name}:1`], layers));
  assert.equal(status, 200);
  return name;
}

async function pushError(name: string): Promise<string | undefined> {
  const { status, body } = await daemon.ask('POST', `/images/${name}/push?tag=1`);
  assert.equal(status, 200, body.toString());
  return (JSON.parse(body.toString().trimEnd().split('\r\n').at(-1) ?? '') as { error?: string }).error;
}

/** Removes the image, and compares what is left. */
async function removed(name: string, what: string): Promise<void> {
  assert.equal((await daemon.ask('DELETE', `/images/${name}:1`)).status, 200);
  const left = holdingsOf(daemon).data.filter(
    (path) => !clean.data.includes(path) && !path.includes('/settling/'),
  );
  assert.deepEqual(left, [], what);
}

/** What arrived is whole. */
function arrived(): void {
  const { blobs, tags, manifests } = registry.content.repository('app');
  const { bytes } = manifests.get(tags.get('1') ?? '') ?? assert.fail('no manifest');
  const { config, layers } = JSON.parse(bytes.toString()) as {
    config: { digest: string };
    layers: { digest: string }[];
  };
  for (const { digest } of [config, ...layers]) assert.ok(blobs.has(digest), digest);
}

test('push: a connection that is cut once, at whichever stage, is no matter', async () => {
  for (const [title, requests] of stages) {
    for (const fault of [
      { kind: 'reset' },
      { kind: 'loseAnswer' },
      { kind: 'cutUpload', after: 500_000 },
      { kind: 'answer', answer: { status: 503, headers: { 'retry-after': '0' } } },
    ] as const) {
      const name = await load();
      registry.faults.add({ ...requests, times: 1, fault });
      assert.equal(await pushError(name), undefined, `${title}: ${fault.kind}`);
      registry.faults.clear();
      arrived();
      registry.content.repositories.clear();
      await removed(name, title);
    }
  }
});

test('push: a registry that fails at whichever stage is told of, and the daemon keeps nothing', async () => {
  for (const [title, requests] of stages) {
    const name = await load();
    registry.faults.add({ ...requests, fault: { kind: 'reset' } });
    const error = (await pushError(name)) ?? 'no error';
    assert.ok(error.includes(registry.host) && error.includes('gave up after 3 tries'), `${title}: ${error}`);
    registry.faults.clear();
    assert.equal(registry.content.repository('app').tags.size, 0, title);
    await removed(name, title);
  }
});

test('push: what a registry has stored as something else is told of', async () => {
  const name = await load();
  const set = { 'docker-content-digest': `sha256:${'0'.repeat(64)}` };
  registry.faults.add({ method: 'PUT', path: '/manifests/', fault: { kind: 'headers', set } });
  assert.match(
    (await pushError(name)) ?? '',
    /the registry stored the manifest as sha256:0+ instead of sha256:/,
  );
  registry.faults.clear();
  registry.faults.add({
    method: 'POST',
    path: '/uploads/',
    fault: { kind: 'headers', set: { location: undefined } },
  });
  registry.content.repositories.clear();
  assert.match((await pushError(name)) ?? '', /does not say where to upload to/);
  await removed(name, 'lies');
});

/** Begins a push and waits until the registry is asked for this. */
async function reach(
  name: string,
  { method = '', path }: Pick<FaultRule, 'method' | 'path'>,
): Promise<ClientRequest> {
  const seen = registry.seen(method, String(path)).length;
  registry.faults.add({ method, ...(path !== undefined && { path }), fault: { kind: 'silence' } });
  const call = request({
    socketPath: daemon.socket,
    method: 'POST',
    path: `/images/${name}/push?tag=1`,
    agent: false,
  });
  call.on('error', () => {}).on('response', (response) => response.on('error', () => {}).resume());
  call.end();
  await until(() => registry.seen(method, String(path)).length > seen, { what: `${method} ${String(path)}` });
  return call;
}

test('push: a client that leaves, or a daemon that is killed, at whichever stage leaves nothing', async () => {
  for (const [title, requests] of stages) {
    for (const end of ['leave', 'kill'] as const) {
      const name = await load();
      const call = await reach(name, requests);
      if (end === 'kill') await daemon.down('SIGKILL');
      call.destroy();
      registry.faults.clear();
      if (end === 'kill') await daemon.up();
      assert.equal(await pushError(name), undefined, title);
      arrived();
      registry.content.repositories.clear();
      await removed(name, `${title}: ${end}`);
    }
  }
  await sameAs(daemon, clean);
});
