import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { hostPlatform } from '#/oci/platform.ts';
import { directory, file, link, tarOf as tarOfEntries } from '#/tar/tar-samples.ts';
import { configOf, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { treeOf } from '../archive/extract-samples.ts';
import { importImage } from './import.ts';
import { loadImages } from './load.ts';

const noise = (): string => randomBytes(700_000).toString('hex');
const pathOf = (blob: Uint8Array): string => `blobs/sha256/${digestOf(blob).slice(7)}`;

/** As `docker save` writes it, with the blobs in the order that is given; all are large enough to be unpacked ahead. */
async function archiveOf(layers: readonly Buffer[], others: readonly Buffer[] = []): Promise<Buffer> {
  const config = Buffer.from(configOf(layers));
  const blobs = [...others, ...layers.toReversed(), config];
  const manifest = [{ Config: pathOf(config), RepoTags: ['a:1'], Layers: layers.map(pathOf) }];
  return tarOf({
    ...Object.fromEntries(blobs.map((blob) => [pathOf(blob), blob])),
    'manifest.json': JSON.stringify(manifest),
  });
}

async function sampleLayers(): Promise<Buffer[]> {
  const lower = await tarOfEntries(
    directory('etc', { mode: 0o750, uid: 7 }),
    file('etc/conf', 'below', { mode: 0o640 }),
    file('big', noise()),
  );
  // Its parent directory is implied.
  const middle = await tarOfEntries(file('etc/more', 'more'), file('.wh.big'), file('large', noise()));
  // A link to what only the lowest has cannot be made without it.
  const upper = await tarOfEntries(file('huge', noise()), link('hardlink', 'conf', 'etc/conf'));
  return [lower, middle, upper];
}

function nothingLeft(s: ImageScratch): void {
  assert.deepEqual(s.snapshots.list(), []);
  assert.deepEqual(readdirSync(join(s.dir, 'content/ingest')), []);
}

test('loadImages: unpacks large layers while they come, in any order, and drops what is no layer', async () => {
  await using s = await openImages({ driver: 'overlay2' });
  const layers = await sampleLayers();
  const [lower, middle, upper] = layers as [Buffer, Buffer, Buffer];
  const stray = [randomBytes(2_000_000), await tarOfEntries(file('stray', noise()))];
  const archive = await archiveOf(layers, stray);
  const seen = new Map<string, number>();
  const [loaded] = await loadImages(s, streamOf(archive), {
    onProgress: ({ diffId, current }) => seen.set(diffId, current),
  });
  const image = loaded?.image;
  assert.ok(image?.chainId !== undefined);
  assert.deepEqual(seen, new Map(layers.map((layer) => [digestOf(layer), layer.length])));
  const uppers = s.layers.chain(image.chainId).map(({ chainId }) => s.snapshots.upperDir(chainId));
  assert.deepEqual(
    uppers.map((path) => Object.keys(treeOf(path))),
    [
      ['big', 'etc', 'etc/conf'],
      ['big', 'etc', 'etc/more', 'large'],
      ['conf', 'etc', 'etc/conf', 'huge'],
    ],
  );
  for (const path of uppers) {
    const etc = statSync(join(path, 'etc'));
    assert.deepEqual([etc.mode & 0o7777, etc.uid], [0o750, 7]);
  }
  // Three layers, configuration and manifest; what else came went again.
  assert.deepEqual(await s.footprint(), { images: 1, blobs: 5, snapshots: 3, layers: 3 });
  for (const layer of [lower, middle, upper]) assert.ok(await s.content.has(digestOf(layer)));
  // Again: nothing is unpacked twice.
  await loadImages(s, streamOf(archive));
  assert.deepEqual(await s.footprint(), { images: 1, blobs: 5, snapshots: 3, layers: 3 });
  await s.images.delete(image.id);
  nothingLeft(s);
});

test('loadImages: an archive that breaks off, or has other content than its names say, leaves nothing', async () => {
  await using s = await openImages({ driver: 'overlay2' });
  const layers = await sampleLayers();
  const whole = await archiveOf(layers);
  const forged = Buffer.from(whole);
  forged.write('X', whole.indexOf('below'));
  const cuts = [0.3, 0.6, 0.95].map((part) => whole.subarray(0, Math.floor(whole.length * part)));
  for (const archive of [...cuts, forged]) {
    await assert.rejects(loadImages(s, streamOf(archive)), { kind: 'invalid' });
    nothingLeft(s);
    assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
  }
});

test('loadImages: a source that fails while a layer is unpacked fails with its own error and leaves nothing', async () => {
  await using s = await openImages({ driver: 'overlay2' });
  const whole = await archiveOf(await sampleLayers());
  async function* failing(): AsyncGenerator<Uint8Array> {
    for (let at = 0; at < whole.length / 2; at += 65_536) yield whole.subarray(at, at + 65_536);
    throw new Error('line cut');
  }
  await assert.rejects(loadImages(s, failing()), /line cut/);
  nothingLeft(s);
});

test('loadImages, importImage: take archives in xz and bzip2, and store what is in them', async () => {
  await using s = await openImages({ driver: 'overlay2' });
  const layers = await sampleLayers();
  const archive = await archiveOf(layers);
  for (const program of ['xz', 'bzip2']) {
    const pack = (input: Buffer): Buffer => execFileSync(program, ['-zc'], { input, maxBuffer: 50_000_000 });
    const [loaded] = await loadImages(s, streamOf(pack(archive)));
    assert.ok(loaded?.image.chainId !== undefined);
    const { image } = await importImage(s, streamOf(pack(layers[0] as Buffer)), {
      config: {},
      message: '',
      platform: hostPlatform(),
      name: undefined,
    });
    assert.deepEqual(image.config.diffIds, [digestOf(layers[0] as Buffer)]);
    for (const { id } of s.images.list()) await s.images.delete(id);
  }
  nothingLeft(s);
});
