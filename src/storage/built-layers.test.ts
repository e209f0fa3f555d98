import assert from 'node:assert/strict';
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mount, unmount } from '#/kernel/mount.ts';
import { digestOf } from '#/oci/digest.ts';
import { encodeManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { parseReference } from '#/oci/reference.ts';
import { pieces, readAll } from '#/tar/tar-samples.ts';
import { configOf, dockerArchive, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { loadImages } from './images/load.ts';
import type { ImageRecord } from './images/record.ts';
import { saveImages } from './images/save.ts';
import { selectImages } from './images/save-selection.ts';
import type { Layer } from './layer-table.ts';
import { openStorage, type TestStorage } from './layers-storage.ts';
import type { DriverName } from './snapshots/snapshotter.ts';
import { buildKey } from './unpack-key.ts';

const drivers: readonly DriverName[] = ['overlay2', 'vfs'];

type Store = Pick<TestStorage, 'layers' | 'snapshots'>;

interface Step {
  readonly parent?: Layer | undefined;
  readonly newest?: number;
  readonly change: (root: string) => void;
}

/** Changes a snapshot as a step of a build does, and makes a layer of it. */
async function build({ layers, snapshots }: Store, { parent, newest, change }: Step): Promise<Layer> {
  const key = buildKey();
  using scratch = scratchDir();
  for (const one of await snapshots.prepare(key, parent?.chainId)) mount(one, scratch.path);
  try {
    change(scratch.path);
  } finally {
    unmount(scratch.path);
  }
  return layers.commitBuilt(key, { parent: parent?.chainId, newest });
}

/** Files with fixed times. */
function files(root: string, contents: Readonly<Record<string, string>>): void {
  for (const [name, content] of Object.entries(contents)) {
    writeFileSync(join(root, name), content);
    utimesSync(join(root, name), 1_700_000_000, 1_700_000_000);
  }
}

for (const driver of drivers) {
  test(`Layers.commitBuilt: on ${driver}, equal changes are one layer, named after its archive; nothing is written`, async () => {
    await using storage = await openStorage({ driver });
    const { layers, snapshots, content } = storage;
    const base = await build(storage, { change: (root) => files(root, { a: 'a', gone: '1' }) });
    const step = {
      parent: base,
      change: (root: string) => (files(root, { b: 'bb' }), rmSync(join(root, 'gone'))),
    };
    using hold = layers.hold();
    hold.add(base.chainId);
    const [one, two] = [await build(storage, step), await build(storage, step)];
    assert.deepEqual(two, one);
    assert.deepEqual(one, layers.get(one.chainId));
    assert.deepEqual([one.blob, one.mediaType, one.size], [one.diffId, mediaTypes.layer, 2]);
    assert.deepEqual(
      snapshots.list().map(({ name }) => name),
      [base.chainId, one.chainId],
    );
    assert.deepEqual(await content.list(), []);
    const nothing = await build(storage, { parent: one, change: () => {} });
    assert.equal(nothing.diffId, digestOf(Buffer.alloc(1024)));
    await layers.release(nothing.chainId);
    assert.deepEqual(layers.all(), [base]);
  });

  test(`LayerArchives: on ${driver}, built layers are saved, packed and described without being kept`, async () => {
    await using store = await openImages({ driver, policy: 'unpacked' });
    const loaded = await loadBase(store);
    const layer = await build(store, { parent: loaded, change: (root) => large(root) });
    const { tar, image } = await addImage(store, [loaded, layer]);
    const built = await readAll(tar);
    assert.ok(built.some(({ path, content }) => path === 'dir/7' && content.length === 100_000));
    assert.equal(await store.archives.keptBytes(layer), 0);
    await store.archives.compact(image.chainId);
    const saved = Buffer.concat(
      await Array.fromAsync(saveImages(store, selectImages(store.images, ['built']))),
    );
    await using other = await openImages({ driver });
    const [again] = await loadImages(other, streamOf(saved));
    assert.equal(again?.image.id, image.id);
    using hold = store.content.hold();
    const options = { hold, signal: new AbortController().signal };
    const packed = await store.archives.pack(layer, options);
    assert.deepEqual(await store.archives.pack(layer, options), packed);
    await store.images.delete(image.id);
    assert.equal(store.layers.get(layer.chainId), undefined);
  });

  test(`LayerArchives.tar: on ${driver}, files of a built layer that were changed below are an error`, async () => {
    await using store = await openImages({ driver });
    const layer = await build(store, { change: (root) => large(root) });
    const { body } = await store.archives.tar(layer);
    writeFileSync(join(store.snapshots.upperDir(layer.chainId), 'dir/3'), 'changed');
    await assert.rejects(Array.fromAsync(body), { kind: 'invalid', message: /have been changed/ });
    using hold = store.content.hold();
    const options = { hold, signal: new AbortController().signal };
    await assert.rejects(store.archives.pack(layer, options), {
      kind: 'invalid',
      message: /have been changed/,
    });
  });
}

test('LayerArchives.tar: a stream that nobody reads to its end does not keep its thread', async () => {
  await using store = await openImages({ driver: 'overlay2' });
  const layer = await build(store, { change: (root) => large(root) });
  // More than there are threads for it, at the same time.
  const open = Array.from({ length: 8 }, async () => {
    const { body } = await store.archives.tar(layer);
    for await (const piece of body) return piece.length;
    return 0;
  });
  assert.deepEqual(new Set(await Promise.all(open)), new Set([256 * 1024]));
  const { body, size } = await store.archives.tar(layer);
  assert.equal(Buffer.concat(await Array.fromAsync(body)).length, size);
});

test('Layers.commitBuilt: times are cut to the newest that is wanted, also when the archive is made again', async () => {
  await using store = await openImages({ driver: 'overlay2' });
  const at = (time: number) => (root: string) => {
    files(root, { old: 'o' });
    writeFileSync(join(root, 'new'), 'n');
    utimesSync(join(root, 'new'), time, time);
  };
  const layer = await build(store, { newest: 1_750_000_000, change: at(1_800_000_000) });
  const other = await build(store, { newest: 1_750_000_000, change: at(1_900_000_000) });
  assert.equal(other.diffId, layer.diffId);
  const { body } = await store.archives.tar(layer);
  const entries = await readAll(Buffer.concat(await Array.fromAsync(body)));
  assert.deepEqual(
    entries.map(({ path, mtime }) => [path, mtime / 1_000_000_000n]),
    [
      ['new', 1_750_000_000n],
      ['old', 1_700_000_000n],
    ],
  );
});

test('Layers.commitBuilt: an abort leaves the snapshot, and the next daemon removes it', async () => {
  using scratch = scratchDir();
  {
    await using storage = await openStorage({ root: scratch.path });
    const { layers, snapshots } = storage;
    await snapshots.prepare('build-1');
    large(snapshots.upperDir('build-1'));
    const reason = new Error('enough');
    const stop = new AbortController();
    const commit = layers.commitBuilt('build-1', { parent: undefined, signal: stop.signal });
    stop.abort(reason);
    await assert.rejects(commit, reason);
    assert.ok(snapshots.exists('build-1'));
    await layers.commitBuilt('build-1', { parent: undefined, hold: layers.hold() });
    await snapshots.prepare('build-2');
    await snapshots.prepare('container');
  }
  await using storage = await openStorage({ root: scratch.path });
  await storage.layers.reconcile();
  assert.deepEqual(storage.snapshots.list(), [{ name: 'container', kind: 'active' }]);
});

test('Layers.reconcile: a daemon that is killed while it builds leaves nothing half done', async () => {
  using scratch = scratchDir();
  // Each round is killed after another number of steps.
  for (let steps = 1; steps <= 6; steps += 1) {
    const stdio = ['ignore', 'inherit', 'inherit', 'ipc'] as const;
    const child = fork(join(import.meta.dirname, 'built-layers-crash.ts'), [scratch.path], {
      stdio: [...stdio],
    });
    const exited = once(child, 'exit');
    for (let step = 0; step < steps; step += 1) await once(child, 'message');
    child.kill('SIGKILL');
    await exited;
    await using storage = await openStorage({ root: scratch.path });
    await storage.layers.reconcile();
    assert.deepEqual([storage.snapshots.list(), storage.layers.all()], [[], []]);
    assert.deepEqual(readdirSync(join(scratch.path, 'snapshots/overlay2')), []);
    const layer = await build(storage, { change: (root) => files(root, { after: 'x' }) });
    assert.ok(storage.snapshots.exists(layer.chainId));
    await storage.layers.collect();
  }
});

test('Layers.restore: says that a built layer has to be built again', async () => {
  using scratch = scratchDir();
  let top: Layer;
  {
    await using storage = await openStorage({ root: scratch.path });
    top = await build(storage, { change: (root) => files(root, { a: 'a' }) });
  }
  await using storage = await openStorage({ root: scratch.path, driver: 'vfs' });
  await assert.rejects(storage.layers.restore(top.chainId), { kind: 'notFound', message: /build it again/ });
});

/** More than is hashed without a thread. */
function large(root: string): void {
  mkdirSync(join(root, 'dir'));
  const names = Array.from({ length: 30 }, (_, i) => `dir/${i}`);
  files(root, Object.fromEntries(names.map((name) => [name, name.padEnd(100_000, 'x')])));
}

async function loadBase(store: ImageScratch): Promise<Layer> {
  const archive = await dockerArchive(['base:1'], [await tarOf({ base: 'b'.repeat(5000) })]);
  const [added] = await loadImages(store, streamOf(archive));
  const [layer] = store.layers.chain(added?.image.chainId as never);
  assert.ok(layer !== undefined);
  return layer;
}

/** An image of these layers, as a build makes it, named `built`; and the archive of its last layer. */
async function addImage(
  store: ImageScratch,
  layers: readonly Layer[],
): Promise<{ tar: Buffer; image: ImageRecord }> {
  const { content, archives, images } = store;
  using hold = content.hold();
  const configBytes = configFor(layers);
  const id = digestOf(configBytes);
  const described = await Promise.all(layers.map((layer) => archives.describe(layer)));
  const config = { mediaType: mediaTypes.config, digest: id, size: configBytes.length };
  const stored = await content.ingest(pieces(encodeManifest(config, described)), { hold });
  await content.ingest(pieces(configBytes), { hold });
  const [added] = images.add([
    {
      id,
      configBytes,
      manifest: stored.digest,
      chainId: layers.at(-1)?.chainId,
      parent: undefined,
      size: 0,
      blobs: [id, stored.digest, ...described.map(({ digest }) => digest)],
      names: [parseReference('docker.io/library/built:latest')],
      tagged: undefined,
    },
  ]);
  assert.ok(added !== undefined);
  const { body, size } = await archives.tar(layers.at(-1) as Layer);
  const tar = Buffer.concat(await Array.fromAsync(body));
  assert.deepEqual([tar.length, digestOf(tar)], [size, layers.at(-1)?.diffId]);
  assert.equal(described.at(-1)?.size, size);
  return { tar, image: added.image };
}

function configFor(layers: readonly Layer[]): Buffer {
  const diffIds = layers.map(({ diffId }) => diffId);
  return Buffer.from(configOf([], { rootfs: { type: 'layers', diff_ids: diffIds }, history: [{}, {}] }));
}
