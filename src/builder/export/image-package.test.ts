import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { parseManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import { loadImages } from '#/storage/images/load.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { configOf, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { imageArchive } from './image-archive.ts';
import { readImageOptions } from './image-options.ts';
import {
  type ImagePackage,
  type PackageRequest,
  type PlatformImage,
  packageImages,
} from './image-package.ts';
import { LayerBlobs } from './layer-blobs.ts';

const { signal } = new AbortController();

/** An image of a layer that came compressed and one that did not. */
async function built(s: ImageScratch, architecture: string = 'amd64'): Promise<PlatformImage> {
  const [base, own] = [await tarOf({ base: 'b'.repeat(5000) }), await tarOf({ own: `o${architecture}` })];
  const config = configOf([base, own], { architecture });
  const archive = await tarOf({
    base: gzipSync(base),
    own,
    'c.json': config,
    'manifest.json': JSON.stringify([
      { Config: 'c.json', RepoTags: [`${architecture}:1`], Layers: ['base', 'own'] },
    ]),
  });
  await loadImages(s, streamOf(archive));
  const { chainId } = s.images.find(`${architecture}:1`).image;
  return { platform: parsePlatform(`linux/${architecture}`), configBytes: Buffer.from(config), chainId };
}

function options(entries: Readonly<Record<string, string>> = {}): PackageRequest['options'] {
  return readImageOptions(new Map(Object.entries(entries)));
}

async function bytesOf(made: ImagePackage, index: number): Promise<Buffer> {
  const blob = made.images[0]?.layers[index];
  assert.ok(blob !== undefined);
  const bytes = Buffer.concat(await Array.fromAsync(blob.open(0)));
  assert.equal(digestOf(bytes), blob.descriptor.digest);
  assert.equal(bytes.length, blob.descriptor.size);
  const rest = Buffer.concat(await Array.fromAsync(blob.open(7)));
  assert.deepEqual(rest, bytes.subarray(7));
  return bytes;
}

for (const policy of ['compressed', 'unpacked'] as const) {
  test(`packageImages: packs layers as asked, and leaves nothing of it (${policy})`, async () => {
    await using s = await openImages({ policy });
    const image = await built(s);
    await s.archives.compact(image.chainId);
    const before = await s.footprint();
    for (const [entries, types] of [
      [{}, [mediaTypes.layerGzip, mediaTypes.layerGzip]],
      [
        { compression: 'zstd' },
        [policy === 'compressed' ? mediaTypes.layerGzip : mediaTypes.layerZstd, mediaTypes.layerZstd],
      ],
      [
        { compression: 'zstd', 'force-compression': 'true', 'compression-level': '3' },
        [mediaTypes.layerZstd, mediaTypes.layerZstd],
      ],
      [{ compression: 'uncompressed', 'force-compression': '1' }, [mediaTypes.layer, mediaTypes.layer]],
      [{ compression: 'gzip', 'compression-level': '9' }, [mediaTypes.layerGzip, mediaTypes.layerGzip]],
    ] as const) {
      await using layers = new LayerBlobs(s, signal);
      const made = await packageImages({ images: [image], options: options(entries), layers });
      assert.deepEqual(
        made.images[0]?.layers.map(({ descriptor }) => descriptor.mediaType),
        types,
      );
      const unpack = { [mediaTypes.layerGzip]: gunzipSync, [mediaTypes.layerZstd]: zstdDecompressSync };
      for (const [index, type] of types.entries()) {
        const bytes = await bytesOf(made, index);
        const plain = type === mediaTypes.layer ? bytes : unpack[type](bytes);
        assert.equal(digestOf(plain), made.images[0]?.layers[index]?.diffId);
      }
      const manifest = parseManifest(made.topBytes, made.top.mediaType);
      assert.equal(digestOf(made.topBytes), made.top.digest);
      assert.ok(manifest.kind === 'manifest' && manifest.config.digest === digestOf(image.configBytes));
    }
    assert.deepEqual(await s.footprint(), before);
  });
}

test('packageImages: a layer that was packed before is packed again only for who reads it', async () => {
  await using s = await openImages();
  const image = await built(s);
  const digests: unknown[] = [];
  for (let time = 0; time < 2; time += 1) {
    await using layers = new LayerBlobs(s, signal);
    const made = await packageImages({ images: [image], options: options(), layers });
    const own = made.images[0]?.layers[1]?.descriptor.digest;
    assert.ok(own !== undefined);
    assert.equal(await s.content.has(own), time === 0);
    digests.push(own);
    if (time === 1) assert.equal(digestOf(await bytesOf(made, 1)), own);
  }
  assert.equal(digests[0], digests[1]);
});

test('packageImages: several platforms, attestations and annotations make an index', async () => {
  await using s = await openImages();
  const images = [await built(s, 'amd64'), await built(s, 'arm64')];
  await using layers = new LayerBlobs(s, signal);
  const made = await packageImages({
    images,
    layers,
    options: options({
      'annotation.all': '1',
      'annotation[linux/arm64].arm': '2',
      'annotation-index.index': '3',
      'annotation-manifest-descriptor.d': '4',
    }),
    attest: (_, manifest) =>
      Promise.resolve([
        {
          predicateType: 'https://slsa.dev/provenance/v1',
          bytes: Buffer.from(`{"of":"${manifest.digest}"}`),
        },
      ]),
  });
  const index = JSON.parse(made.topBytes.toString());
  assert.equal(index.mediaType, mediaTypes.index);
  assert.deepEqual(index.annotations, { index: '3' });
  const [amd, arm, ofAmd, ofArm] = index.manifests;
  assert.deepEqual(
    [amd.platform, arm.platform.architecture, amd.annotations],
    [{ architecture: 'amd64', os: 'linux' }, 'arm64', { d: '4' }],
  );
  assert.deepEqual(ofAmd.platform, { architecture: 'unknown', os: 'unknown' });
  assert.deepEqual(ofArm.annotations, {
    'vnd.docker.reference.digest': arm.digest,
    'vnd.docker.reference.type': 'attestation-manifest',
  });
  const document = (
    digest: string,
  ): { annotations: object; layers: { mediaType: string; annotations: object; digest: Digest }[] } =>
    JSON.parse(made.documents.find(({ descriptor }) => descriptor.digest === digest)?.bytes.toString() ?? '');
  assert.deepEqual(document(arm.digest).annotations, { all: '1', arm: '2' });
  assert.deepEqual(document(amd.digest).annotations, { all: '1' });
  const [layer] = document(ofAmd.digest).layers;
  assert.ok(layer !== undefined);
  assert.equal(layer.mediaType, 'application/vnd.in-toto+json');
  assert.deepEqual(layer.annotations, { 'in-toto.io/predicate-type': 'https://slsa.dev/provenance/v1' });
  assert.ok(made.blobs.has(layer.digest));
  await assert.rejects(
    async () => imageArchive('docker', made, []),
    /holds one image, not those for linux\/amd64, linux\/arm64/,
  );
  await assert.rejects(
    packageImages({ images: images.slice(0, 1), layers, options: options({ 'annotation-index.a': '1' }) }),
    /index annotations not supported/,
  );
});

test("packageImages: gives Docker's media types to who asks for them", async () => {
  await using s = await openImages();
  const images = [await built(s)];
  await using layers = new LayerBlobs(s, signal);
  const made = await packageImages({ images, layers, options: options({ 'oci-mediatypes': 'false' }) });
  const manifest = parseManifest(made.topBytes, mediaTypes.dockerManifest);
  assert.ok(manifest.kind === 'manifest');
  assert.deepEqual(
    [manifest.config, ...manifest.layers].map(({ mediaType }) => mediaType),
    [mediaTypes.dockerConfig, mediaTypes.dockerLayerGzip, mediaTypes.dockerLayerGzip],
  );
});

for (const kind of ['docker', 'oci'] as const) {
  test(`imageArchive: is loaded elsewhere as the same image (${kind})`, async () => {
    await using here = await openImages();
    await using there = await openImages();
    const image = await built(here);
    const names = [parseReference('me/app:1'), parseReference('me/app:2')];
    const archives: Buffer[] = [];
    for (const compression of ['gzip', 'gzip', 'uncompressed']) {
      await using layers = new LayerBlobs(here, signal);
      const made = await packageImages({ images: [image], layers, options: options({ compression }) });
      archives.push(Buffer.concat(await Array.fromAsync(imageArchive(kind, made, names))));
    }
    assert.deepEqual(archives[0], archives[1]);
    for (const archive of archives) await loadImages(there, streamOf(archive));
    assert.equal(there.images.find('me/app:2').id, digestOf(image.configBytes));
    const paths: string[] = [];
    for await (const { path } of readTar(streamOf(archives[0] ?? Buffer.alloc(0)))) paths.push(path);
    assert.equal(paths.includes('manifest.json'), kind === 'docker');
  });
}

test('LayerBlobs: whoever leaves keeps nothing, not even half of a packed layer', async () => {
  await using s = await openImages();
  const image = await built(s);
  const before = await s.footprint();
  const leave = new AbortController();
  {
    await using layers = new LayerBlobs(s, leave.signal);
    leave.abort(new Error('gone'));
    await assert.rejects(
      packageImages({ images: [image], layers, options: options({ compression: 'zstd' }) }),
      /^Error: gone$/,
    );
  }
  assert.deepEqual(await s.footprint(), before);
});

test('readImageOptions: refuses what cannot be', () => {
  for (const [name, value, pattern] of [
    ['compression', 'rar', /unsupported layer compression type "rar"/],
    ['compression', 'estargz', /estargz/],
    ['compression-level', '10', /from 0 to 9/],
    ['compression-level', 'x', /invalid compression level/],
    ['force-compression', 'maybe', /non-bool value "maybe" specified for force-compression/],
    ['annotation-nowhere.x', '1', /invalid annotation type "nowhere"/],
    ['annotationx', '1', /invalid annotation/],
    ['annotation[a/b/c/d].x', '1', /platform/],
  ] as const) {
    assert.throws(() => options({ [name]: value }), pattern);
  }
});
