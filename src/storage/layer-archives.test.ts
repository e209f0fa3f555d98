import assert from 'node:assert/strict';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '#/oci/digest.ts';
import { configOf, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { loadImages } from './images/load.ts';
import type { ImageRecord } from './images/record.ts';
import { saveImages } from './images/save.ts';
import { selectImages } from './images/save-selection.ts';

/** Loads an image of two layers, one of them compressed, and compacts it as the store's policy says. */
async function load(s: ImageScratch): Promise<{ image: ImageRecord; layers: Buffer[] }> {
  const layers = [await tarOf({ a: 'a'.repeat(5000), b: 'small' }), await tarOf({ c: 'c'.repeat(100_000) })];
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = layers;
  const archive = await tarOf({
    first,
    second: gzipSync(second),
    'c.json': configOf(layers),
    'manifest.json': JSON.stringify([{ Config: 'c.json', RepoTags: ['x:1'], Layers: ['first', 'second'] }]),
  });
  const [added] = await loadImages(s, streamOf(archive));
  assert.ok(added !== undefined);
  await s.archives.compact(added.image.chainId);
  return { image: added.image, layers };
}

const { signal } = new AbortController();

async function save(s: ImageScratch): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(saveImages(s, selectImages(s.images, ['x:1']))));
}

for (const driver of ['overlay2', 'vfs'] as const) {
  test(`LayerArchives: on ${driver}, unpacked keeps no blobs of layers and gives the same archives`, async () => {
    await using kept = await openImages({ driver, policy: 'compressed' });
    await using bare = await openImages({ driver, policy: 'unpacked' });
    const { image, layers } = await load(bare);
    await load(kept);
    const chain = bare.layers.chain(image.chainId as never);
    for (const [index, layer] of chain.entries()) {
      assert.equal(await bare.archives.hasBlob(layer), false);
      assert.equal(await kept.archives.hasBlob(layer), true);
      assert.equal(await kept.archives.keptBytes(layer), await kept.content.size(layer.blob));
      const recipe = await bare.archives.keptBytes(layer);
      assert.ok(recipe > 0 && recipe < 1000, `${recipe} bytes`);
      const { size, body } = await bare.archives.tar(layer);
      const tar = Buffer.concat(await Array.fromAsync(body));
      assert.equal(tar.length, size);
      assert.deepEqual(tar, layers[index]);
    }
    assert.ok((await bare.footprint()).blobs < (await kept.footprint()).blobs);
    // What is saved can be loaded into a store of either kind, and is the same image.
    const saved = await save(bare);
    assert.deepEqual(await save(bare), saved);
    for (const policy of ['compressed', 'unpacked'] as const) {
      await using other = await openImages({ driver, policy });
      const [loaded] = await loadImages(other, streamOf(saved));
      assert.equal(loaded?.image.id, image.id);
      assert.equal(loaded.image.chainId, image.chainId);
    }
  });
}

test('LayerArchives.pack: gives the same bytes each time, from a recipe and from a plain blob, and remembers as what', async () => {
  await using bare = await openImages({ policy: 'unpacked' });
  const { image } = await load(bare);
  const [layer] = bare.layers.chain(image.chainId as never);
  assert.ok(layer !== undefined);
  const digests: string[] = [];
  for (let round = 0; round < 2; round += 1) {
    using hold = bare.content.hold();
    const { digest, mediaType } = await bare.archives.pack(layer, { hold, signal });
    assert.match(mediaType, /\+gzip$/);
    digests.push(digest);
    hold[Symbol.dispose]();
    await bare.images.dropBlob(digest);
    assert.equal(await bare.content.has(digest), false);
  }
  assert.equal(digests[0], digests[1]);
  await using kept = await openImages();
  const loaded = await load(kept);
  const [own] = kept.layers.chain(loaded.image.chainId as never);
  using hold = kept.content.hold();
  const packed = await kept.archives.pack(own as never, { hold, signal });
  assert.equal(packed.digest, digests[0]);
  assert.deepEqual(kept.archives.packedAs(own as never), packed);
});

test('LayerArchives.pack: what zlib packed before is packed by zlib again', async () => {
  await using kept = await openImages();
  const { image, layers } = await load(kept);
  const [layer] = kept.layers.chain(image.chainId as never);
  assert.ok(layer !== undefined);
  const old = gzipSync(layers[0] ?? '');
  kept.db
    .prepare("INSERT INTO packed_layers (chain_id, digest, size, deflater) VALUES (?, ?, 1, 'zlib')")
    .run(layer.chainId, digestOf('of another version'));
  using hold = kept.content.hold();
  const packed = await kept.archives.pack(layer, { hold, signal });
  assert.deepEqual([packed.digest, packed.size], [digestOf(old), old.length]);
  assert.deepEqual(kept.archives.packedAs(layer), packed);
  // A library that is not known, as of a later version of Skiff, is no obstacle.
  kept.db.prepare("UPDATE packed_layers SET deflater = 'other'").run();
  assert.ok((await kept.archives.pack(layer, { hold, signal })).size > 0);
});

test('LayerArchives: recipes go with their layers, and survive the opening of the store', async () => {
  await using bare = await openImages({ policy: 'unpacked' });
  const { image, layers } = await load(bare);
  const again = await bare.reopen();
  const [layer] = again.layers.chain(image.chainId as never);
  assert.ok(layer !== undefined);
  const recipe = bare.snapshots.besideOf(layer.chainId, 'recipe');
  assert.ok(existsSync(recipe));
  const { body } = await again.archives.tar(layer);
  assert.equal(digestOf(Buffer.concat(await Array.fromAsync(body))), digestOf(layers[0] ?? ''));
  await again.images.delete(image.id);
  assert.equal(existsSync(recipe), false);
});

test('LayerArchives.tar: files that were changed on disk, and a lost recipe, are errors', async () => {
  await using bare = await openImages({ policy: 'unpacked' });
  const { image } = await load(bare);
  const [layer] = bare.layers.chain(image.chainId as never);
  assert.ok(layer !== undefined);
  writeFileSync(join(bare.snapshots.upperDir(layer.chainId), 'a'), 'b'.repeat(5000));
  await assert.rejects(save(bare), { kind: 'invalid', message: /have been changed/ });
  await using kept = await openImages({ policy: 'compressed' });
  const other = await load(kept);
  const [own] = kept.layers.chain(other.image.chainId as never);
  await assert.rejects(kept.archives.tar(own as never), /neither its blob nor a recipe/);
});
