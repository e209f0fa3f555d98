import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { after, afterEach, before, test } from 'node:test';
import { Gate } from '#tests/gate.ts';
import { type ImageScratch, openImages, tarOf } from '#tests/images.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { RemoteImages } from '#tests/remote-images.ts';
import { Transfers } from '#tests/transfers.ts';
import { until } from '#tests/until.ts';

let registry: TestRegistry;
let gate: Gate;

before(async () => {
  registry = await startRegistry();
  gate = await Gate.open(registry.host);
});

afterEach(() => {
  gate.fate = () => undefined;
  gate.requests.length = 0;
});

after(async () => {
  await gate[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

const size = 1 << 20;

/** An image of one layer that does not compress, in a repository of its own; its name behind the gate. */
async function remote(repository: string, layers: number = 1): Promise<{ name: string; layers: string[] }> {
  const contents = await Promise.all(
    Array.from({ length: layers }, () => tarOf({ data: randomBytes(size) })),
  );
  const made = await new RemoteImages(registry.host, repository).image({ layers: contents, tag: '1' });
  return { name: `${gate.host}/${repository}:1`, layers: made.layers.map(({ digest }) => digest) };
}

/** Waits until so many bytes have come for a pull. */
function arrived(bytes: { current: number }, least: number): Promise<void> {
  return until(() => bytes.current >= least, { what: `${least} bytes`, patience: 20_000 });
}

function counting(): { current: number; onProgress: Parameters<Transfers['pull']>[1] } {
  const counter = {
    current: 0,
    onProgress: {
      onProgress: (item: { kind: string; current?: number }): void => {
        if (item.kind === 'bytes') counter.current = Math.max(counter.current, item.current ?? 0);
      },
    },
  };
  return counter;
}

const nothing = { images: 0, blobs: 0, snapshots: 0, layers: 0 };

async function onlyImage(s: ImageScratch): Promise<void> {
  const { images, layers } = await s.footprint();
  assert.deepEqual([images, layers], [1, 1]);
}

test('Downloads: two pulls of one layer download it once', async () => {
  await using s = await openImages();
  const { name, layers } = await remote('once');
  const { promise: rest, resolve: go } = Promise.withResolvers<void>();
  gate.fate = ({ digest }) => (digest === layers[0] ? { after: size / 2, rest } : undefined);
  const t = new Transfers(s, s);
  const counters = [counting(), counting()];
  const pulls = counters.map(({ onProgress }) => t.pull(name, onProgress));
  await arrived(counters[0] as { current: number }, size / 4);
  go();
  const [first, second] = await Promise.all(pulls);
  assert.equal(first?.image.id, second?.image.id);
  assert.equal(gate.requests.filter(({ digest }) => digest === layers[0]).length, 1);
  await onlyImage(s);
});

test('Downloads: one who leaves ends nothing that another waits for', async () => {
  await using s = await openImages();
  const { name, layers } = await remote('leave');
  const { promise: rest, resolve: go } = Promise.withResolvers<void>();
  gate.fate = ({ digest }) => (digest === layers[0] ? { after: size / 2, rest } : undefined);
  const t = new Transfers(s, s);
  const leaving = new AbortController();
  const [one, other] = [counting(), counting()];
  const left = t.pull(name, { ...one.onProgress, signal: leaving.signal });
  await arrived(one, size / 4);
  const stays = t.pull(name, other.onProgress);
  await arrived(other, size / 4);
  leaving.abort(new Error('the client hung up'));
  await assert.rejects(left, /the client hung up/);
  go();
  await stays;
  assert.equal(gate.requests.filter(({ digest }) => digest === layers[0]).length, 1);
  await onlyImage(s);
});

test('Downloads: what was interrupted goes on where it stopped, also after a restart', async () => {
  await using s = await openImages();
  const { name, layers } = await remote('resume');
  const never = new Promise<void>(() => {});
  gate.fate = ({ digest, start }) =>
    digest === layers[0] && start === 0 ? { after: size / 2, rest: never } : undefined;
  const leaving = new AbortController();
  const counter = counting();
  const left = new Transfers(s, s).pull(name, { ...counter.onProgress, signal: leaving.signal });
  await arrived(counter, size / 4);
  leaving.abort(new Error('the client hung up'));
  await assert.rejects(left, /the client hung up/);
  assert.deepEqual({ ...(await s.footprint()) }, nothing);

  const again = await s.reopen();
  await new Transfers(s, again).pull(name);
  const starts = gate.requests.filter(({ digest }) => digest === layers[0]).map(({ start }) => start);
  assert.equal(starts[0], 0);
  assert.ok((starts[1] ?? 0) > 0, `it began at ${starts[1]} again`);
});

test('Downloads: layers that were complete when a pull failed are not downloaded again', async () => {
  await using s = await openImages();
  const { name, layers } = await remote('complete', 2);
  const [first = '', second = ''] = layers;
  const never = new Promise<void>(() => {});
  gate.fate = ({ digest }) => (digest === second ? { after: 10, rest: never } : undefined);
  const leaving = new AbortController();
  const words: string[] = [];
  const left = new Transfers(s, s).pull(name, {
    signal: leaving.signal,
    onProgress: (item) => {
      if (item.kind === 'stage') words.push(item.status);
    },
  });
  await until(() => words.includes('Download complete'), { what: 'the first layer' });
  leaving.abort(new Error('the client hung up'));
  await assert.rejects(left, /the client hung up/);
  gate.fate = () => undefined;
  const again = await s.reopen();
  await new Transfers(s, again).pull(name);
  assert.equal(gate.requests.filter(({ digest }) => digest === first).length, 1);
});

test('Downloads: one who joined a download that fails elsewhere goes on at its own registry', async () => {
  await using s = await openImages();
  await using bad = await Gate.open(registry.host);
  const { name, layers } = await remote('elsewhere');
  const { promise: broken, resolve: breakNow } = Promise.withResolvers<void>();
  bad.fate = ({ digest, start }) => {
    if (digest !== layers[0]) return undefined;
    return start === 0 ? { after: size / 2, rest: broken } : { after: 0, rest: 'cut' };
  };
  const t = new Transfers(s, s);
  const [one, other] = [counting(), counting()];
  const failing = t.pull(name.replace(gate.host, bad.host), one.onProgress);
  await arrived(one, size / 4);
  const joined = t.pull(name, other.onProgress);
  await arrived(other, size / 4);
  bad.closeConnections();
  breakNow();
  await assert.rejects(failing, new RegExp(`cannot download ${layers[0]} from ${bad.host}/elsewhere`));
  await joined;
  assert.ok((gate.requests.find(({ digest }) => digest === layers[0])?.start ?? 0) > 0);
  await onlyImage(s);
});
