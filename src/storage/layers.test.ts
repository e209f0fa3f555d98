import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { mount, unmount } from '#/kernel/mount.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { file, link, pieces, tarOf } from '#/tar/tar-samples.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { chainIdOf } from './chain-id.ts';
import { openStorage, type TestStorage } from './layers-storage.ts';

const mediaType = 'application/vnd.oci.image.layer.v1.tar+gzip';

/** A compressed layer with one file, in the store. */
async function blobOf(
  storage: TestStorage,
  name: string,
  size: number = 5,
): Promise<{ blob: Digest; diffId: Digest }> {
  const archive = await tarOf(file(name, 'x'.repeat(size)));
  const { digest } = await storage.content.ingest(pieces(gzipSync(archive)));
  return { blob: digest, diffId: digestOf(archive) };
}

function isEmpty(storage: TestStorage): void {
  assert.deepEqual(storage.snapshots.list(), []);
  assert.deepEqual(readdirSync(join(storage.root, 'snapshots/overlay2')), []);
}

test('chainIdOf: follows the image specification', () => {
  const [a, b] = [digestOf('a'), digestOf('b')];
  assert.equal(chainIdOf(undefined, a), a);
  assert.equal(chainIdOf(a, b), digestOf(`${a} ${b}`));
});

test('Layers.unpack: makes layers, whatever their compression, and finds them again', async () => {
  await using storage = await openStorage();
  const { layers, content, snapshots } = storage;
  const archive = await tarOf(file('first', 'hello'), link('hardlink', 'again', 'first'));
  const chain: Digest[] = [];
  for (const bytes of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
    const { digest: blob } = await content.ingest(pieces(bytes));
    const parent = chain.at(-1);
    const layer = await layers.unpack({ parent, blob, mediaType, diffId: digestOf(archive) });
    assert.deepEqual(layer, {
      chainId: chainIdOf(parent, digestOf(archive)),
      parent,
      diffId: digestOf(archive),
      blob,
      mediaType,
      size: 5,
    });
    assert.equal(readFileSync(join(snapshots.upperDir(layer.chainId), 'first'), 'utf8'), 'hello');
    assert.deepEqual(await layers.unpack({ parent, blob, mediaType }), layer);
    chain.push(layer.chainId);
  }
  assert.deepEqual(
    layers.chain(chain[2] as Digest).map((layer) => layer.chainId),
    chain,
  );
  assert.equal(layers.get(digestOf('unknown')), undefined);
  assert.throws(() => layers.chain(digestOf('unknown')), { kind: 'notFound' });
});

test('Layers.unpack: several requests for one layer do the work once', async () => {
  await using storage = await openStorage();
  const request = { ...(await blobOf(storage, 'a')), mediaType };
  const all = await Promise.all(Array.from({ length: 8 }, () => storage.layers.unpack(request)));
  assert.equal(new Set(all.map((layer) => layer.chainId)).size, 1);
  assert.equal(storage.snapshots.list().length, 1);
});

test('Layers.unpack: requests that do not know the diff id end at the same layer', async () => {
  await using storage = await openStorage();
  const { blob, diffId } = await blobOf(storage, 'a');
  const all = await Promise.all(Array.from({ length: 4 }, () => storage.layers.unpack({ blob, mediaType })));
  assert.deepEqual(new Set(all.map((layer) => layer.chainId)), new Set([diffId]));
  assert.equal(storage.snapshots.list().length, 1);
});

test('Layers.unpack: what cannot be unpacked leaves nothing', async () => {
  await using storage = await openStorage();
  const { layers, content } = storage;
  const { blob } = await blobOf(storage, 'a');
  await assert.rejects(layers.unpack({ blob, mediaType, diffId: digestOf('other') }), {
    kind: 'invalid',
    message: /expected sha256/,
  });
  const hostile = await tarOf(file('fine', 'x'), file('../outside', 'x'));
  // Large ones are unpacked in another thread: its errors must look the same.
  const large = Buffer.concat([
    hostile.subarray(0, 1024),
    (await tarOf(file('big', randomBytes(2_000_000).toString('hex')))).subarray(0, -1024),
    hostile.subarray(1024),
  ]);
  for (const bytes of [hostile, large, large.subarray(0, 3_000_000)]) {
    const { digest } = await content.ingest(pieces(gzipSync(bytes)));
    await assert.rejects(layers.unpack({ blob: digest, mediaType }), {
      name: 'EngineError',
      kind: 'invalid',
    });
  }
  await assert.rejects(layers.unpack({ blob: digestOf('none'), mediaType }), { kind: 'notFound' });
  await assert.rejects(layers.unpack({ blob, mediaType, parent: digestOf('none') }), { kind: 'notFound' });
  isEmpty(storage);
});

test('Layers.unpack: a full disk is an error of the machine and leaves nothing', async () => {
  using scratch = scratchDir();
  mount({ type: 'tmpfs', source: 'tmpfs', options: ['size=4m'] }, scratch.path);
  try {
    await using storage = await openStorage({ root: scratch.path });
    const { blob } = await blobOf(storage, 'big', 8_000_000);
    await assert.rejects(storage.layers.unpack({ blob, mediaType }), { kind: 'internal', message: /ENOSPC/ });
    isEmpty(storage);
    await storage.layers.unpack({ ...(await blobOf(storage, 'small')), mediaType });
  } finally {
    unmount(scratch.path);
  }
});

test('Layers.unpack: large layers go through a thread, with progress, and can be aborted', async () => {
  await using storage = await openStorage();
  const { layers, content } = storage;
  const archive = await tarOf(file('big', randomBytes(4_000_000).toString('hex')));
  const { digest: blob, size } = await content.ingest(pieces(gzipSync(archive)));
  const stop = new AbortController();
  const aborted = layers.unpack({
    blob,
    mediaType,
    signal: stop.signal,
    onProgress: () => stop.abort(new Error('enough')),
  });
  await assert.rejects(aborted, /enough/);
  isEmpty(storage);
  let progress = 0;
  const layer = await layers.unpack({ blob, mediaType, onProgress: (bytes) => (progress = bytes) });
  assert.deepEqual([progress, layer.diffId, layer.size], [size, digestOf(archive), 8_000_000]);
});

test('Layers.release: removes layers and blobs as far as nothing needs them', async () => {
  await using storage = await openStorage();
  const { layers, content, snapshots, db } = storage;
  const one = await layers.unpack({ ...(await blobOf(storage, 'one')), mediaType });
  const two = await layers.unpack({ ...(await blobOf(storage, 'two')), mediaType, parent: one.chainId });
  const three = await layers.unpack({ ...(await blobOf(storage, 'three')), mediaType, parent: one.chainId });
  const left = (): Digest[] =>
    [one, two, three].map((layer) => layer.chainId).filter((id) => layers.get(id) !== undefined);

  // As images refer to their topmost layers.
  db.prepare('CREATE TABLE users (layer TEXT REFERENCES layers (chain_id))').run();
  db.prepare('INSERT INTO users VALUES (?)').run(two.chainId);
  await layers.release(two.chainId);
  assert.equal(left().length, 3, 'an image has it');
  db.prepare('DELETE FROM users').run();
  await snapshots.prepare('container', two.chainId);
  await layers.release(two.chainId);
  assert.equal(left().length, 3, 'a container is built on it');
  await snapshots.remove('container');
  const hold = layers.hold();
  await layers.unpack({ ...two, hold });
  await layers.collect();
  assert.deepEqual(left(), [one.chainId, two.chainId], 'it is held');
  assert.deepEqual([await content.has(three.blob), snapshots.exists(three.chainId)], [false, false]);
  hold[Symbol.dispose]();
  await layers.release(two.chainId);
  assert.deepEqual(left(), []);
  assert.deepEqual(await content.list(), []);
  isEmpty(storage);
});

test('Layers.release: a blob stays while another layer or an image lists it', async () => {
  await using storage = await openStorage();
  const { layers, content, db } = storage;
  const blob = await blobOf(storage, 'same');
  const one = await layers.unpack({ ...blob, mediaType });
  const two = await layers.unpack({ ...blob, mediaType, parent: one.chainId });
  await layers.release(two.chainId);
  assert.equal(await content.has(blob.blob), false);
  const again = await blobOf(storage, 'same');
  const three = await layers.unpack({ ...again, mediaType });
  // The image itself does not matter here.
  db.prepare('PRAGMA foreign_keys = OFF').run();
  db.prepare('INSERT INTO image_blobs (image, digest) VALUES (?, ?)').run('image', again.blob);
  await layers.release(three.chainId);
  assert.deepEqual([layers.get(three.chainId), await content.has(again.blob)], [undefined, true]);
});

test('Layers.restore: unpacks again what the present driver does not have', async () => {
  using scratch = scratchDir();
  let top: Digest;
  {
    await using storage = await openStorage({ root: scratch.path });
    const one = await storage.layers.unpack({ ...(await blobOf(storage, 'one')), mediaType });
    top = (await storage.layers.unpack({ ...(await blobOf(storage, 'two')), mediaType, parent: one.chainId }))
      .chainId;
  }
  await using storage = await openStorage({ root: scratch.path, driver: 'vfs' });
  assert.equal(storage.snapshots.exists(top), false);
  await storage.layers.restore(top);
  assert.deepEqual(readdirSync(storage.snapshots.upperDir(top)).sort(), ['one', 'two']);
});

/** Starts a process that unpacks layers until it is killed; see layers-crash.ts. */
function startCrasher(root: string): ChildProcess {
  return fork(join(import.meta.dirname, 'layers-crash.ts'), [root], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
}

test('Layers.reconcile: a daemon that is killed while it unpacks leaves nothing half done', async () => {
  using scratch = scratchDir();
  // Each round is killed after another number of steps.
  for (let steps = 1; steps <= 6; steps++) {
    const child = startCrasher(scratch.path);
    const exited = once(child, 'exit');
    for (let step = 0; step < steps; step++) await once(child, 'message');
    child.kill('SIGKILL');
    await exited;
    await using storage = await openStorage({ root: scratch.path });
    await storage.layers.reconcile();
    isEmpty(storage);
    assert.deepEqual(readdirSync(join(scratch.path, 'content/ingest')), []);
    // What is left is good: the same can be done again.
    const { chainId } = await storage.layers.unpack({ ...(await blobOf(storage, 'after')), mediaType });
    assert.ok(existsSync(join(storage.snapshots.upperDir(chainId), 'after')));
    await storage.layers.collect();
    isEmpty(storage);
  }
});
