import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mount, unmount } from '#/kernel/mount.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { openImages, streamOf, tarOf } from '#tests/images.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import type { ChainId } from './chain-id.ts';
import type { Layer } from './layer-table.ts';
import { openStorage, type TestStorage } from './layers-storage.ts';
import type { DriverName } from './snapshots/snapshotter.ts';
import { buildKey } from './unpack-key.ts';

const drivers: readonly DriverName[] = ['overlay2', 'vfs'];
const { signal } = new AbortController();

type Store = Pick<TestStorage, 'layers' | 'snapshots'>;

/** Makes a layer of its own of what `fill` puts into a directory. */
async function made({ layers, snapshots }: Store, fill: (root: string) => void): Promise<Layer> {
  const key = buildKey();
  await snapshots.prepare(key);
  fill(snapshots.upperDir(key));
  return layers.commitBuilt(key, { parent: undefined });
}

/** What is seen of a layer and those below it. */
async function seen<T>({ snapshots }: Store, chainId: ChainId, look: (root: string) => T): Promise<T> {
  const key = buildKey();
  using scratch = scratchDir();
  for (const one of await snapshots.view(key, chainId)) mount(one, scratch.path);
  try {
    return look(scratch.path);
  } finally {
    unmount(scratch.path);
    await snapshots.remove(key);
  }
}

function withDirectory(root: string): void {
  mkdirSync(join(root, 'way'), { mode: 0o755 });
  writeFileSync(join(root, 'way/file'), 'stacked');
  utimesSync(join(root, 'way'), 1_500_000_000, 1_500_000_000);
}

for (const driver of drivers) {
  test(`Layers.stack: on ${driver}, names count, links of what is below do not; its root stays`, async () => {
    await using store = await openStorage({ driver });
    const { layers } = store;
    using hold = layers.hold();
    const linked = await made(store, (root) => {
      mkdirSync(join(root, 'etc'));
      symlinkSync('/etc', join(root, 'way'));
    });
    const plain = await made(store, (root) => {
      chmodSync(root, 0o711);
      mkdirSync(join(root, 'way'), { mode: 0o700 });
      writeFileSync(join(root, 'way/old'), 'old');
    });
    const alone = await made(store, withDirectory);
    const on = async (parent: Layer): Promise<Layer> =>
      layers.stack(alone.chainId, { parent: parent.chainId, hold, signal });
    const [one, two] = [await on(linked), await on(plain)];
    assert.deepEqual(await on(linked), one);
    const names = (root: string): string[] => [...readdirSync(join(root, 'way')), ...readdirSync(root)];
    assert.deepEqual(await seen(store, one.chainId, names), ['file', 'etc', 'way']);
    assert.deepEqual(await seen(store, two.chainId, names), ['file', 'old', 'way']);
    const way = await seen(store, two.chainId, (root) => lstatSync(join(root, 'way')));
    assert.deepEqual([way.mode & 0o777, way.mtimeMs], [0o755, 1_500_000_000_000]);
    assert.equal(await seen(store, two.chainId, (root) => statSync(root).mode & 0o777), 0o711);
    assert.deepEqual(layers.chain(two.chainId), [plain, two]);
    if (driver === 'overlay2') assert.deepEqual([one.diffId, two.diffId], [alone.diffId, alone.diffId]);
    const signalled = AbortSignal.abort(new Error('enough'));
    const other = await made(store, (root) => mkdirSync(join(root, 'other')));
    const refused = layers.stack(alone.chainId, { parent: other.chainId, hold, signal: signalled });
    await assert.rejects(refused, /enough/);
    assert.ok(store.snapshots.list().every(({ kind }) => kind === 'committed'));
  });

  test(`Layers.stack: on ${driver}, what was unpacked and is no blob any more can be packed again`, async () => {
    await using store = await openImages({ driver, policy: 'unpacked' });
    const { layers, content, archives } = store;
    using hold = layers.hold();
    using blobs = content.hold();
    // Not as an archive of ours would be.
    const archive = await tarOf({ 'b/c': 'content '.repeat(100), a: '1' });
    const { digest } = await content.ingest(streamOf(Buffer.concat([archive, Buffer.alloc(512 * 7)])), {
      hold: blobs,
    });
    const alone = await layers.unpack({ blob: digest, mediaType: mediaTypes.layer, diffId: digest, hold });
    blobs[Symbol.dispose]();
    await archives.compact(alone.chainId);
    assert.equal(await content.has(digest), false);
    const parent = await made(store, (root) => writeFileSync(join(root, 'below'), ''));
    const stacked = await layers.stack(alone.chainId, { parent: parent.chainId, hold, signal });
    const { size, body } = await archives.tar(stacked);
    assert.equal(Buffer.concat(await Array.fromAsync(body)).length, size);
    if (driver === 'overlay2') assert.equal(size, archive.length + 512 * 7);
  });
}

test('Layers.stack: on overlay2 the files of a layer take no room again, and stay when it goes', async () => {
  await using store = await openStorage();
  const { layers, snapshots } = store;
  using hold = layers.hold();
  const alone = await made(store, withDirectory);
  const parent = await made(store, (root) => writeFileSync(join(root, 'below'), ''));
  const stacked = await layers.stack(alone.chainId, { parent: parent.chainId, hold, signal });
  const [first, second] = [alone, stacked].map(({ chainId }) =>
    statSync(join(snapshots.upperDir(chainId), 'way/file')),
  );
  assert.equal(first?.ino, second?.ino);
  hold[Symbol.dispose]();
  await layers.release(alone.chainId);
  assert.equal(layers.get(alone.chainId), undefined);
  const file = await seen(store, stacked.chainId, (root) => readFileSync(join(root, 'way/file'), 'utf8'));
  assert.equal(file, 'stacked');
});
