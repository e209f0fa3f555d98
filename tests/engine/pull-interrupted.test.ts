import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { closeSync, openSync, readdirSync, readSync, statSync, writeSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { Gate } from '#tests/gate.ts';
import { tarOf } from '#tests/images.ts';
import { holdingsOf, leakCheck, sameAs } from '#tests/leak-check.ts';
import { PullClient, pullError } from '#tests/pull-client.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { RemoteImages } from '#tests/remote-images.ts';
import { valueOf } from '#tests/test-containers.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let registry: TestRegistry;
let gate: Gate;

before(async () => {
  daemon = await TestDaemon.start(['--max-download-attempts=3', '--max-concurrent-downloads=64']);
  registry = await startRegistry();
  gate = await Gate.open(registry.host);
});

afterEach(() => {
  gate.fate = () => undefined;
  gate.requests.length = 0;
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await gate[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const size = 2 << 20;
const never = new Promise<void>(() => {});

interface Remote {
  /** Behind the gate. */
  readonly name: string;
  /** Digests of the layers. */
  readonly layers: readonly string[];
}

/** An image of layers that do not compress, in a repository of its own. */
async function remote(repository: string, layers: number = 2): Promise<Remote> {
  const contents = await Promise.all(
    Array.from({ length: layers }, () => tarOf({ data: randomBytes(size) })),
  );
  const made = await new RemoteImages(registry.host, repository).image({ layers: contents, tag: '1' });
  return { name: `${gate.host}/${repository}:1`, layers: made.layers.map(({ digest }) => digest) };
}

/** Waits until so many bytes of unfinished downloads are on disk. */
async function partial(bytes: number): Promise<void> {
  const dir = join(daemon.dir, 'data/content/partial');
  const sizes = (): number[] => readdirSync(dir).map((name) => statSync(join(dir, name)).size);
  await until(() => sizes().some((each) => each >= bytes), { what: `${bytes} bytes of a layer` });
}

async function images(): Promise<unknown> {
  return valueOf(await daemon.ask('GET', '/images/json?all=1'), 200);
}

/** Where the downloads of a layer began, in order. */
function startsOf(digest: string | undefined): number[] {
  return gate.requests.filter((request) => request.digest === digest).map(({ start }) => start);
}

async function remove(name: string): Promise<void> {
  assert.equal((await daemon.ask('DELETE', `/images/${name}`)).status, 200);
}

test('pull: a client that hangs up leaves no image, and the next one goes on where it stopped', async () => {
  await leakCheck(daemon, async () => {
    const { name, layers } = await remote('hangup');
    gate.fate = ({ digest }) => (digest === layers[1] ? { after: size / 2, rest: never } : undefined);
    const client = PullClient.begin(daemon, name);
    await client.says('Pull complete');
    await partial(size / 4);
    client.hangUp();
    await client.ended;
    await until(() => !holdingsOf(daemon).data.some((path) => path.includes('snapshots/overlay2/')), {
      what: 'the first layer is gone again',
    });
    assert.deepEqual(await images(), []);
    gate.fate = () => undefined;
    assert.equal(await pullError(daemon, name), undefined);
    assert.deepEqual(startsOf(layers[0]), [0]);
    const [first, second, ...more] = startsOf(layers[1]);
    assert.ok(
      first === 0 && second !== undefined && second > 0 && more.length === 0,
      String(startsOf(layers[1])),
    );
    await remove(name);
  });
});

test('pull: a daemon that is killed shows nothing of it, leaves no files, and goes on after its start', async () => {
  await leakCheck(daemon, async () => {
    const { name, layers } = await remote('killed');
    const clean = holdingsOf(daemon);
    gate.fate = ({ digest }) => (digest === layers[1] ? { after: size / 2, rest: never } : undefined);
    const client = PullClient.begin(daemon, name);
    await client.says('Pull complete');
    await partial(size / 4);
    await daemon.down('SIGKILL');
    await daemon.up();
    assert.deepEqual(await images(), []);
    const { data } = holdingsOf(daemon);
    const kept = data.filter((path) => !clean.data.includes(path));
    // The layer that was complete, and what there is of the other one.
    assert.equal(kept.filter((path) => /blobs\/sha256\/[0-9a-f]{64}$/.test(path)).length, 1, kept.join('\n'));
    assert.equal(kept.filter((path) => path.includes('partial')).length, 1, kept.join('\n'));
    assert.equal(kept.filter((path) => path.includes('snapshots/')).length, 0, kept.join('\n'));
    gate.fate = () => undefined;
    assert.equal(await pullError(daemon, name), undefined);
    assert.deepEqual(startsOf(layers[0]), [0]);
    assert.ok((startsOf(layers[1])[1] ?? 0) > 0);
    await remove(name);
  });
});

test('pull: killed at any moment, the image is either there or not, and can be pulled again', async () => {
  const { name } = await remote('moments', 3);
  const clean = holdingsOf(daemon);
  for (const delay of [10, 30, 50, 80, 120]) {
    const client = PullClient.begin(daemon, name);
    await new Promise((resolve) => {
      setTimeout(resolve, delay);
    });
    await daemon.down('SIGKILL');
    await client.ended;
    await daemon.up();
    const seen = (await images()) as { RepoTags: string[] }[];
    assert.ok(seen.length <= 1);
    if (seen.length === 1) assert.deepEqual(seen[0]?.RepoTags, [name]);
    assert.equal(await pullError(daemon, name), undefined, `killed after ${delay} ms`);
    await remove(name);
    await sameAs(daemon, clean);
  }
});

test('pull: connections that are cut are taken up again; when nothing comes any more the error names the host', async () => {
  await leakCheck(daemon, async () => {
    const { name, layers } = await remote('cut');
    gate.fate = ({ start }) => (start < size ? { after: size / 4, rest: 'cut' } : undefined);
    assert.equal(await pullError(daemon, name), undefined);
    for (const layer of layers) assert.ok(startsOf(layer).length > 3, String(startsOf(layer)));
    await remove(name);
  });
  const { name } = await remote('dead', 1);
  gate.fate = ({ start }) => ({ after: start === 0 ? 1000 : 0, rest: 'cut' });
  const error = await pullError(daemon, name);
  assert.ok(error?.includes(gate.host) === true, String(error));
  assert.deepEqual(await images(), []);
});

test('pull: layers that stall do not keep others from being unpacked', async () => {
  await leakCheck(daemon, async () => {
    // As many as there are threads, and downloads at once.
    const stalled = await remote('stalled', availableParallelism());
    const { promise: rest, resolve: go } = Promise.withResolvers<void>();
    gate.fate = ({ digest }) => (stalled.layers.includes(digest) ? { after: size / 2, rest } : undefined);
    const client = PullClient.begin(daemon, stalled.name);
    await until(() => gate.requests.length >= stalled.layers.length, { what: 'all downloads' });
    await partial(size / 4);
    const other = await remote('other', 1);
    assert.equal(await pullError(daemon, other.name), undefined);
    assert.equal(client.messages.filter(({ status }) => status === 'Pull complete').length, 0);
    go();
    await client.ended;
    assert.equal(client.error, undefined);
    for (const { name } of [stalled, other]) await remove(name);
  });
});

test('pull: content with another digest is refused, and is not used by the next attempt', async () => {
  await leakCheck(daemon, async () => {
    const { name, layers } = await remote('forged', 1);
    gate.fate = ({ digest }) => (digest === layers[0] ? { after: size / 2, rest: 'garbled' } : undefined);
    assert.match(
      (await pullError(daemon, name)) ?? '',
      /digest sha256:[0-9a-f]{64}, expected sha256:[0-9a-f]{64}/,
    );
    assert.deepEqual(await images(), []);
    gate.fate = () => undefined;
    assert.equal(await pullError(daemon, name), undefined);
    await remove(name);
  });
});

test('pull: a garbled beginning that an interruption left does not spoil the next attempt', async () => {
  await leakCheck(daemon, async () => {
    const { name, layers } = await remote('spoiled', 1);
    gate.fate = ({ digest }) => (digest === layers[0] ? { after: size, rest: never } : undefined);
    PullClient.begin(daemon, name);
    await partial(size / 2);
    await daemon.down('SIGKILL');
    const dir = join(daemon.dir, 'data/content/partial');
    const [file = ''] = readdirSync(dir);
    spoil(join(dir, file));
    await daemon.up();
    gate.fate = () => undefined;
    assert.equal(await pullError(daemon, name), undefined);
    await remove(name);
  });
});

/** Changes the first byte of a file. */
function spoil(path: string): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, 0);
  writeSync(fd, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, 0);
  closeSync(fd);
}
