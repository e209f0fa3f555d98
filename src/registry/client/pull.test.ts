import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { mediaTypes } from '#/oci/media-types.ts';
import { hostPlatform } from '#/oci/platform.ts';
import { familiarString } from '#/oci/reference.ts';
import { configOf, type ImageScratch, openImages, tarOf } from '#tests/images.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { RemoteImages } from '#tests/remote-images.ts';
import { Transfers, wordsOf } from '#tests/transfers.ts';
import type { TransferProgress } from './progress.ts';

let registry: TestRegistry;
let images: RemoteImages;

before(async () => {
  registry = await startRegistry();
  images = new RemoteImages(registry.host, 'team/app');
});

after(() => registry[Symbol.asyncDispose]());

const name = (tag: string): string => `${registry.host}/team/app${tag}`;
const short = (digest: string): string => digest.slice(7, 19);

function transfers(s: ImageScratch): Transfers {
  return new Transfers(s, s);
}

test('pullImage: brings an image with its names; again, nothing is downloaded', async () => {
  await using s = await openImages();
  const made = await images.image({ layers: [await tarOf({ a: '1' }), await tarOf({ b: '2' })], tag: 'one' });
  const progress: TransferProgress[] = [];
  const { image, changed } = await transfers(s).pull(name(':one'), {
    onProgress: (item) => progress.push(item),
  });
  assert.deepEqual([image.id, image.manifest, changed], [made.config.digest, made.manifest.digest, true]);
  assert.deepEqual(s.images.namesOf(image.id).map(familiarString), [
    name(':one'),
    name(`@${made.manifest.digest}`),
  ]);
  assert.deepEqual(await s.footprint(), { images: 1, blobs: 4, snapshots: 2, layers: 2 });
  const words = wordsOf(progress);
  const ids = made.layers.map(({ digest }) => short(digest));
  assert.deepEqual(words.slice(0, 3), [
    'Pulling from team/app',
    ...ids.map((id) => `Pulling fs layer ${id}`),
  ]);
  for (const id of ids) {
    const own = words.filter((word) => word.endsWith(id) && !word.startsWith('Pulling'));
    assert.deepEqual(own, [`Verifying Checksum ${id}`, `Download complete ${id}`, `Pull complete ${id}`]);
  }
  assert.equal(words.at(-1), `Digest: ${made.manifest.digest}`);

  const again: TransferProgress[] = [];
  const second = await transfers(s).pull(name(':one'), { onProgress: (item) => again.push(item) });
  assert.equal(second.changed, false);
  assert.deepEqual(wordsOf(again), ['Pulling from team/app', `Digest: ${made.manifest.digest}`]);
});

test('pullImage: layers that are here are not downloaded, whatever they are packed in', async () => {
  await using s = await openImages();
  const layers = [await tarOf({ a: '1' }), await tarOf({ b: '2' })];
  const first = await images.image({ layers: layers.slice(0, 1), tag: 'base' });
  const pack = { mediaType: mediaTypes.layerZstd, bytes: (layer: Buffer) => zstdCompressSync(layer) };
  const made = await images.image({ layers, tag: 'zstd', pack });
  const t = transfers(s);
  await t.pull(name(':base'));
  const progress: TransferProgress[] = [];
  const { image } = await t.pull(name(':zstd'), { onProgress: (item) => progress.push(item) });
  const [lower, upper] = made.layers.map(({ digest }) => digest);
  assert.ok(lower !== undefined && upper !== undefined);
  assert.ok(wordsOf(progress).includes(`Already exists ${short(lower)}`));
  assert.deepEqual([await s.content.has(lower), await s.content.has(upper)], [false, true]);
  // What is stored of it can be pushed, under another digest than it came with.
  assert.notEqual(image.manifest, made.manifest.digest);
  await t.push(image.id, `${registry.host}/team/again:1`);
  const pulled = await new Transfers(s, s).pull(`${registry.host}/team/again:1`);
  assert.equal(pulled.image.id, image.id);
  assert.equal(s.layers.chain(image.chainId ?? image.id)[0]?.blob, first.layers[0]?.digest);
});

test('pullImage: chooses the manifest for the platform, through indexes in indexes', async () => {
  await using s = await openImages();
  const entries = [];
  for (const [architecture, variant] of [
    ['amd64', ''],
    ['arm', 'v6'],
    ['arm', 'v7'],
    ['arm64', 'v8'],
  ]) {
    const platform = { os: 'linux', architecture, ...(variant === '' ? {} : { variant }) };
    const made = await images.image({
      layers: [await tarOf({ f: `${architecture}${variant}` })],
      config: platform,
    });
    entries.push({ ...made.manifest, platform });
  }
  const attestation = { ...entries[0], platform: { os: 'unknown', architecture: 'unknown' } };
  const inner = await images.index([attestation, ...entries], 'inner');
  const outer = await images.index([inner], 'outer');
  const t = transfers(s);
  const host = hostPlatform();
  const cases: [object | undefined, string][] = [
    [undefined, `${host.architecture}${host.variant}`],
    [{ os: 'linux', architecture: 'arm', variant: 'v7' }, 'armv7'],
    [{ os: 'linux', architecture: 'arm', variant: 'v8' }, 'armv7'],
    [{ os: 'linux', architecture: 'arm64', variant: '' }, 'arm64v8'],
  ];
  for (const [platform, expected] of cases) {
    const { image } = await t.pull(
      name(':outer'),
      platform === undefined ? {} : { platform: platform as typeof host },
    );
    assert.equal(`${image.config.architecture}${image.config.variant}`, expected);
    assert.ok(s.images.namesOf(image.id).some(({ digest }) => digest === outer.digest));
  }
  await assert.rejects(
    t.pull(name(':inner'), { platform: { os: 'linux', architecture: 's390x', variant: '' } }),
    {
      kind: 'notFound',
      message: 'no matching manifest for linux/s390x in the manifest list entries',
    },
  );
});

test('pullImage: refuses what is not an image, and leaves nothing', async () => {
  await using s = await openImages();
  const layers = [await tarOf({ a: 'refused' })];
  const made = await images.image({ layers });
  const base = { schemaVersion: 2, mediaType: mediaTypes.manifest };
  const config = await images.blob(Buffer.from('{}'), 'application/vnd.oci.empty.v1+json');
  const text = await images.blob(Buffer.from('text'), 'text/plain');
  await images.manifest({ ...base, config, layers: [text] }, mediaTypes.manifest, 'artifact');
  await images.manifest({ ...base, config: made.config, layers: [] }, mediaTypes.manifest, 'fewer');
  const foreign = { ...made.layers[0], urls: ['http://127.0.0.1/elsewhere'] };
  await images.manifest({ ...base, config: made.config, layers: [foreign] }, mediaTypes.manifest, 'foreign');
  await images.image({ layers, tag: 'windows', config: { os: 'windows' } });
  let nested = await images.index([{ ...made.manifest, platform: hostPlatform() }]);
  for (let depth = 0; depth < 3; depth += 1) nested = await images.index([nested], 'deep');
  const index = await images.index([made.manifest]);
  await images.index([{ ...index, mediaType: mediaTypes.manifest, platform: hostPlatform() }], 'disguised');
  const cases: [string, RegExp][] = [
    [':artifact', /"application\/vnd\.oci\.empty\.v1\+json" is not the configuration of a container image/],
    [':fewer', /is inconsistent: its configuration has 1 layers, its manifest 0/],
    [':foreign', /layers\[0\]: foreign layers, .*elsewhere/],
    [':windows', /image operating system "windows" cannot be used/],
    [':deep', /indexes are nested more than 3 levels deep/],
    [':disguised', /announced as|must not have a member "manifests"/],
    [':absent', /absent/],
  ];
  const t = transfers(s);
  for (const [tag, message] of cases) await assert.rejects(t.pull(name(tag)), message, tag);
  assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
});

test('pullImage: what is larger than it may be, or than it says, is refused', async () => {
  await using s = await openImages();
  const layers = [await tarOf({ a: 'sizes' })];
  const made = await images.image({ layers });
  const [layer] = made.layers;
  assert.ok(layer);
  const base = { schemaVersion: 2, mediaType: mediaTypes.manifest };
  const large = Buffer.from(configOf(layers, { comment: 'x'.repeat(5 << 20) }));
  const config = await images.blob(large, mediaTypes.config);
  const claims = (size: number): object => ({ ...base, config: made.config, layers: [{ ...layer, size }] });
  await images.manifest({ ...base, config, layers: made.layers }, mediaTypes.manifest, 'large');
  await images.manifest(claims(layer.size + 1), mediaTypes.manifest, 'more');
  await images.manifest(claims(layer.size - 1), mediaTypes.manifest, 'less');
  const cases: [string, RegExp][] = [
    [':large', /image configuration sha256:[0-9a-f]+ has \d+ bytes, more than the \d+ that are allowed/],
    [':more', /bytes/],
    [':less', /bytes/],
  ];
  const t = transfers(s);
  for (const [tag, message] of cases) await assert.rejects(t.pull(name(tag)), message, tag);
  assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
});

test('pullImage: a layer that is not what its diff id says leaves nothing', async () => {
  await using s = await openImages();
  const layer = await tarOf({ a: 'b' });
  const wrong = { rootfs: { type: 'layers', diff_ids: [`sha256:${'0'.repeat(64)}`] } };
  await images.image({ layers: [layer], tag: 'wrong', config: wrong });
  await assert.rejects(transfers(s).pull(name(':wrong')), { kind: 'invalid' });
  assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
});

test('pushImage: what is there is skipped, another repository mounts, the digest stays', async () => {
  await using s = await openImages();
  const made = await images.image({ layers: [await tarOf({ m: '1' })], tag: 'mount' });
  const t = transfers(s);
  const { image } = await t.pull(name(':mount'));
  const progress: TransferProgress[] = [];
  const note = (item: TransferProgress): number => progress.push(item);
  assert.equal(await t.push(image.id, `${registry.host}/other/app:2`, note), made.manifest.digest);
  assert.equal(await t.push(image.id, `${registry.host}/other/app:3`, note), made.manifest.digest);
  const id = short(image.config.diffIds[0] ?? '');
  assert.deepEqual(wordsOf(progress), [
    `Preparing ${id}`,
    `Mounted from team/app ${id}`,
    `2: digest: ${made.manifest.digest} size: ${made.manifest.size}`,
    `Preparing ${id}`,
    `Layer already exists ${id}`,
    `3: digest: ${made.manifest.digest} size: ${made.manifest.size}`,
  ]);
});

test('pullImage, pushImage: a store that keeps no blobs of layers pushes the same image, and the very one where it came from', async () => {
  await using bare = await openImages({ policy: 'unpacked' });
  const made = await images.image({
    layers: [await tarOf({ a: 'a'.repeat(3000) }), await tarOf({ b: '2' })],
    tag: 'bare',
  });
  const { image } = await transfers(bare).pull(name(':bare'));
  for (const { digest } of made.layers) assert.equal(await bare.content.has(digest), false);
  // The registry has the layers as they came.
  assert.equal(await transfers(bare).push(image.id, name(':same')), made.manifest.digest);
  await using elsewhere = await startRegistry();
  const other = `${elsewhere.host}/team/app:packed`;
  const before = await bare.footprint();
  const digest = await transfers(bare).push(image.id, other);
  assert.equal(await transfers(bare).push(image.id, `${elsewhere.host}/team/other:again`), digest);
  assert.deepEqual(await bare.footprint(), before);
  await using s = await openImages();
  const pulled = await transfers(s).pull(other);
  assert.equal(pulled.image.id, image.id);
});
