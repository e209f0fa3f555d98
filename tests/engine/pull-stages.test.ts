import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';
import { hostPlatform } from '#/oci/platform.ts';
import { TestDaemon } from '#tests/daemon.ts';
import type { Fault } from '#tests/faulty-registry/faults.ts';
import { type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { tarOf } from '#tests/images.ts';
import { type Holdings, holdingsOf, sameAs } from '#tests/leak-check.ts';
import { PullClient, pullError } from '#tests/pull-client.ts';
import { valueOf } from '#tests/test-containers.ts';
import { openTokenService, type TokenService } from '#tests/token-service.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let service: TokenService;
let registry: FaultyRegistry;
let clean: Holdings;

before(async () => {
  service = await openTokenService();
  registry = await openFaultyRegistry({ guard: service.guard() });
  daemon = await TestDaemon.start(['--max-download-attempts=3']);
  clean = holdingsOf(daemon);
});

afterEach(() => {
  registry.faults.clear();
  service.server.faults.clear();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await service[Symbol.asyncDispose]();
});

/** One of the requests of a pull: who gets it, and a part of its path. */
interface Stage {
  readonly title: string;
  readonly server: FaultyRegistry;
  readonly path: string;
  /** Bytes of the answer. */
  readonly size: number;
}

/** A new image for several platforms, and all that is asked for it. */
async function publish(): Promise<{ name: string; stages: readonly Stage[] }> {
  const { content } = registry;
  const repository = `app-${randomBytes(4).toString('hex')}`;
  const layers = [await tarOf({ small: randomBytes(1000) }), await tarOf({ large: randomBytes(3 << 20) })];
  const made = content.addImage(repository, layers);
  const index = content.addIndex(repository, [{ ...made.manifest, platform: hostPlatform() }], { tag: '1' });
  const stage = (title: string, { digest, size }: { digest: string; size: number }): Stage => {
    return { title, server: registry, path: digest, size };
  };
  const [small = made.config, large = made.config] = made.layers;
  return {
    name: `${registry.host}/${repository}:1`,
    stages: [
      { title: 'the token', server: service.server, path: '/token', size: 20 },
      { title: 'the index', server: registry, path: `${repository}/manifests/1`, size: index.size },
      stage('the manifest', made.manifest),
      stage('the configuration', made.config),
      stage('the small layer', small),
      stage('the large layer', large),
    ],
  };
}

async function remove(name: string): Promise<void> {
  assert.equal((await daemon.ask('DELETE', `/images/${name}`)).status, 200);
}

async function images(): Promise<unknown> {
  return valueOf(await daemon.ask('GET', '/images/json?all=1'), 200);
}

test('pull: a connection that is cut once, at whichever stage and byte, is no matter', async () => {
  const { name, stages } = await publish();
  for (const { title, server, path, size } of stages) {
    const cuts = [0, size >> 1, size - 1].map((bytes): Fault => ({ kind: 'cut', after: bytes }));
    for (const fault of [{ kind: 'reset' } as const, ...cuts]) {
      server.faults.add({ path, times: 1, fault });
      assert.equal(await pullError(daemon, name), undefined, `${title}: ${JSON.stringify(fault)}`);
      await remove(name);
      server.faults.clear();
    }
  }
});

/** Another image for each stage: what one attempt has brought the next one does not ask for. */
async function* eachStage(): AsyncGenerator<Stage & { readonly name: string }> {
  const { stages } = await publish();
  for (const index of stages.keys()) {
    const { name, stages: own } = await publish();
    const stage = own[index];
    if (stage !== undefined) yield { ...stage, name };
  }
}

/** Begins to pull and waits until this stage is reached. */
async function reach({ name, server, path, title }: Stage & { readonly name: string }): Promise<PullClient> {
  const before = server.requests.length;
  const client = PullClient.begin(daemon, name);
  const asked = (): boolean => server.requests.slice(before).some((request) => request.path.includes(path));
  await until(asked, { what: title });
  return client;
}

function left(): string[] {
  return holdingsOf(daemon).data.filter((file) => !clean.data.includes(file) && !file.includes('/settling/'));
}

test('pull: a connection that is always cut, at whichever stage, is told, and shows nothing', async () => {
  for await (const { title, name, server, path } of eachStage()) {
    server.faults.add({ path, fault: { kind: 'cut', after: 0 } });
    const error = (await pullError(daemon, name)) ?? 'no error';
    assert.match(error, /broke off.*gave up after 3 tries/, title);
    assert.ok(error.includes(server.host), error);
    assert.deepEqual(await images(), []);
    server.faults.clear();
    assert.equal(await pullError(daemon, name), undefined);
    await remove(name);
    assert.deepEqual(left(), [], title);
  }
});

test('pull: a daemon that is killed at whichever stage shows nothing, and leaves only what it will use', async () => {
  for await (const stage of eachStage()) {
    const { title, name, server, path, size } = stage;
    // The second half never comes, or nothing at all.
    for (const fault of [{ kind: 'silence' }, { kind: 'slow', pause: 300, piece: size >> 1 }] as const) {
      server.faults.add({ path, fault });
      const client = await reach(stage);
      await daemon.down('SIGKILL');
      await client.ended;
      server.faults.clear();
      await daemon.up();
      assert.deepEqual(await images(), [], title);
      for (const file of left()) assert.match(file, /content\/(partial|blobs\/sha256)\/./, title);
      assert.equal(await pullError(daemon, name), undefined, title);
      await remove(name);
      assert.deepEqual(left(), [], title);
    }
  }
});

test('pull: a client that leaves at whichever stage leaves nothing at work', async () => {
  for await (const stage of eachStage()) {
    const { name, server, path } = stage;
    server.faults.add({ path, fault: { kind: 'silence' } });
    const client = await reach(stage);
    client.hangUp();
    await client.ended;
    assert.deepEqual(await images(), []);
    server.faults.clear();
    assert.equal(await pullError(daemon, name), undefined);
    await remove(name);
  }
  const open = async (): Promise<number> =>
    (await registry.connections()) + (await service.server.connections());
  await until(async () => (await open()) === 0, { what: 'no connection' });
});

test('pull: after all that everything is as before, also after a start', async () => {
  await sameAs(daemon, clean);
  await daemon.down();
  await daemon.up();
  await sameAs(daemon, clean);
});
