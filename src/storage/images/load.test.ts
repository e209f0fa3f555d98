import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { digestOf } from '#/oci/digest.ts';
import { encodeManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { hostPlatform, parsePlatform } from '#/oci/platform.ts';
import { familiarString } from '#/oci/reference.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { configOf, dockerArchive, openImages, streamOf, tarOf } from '#tests/images.ts';
import { loadImages } from './load.ts';
import type { AddedImage } from './record.ts';

const nothing = { images: 0, blobs: 0, snapshots: 0, layers: 0 };

function namesIn(loaded: readonly AddedImage[]): string[] {
  return loaded.flatMap(({ names }) => names.map(({ reference }) => familiarString(reference)));
}

/** An OCI image layout from blobs and index entries. */
function layout(
  blobs: readonly Uint8Array[],
  manifests: readonly object[],
  more: Record<string, string> = {},
): Promise<Buffer> {
  return tarOf({
    'oci-layout': '{"imageLayoutVersion":"1.0.0"}',
    'index.json': JSON.stringify({ schemaVersion: 2, manifests }),
    ...Object.fromEntries(blobs.map((blob) => [`blobs/${digestOf(blob).replace(':', '/')}`, blob])),
    ...more,
  });
}

function describe(
  mediaType: string,
  bytes: Uint8Array,
  more: object = {},
): { mediaType: string; digest: ReturnType<typeof digestOf>; size: number } {
  return { mediaType, digest: digestOf(bytes), size: bytes.length, ...more };
}

/** The blobs of an image with one gzip layer, and its manifest. */
async function imageBlobs(
  content: string,
  more: object = {},
): Promise<{ blobs: Buffer[]; manifest: Buffer; config: Buffer }> {
  const tar = await tarOf({ file: content });
  const layer = gzipSync(tar);
  const config = Buffer.from(configOf([tar], more));
  const manifest = encodeManifest(describe(mediaTypes.config, config), [
    describe(mediaTypes.layerGzip, layer),
  ]);
  return { blobs: [layer, config, manifest], manifest, config };
}

test('loadImages: takes a docker archive plain, gzip and zstd, and finds the same image', async () => {
  await using s = await openImages();
  const archive = await dockerArchive(['a:1', 'me/b:2'], [await tarOf({ f: 'x' }), await tarOf({ g: 'y' })]);
  const ids = new Set<string>();
  for (const bytes of [archive, gzipSync(archive), zstdCompressSync(archive)]) {
    const loaded = await loadImages(s, streamOf(bytes));
    assert.deepEqual(namesIn(loaded), ['a:1', 'me/b:2']);
    ids.add(loaded[0]?.image.id ?? '');
  }
  assert.equal(ids.size, 1);
  // Two layers, configuration and manifest; manifest.json itself is gone.
  assert.deepEqual(await s.footprint(), { images: 1, blobs: 4, snapshots: 2, layers: 2 });
  assert.equal(s.images.list()[0]?.size, 2);
});

test('loadImages: a name that another image has moves, and the other is told', async () => {
  await using s = await openImages();
  const [first] = await loadImages(s, streamOf(await dockerArchive(['a:1'], [await tarOf({ f: '1' })])));
  const [second] = await loadImages(s, streamOf(await dockerArchive(['a:1'], [await tarOf({ f: '2' })])));
  assert.equal(second?.names[0]?.previous, first?.image.id);
  assert.equal(s.images.find('a:1').id, second?.image.id);
});

test('loadImages: follows links inside the archive', async () => {
  await using s = await openImages();
  const layer = await tarOf({ f: 'x' });
  const files = { 'real.tar': layer, 'c.json': configOf([layer, layer]) };
  const manifest = JSON.stringify([{ Config: './c.json', RepoTags: ['a:1'], Layers: ['d/link', 'hard'] }]);
  const links = [
    { ...fileHeader('d/link', 0), kind: 'symlink' as const, linkPath: '../d/second' },
    { ...fileHeader('d/second', 0), kind: 'symlink' as const, linkPath: '../real.tar' },
    { ...fileHeader('hard', 0), kind: 'hardlink' as const, linkPath: 'real.tar' },
  ];
  const loaded = await loadImages(s, streamOf(await tarOf({ ...files, 'manifest.json': manifest }, links)));
  assert.deepEqual(namesIn(loaded), ['a:1']);
});

test('loadImages: takes an OCI layout with its own manifest and the name in an annotation', async () => {
  await using s = await openImages();
  const { blobs, manifest, config } = await imageBlobs('x');
  const named = (name: string): object => ({
    'io.containerd.image.name': name,
    'org.opencontainers.image.ref.name': 'v1',
  });
  const entry = (name: string): object =>
    describe(mediaTypes.manifest, manifest, { annotations: named(name) });
  const loaded = await loadImages(
    s,
    streamOf(await layout(blobs, [entry('docker.io/me/a:v1'), entry('reg.example/b:v1')])),
  );
  assert.deepEqual(namesIn(loaded), ['me/a:v1', 'reg.example/b:v1']);
  assert.equal(loaded[0]?.image.id, digestOf(config));
  assert.equal(loaded[0]?.image.manifest, digestOf(manifest));
});

test('loadImages: beside a manifest.json the original manifest is kept only if it is the same image', async () => {
  const { blobs, manifest, config } = await imageBlobs('x');
  const [layer] = blobs as [Buffer];
  const annotated = Buffer.from(
    JSON.stringify({ ...JSON.parse(manifest.toString()), annotations: { a: 'b' } }),
  );
  const other = await imageBlobs('other');
  const list = JSON.stringify([
    {
      Config: `blobs/${digestOf(config).replace(':', '/')}`,
      RepoTags: ['a:1'],
      Layers: [`blobs/${digestOf(layer).replace(':', '/')}`],
    },
  ]);
  for (const [index, expected] of [
    [annotated, annotated],
    [other.manifest, manifest],
  ] as const) {
    await using s = await openImages();
    const archive = await layout(
      [...blobs, ...other.blobs, annotated],
      [describe(mediaTypes.manifest, index)],
      { 'manifest.json': list },
    );
    const [loaded] = await loadImages(s, streamOf(archive));
    assert.equal(loaded?.image.manifest, digestOf(expected));
    assert.deepEqual((await s.footprint()).images, 1);
  }
});

test('loadImages: of several platforms takes the one that suits', async () => {
  const host = hostPlatform().architecture;
  const foreign = host === 'arm64' ? 'amd64' : 'arm64';
  const [mine, theirs] = [
    await imageBlobs('mine', { architecture: host }),
    await imageBlobs('theirs', { architecture: foreign }),
  ];
  const platform = (architecture: string): object => ({ platform: { os: 'linux', architecture } });
  const index = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [
        describe(mediaTypes.manifest, theirs.manifest, platform(foreign)),
        describe(mediaTypes.manifest, mine.manifest, platform(host)),
        describe(mediaTypes.manifest, mine.manifest, {
          platform: { os: 'unknown', architecture: 'unknown' },
        }),
      ],
    }),
  );
  const archive = await layout([...mine.blobs, ...theirs.blobs, index], [describe(mediaTypes.index, index)]);
  const idWith = async (text?: string): Promise<string | undefined> => {
    await using s = await openImages();
    const [loaded] = await loadImages(s, streamOf(archive), {
      platform: text === undefined ? undefined : parsePlatform(text),
    });
    return loaded?.image.id;
  };
  assert.equal(await idWith(), digestOf(mine.config));
  assert.equal(await idWith(`linux/${foreign}`), digestOf(theirs.config));
  assert.equal(await idWith('linux/riscv64'), undefined);
});

test('loadImages: progress reaches the size of each layer', async () => {
  await using s = await openImages();
  const layer = await tarOf({ f: 'x'.repeat(100_000) });
  const seen = new Map<string, number>();
  await loadImages(s, streamOf(await dockerArchive(['a:1'], [layer])), {
    onProgress: ({ diffId, current, total }) => {
      assert.equal(total, layer.length);
      seen.set(diffId, current);
    },
  });
  assert.deepEqual([...seen], [[digestOf(layer), layer.length]]);
});

test('loadImages: a parent is believed only if its layers and history come first', async () => {
  await using s = await openImages();
  const [low, high] = [await tarOf({ low: '' }), await tarOf({ high: '' })];
  const configs = [configOf([low]), configOf([low, high]), configOf([high])];
  const [base = '', child = '', stranger = ''] = configs;
  const id = (config: string): string => digestOf(config);
  const archive = await tarOf({
    low: low,
    high: high,
    ...Object.fromEntries(configs.map((config) => [id(config), config])),
    'manifest.json': JSON.stringify([
      { Config: id(child), Layers: ['low', 'high'], Parent: id(base) },
      { Config: id(base), Layers: ['low'], Parent: id(base) },
      { Config: id(stranger), Layers: ['high'], Parent: id(base) },
    ]),
  });
  await loadImages(s, streamOf(archive));
  assert.deepEqual(
    [child, base, stranger].map((config) => s.images.get(id(config))?.parent),
    [id(base), undefined, undefined],
  );
  assert.deepEqual((await s.reopen()).images.get(id(child))?.parent, id(base));
});

test('loadImages: refuses what is wrong with a clear message and leaves nothing behind', async () => {
  const layer = await tarOf({ f: 'x' });
  const config = configOf([layer]);
  const list = (entry: object): string =>
    JSON.stringify([{ Config: 'c.json', RepoTags: ['a:1'], Layers: ['l'], ...entry }]);
  const files = { 'c.json': config, l: layer, 'manifest.json': list({}) };
  const { blobs, manifest } = await imageBlobs('x');
  const [gzip = Buffer.alloc(0), configBlob = Buffer.alloc(0)] = blobs;
  const good = await dockerArchive(['a:1'], [layer]);
  const described = describe(mediaTypes.manifest, manifest);
  const both = Buffer.from(JSON.stringify({ ...JSON.parse(manifest.toString()), manifests: [] }));
  const wrong: readonly (readonly [Buffer, RegExp])[] = [
    [Buffer.from('hello world'), /Cannot read archive/],
    [good.subarray(0, 2000), /unexpected end of data/],
    [gzipSync(good).subarray(0, 300), /damaged gzip data/],
    [await tarOf({ 'bin/sh': 'x' }), /neither manifest\.json .* nor oci-layout/],
    [await tarOf({ ...files, 'manifest.json': '{}' }), /manifest\.json: expected an array/],
    [await tarOf({ ...files, 'manifest.json': `${list({})} x` }), /manifest\.json is not valid JSON/],
    [
      await tarOf({ ...files, 'manifest.json': list({ Config: '../../etc/passwd' }) }),
      /no file "\.\.\/\.\.\/etc\/passwd"/,
    ],
    [await tarOf({ ...files, 'manifest.json': list({ Config: '/etc/passwd' }) }), /no file "\/etc\/passwd"/],
    [await tarOf({ ...files, 'manifest.json': list({ Config: 'l' }) }), /not valid JSON/],
    [
      await tarOf({ ...files, 'manifest.json': list({ Layers: [] }) }),
      /layers length mismatch: expected 0, got 1/,
    ],
    [await tarOf({ ...files, 'manifest.json': list({ RepoTags: ['Bad:1'] }) }), /must be lowercase/],
    [await tarOf({ ...files, 'manifest.json': list({ RepoTags: ['a'] }) }), /invalid tag "a"/],
    [await tarOf({ ...files, 'c.json': '{"os":"linux"}' }), /no RootFS key/],
    [
      await tarOf({ ...files, 'c.json': configOf([layer], { os: 'windows' }) }),
      /cannot load windows image on linux/,
    ],
    [await tarOf({ ...files, l: await tarOf({ f: 'y' }) }), /diff id/],
    [await tarOf({ ...files, l: 'not a layer' }), /Cannot read archive/],
    [await tarOf({ ...files, l: await tarOf({ '../../escape': 'y' }) }), /"\.\." in the name/],
    [await layout(blobs, [{ ...described, size: 1 }]), /its descriptor says 1/],
    [await layout(blobs, [{ ...described, mediaType: mediaTypes.index }]), /announced as/],
    [
      await layout([...blobs, both], [describe(mediaTypes.manifest, both)]),
      /must not have a member "manifests"/,
    ],
    [await layout([gzip, manifest], [described]), /no file "blobs\/sha256/],
    [await layout([configBlob, manifest], [described]), /no file "blobs\/sha256/],
    [
      await layout(blobs, [described], { 'index.json': '{"schemaVersion":2}' }),
      /manifests: expected an array/,
    ],
    [await tarOf({ [`blobs/sha256/${'0'.repeat(64)}`]: 'x' }), /has digest/],
  ];
  for (const [archive, message] of wrong) {
    await using s = await openImages();
    await assert.rejects(loadImages(s, streamOf(archive)), message);
    assert.deepEqual(await s.footprint(), nothing, String(message));
  }
});

test('loadImages: links that go round are refused', async () => {
  await using s = await openImages();
  const link = (path: string, linkPath: string): object => ({
    ...fileHeader(path, 0),
    kind: 'symlink',
    linkPath,
  });
  const round = [link('manifest.json', 'x'), link('x', 'manifest.json')] as never;
  await assert.rejects(loadImages(s, streamOf(await tarOf({}, round))), /too many links/);
  assert.deepEqual(await s.footprint(), nothing);
});

test('loadImages: when the second image is bad the first does not appear either', async () => {
  await using s = await openImages();
  const layer = await tarOf({ f: 'x' });
  const archive = await tarOf({
    'c.json': configOf([layer]),
    'bad.json': configOf([await tarOf({ f: 'y' })]),
    l: layer,
    'manifest.json': JSON.stringify([
      { Config: 'c.json', RepoTags: ['a:1'], Layers: ['l'] },
      { Config: 'bad.json', RepoTags: ['b:1'], Layers: ['l'] },
    ]),
  });
  await assert.rejects(loadImages(s, streamOf(archive)), /diff id/);
  assert.deepEqual(await s.footprint(), nothing);
});

test('loadImages: a source that fails and a signal that aborts leave nothing', async () => {
  await using s = await openImages();
  const archive = await dockerArchive(['a:1'], [await tarOf({ f: 'x'.repeat(50_000) })]);
  async function* broken(): AsyncGenerator<Uint8Array> {
    yield archive.subarray(0, 20_000);
    throw new Error('the client hung up');
  }
  await assert.rejects(loadImages(s, broken()), /the client hung up/);
  await assert.rejects(
    loadImages(s, streamOf(archive), { signal: AbortSignal.abort(new Error('stop')) }),
    /stop/,
  );
  assert.deepEqual(await s.footprint(), nothing);
});

test('loadImages: a full disk is told, and leaves nothing', async () => {
  await using s = await openImages({ diskSize: 1024 * 1024 });
  const layer = await tarOf({ f: 'x'.repeat(700_000) });
  // The archive fits, the layer unpacked beside it does not.
  await assert.rejects(loadImages(s, streamOf(await dockerArchive(['a:1'], [layer]))), /ENOSPC/);
  assert.deepEqual(await s.footprint(), nothing);
  const large = await tarOf({ f: 'x'.repeat(2_000_000) });
  await assert.rejects(loadImages(s, streamOf(await dockerArchive(['a:1'], [large]))), /ENOSPC/);
  assert.deepEqual(await s.footprint(), nothing);
  await loadImages(s, streamOf(await dockerArchive(['a:1'], [await tarOf({ f: 'x' })])));
});
