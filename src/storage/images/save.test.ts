import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf } from '#/oci/digest.ts';
import { familiarString } from '#/oci/reference.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { configOf, dockerArchive, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { importImage } from './import.ts';
import { loadImages } from './load.ts';
import { saveImages } from './save.ts';
import { selectImages } from './save-selection.ts';

async function save(s: ImageScratch, ...names: string[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(saveImages(s, selectImages(s.images, names))));
}

async function filesIn(archive: Buffer): Promise<Map<string, Buffer>> {
  const files = new Map<string, Buffer>();
  for await (const entry of readTar(streamOf(archive))) {
    files.set(entry.path, Buffer.concat(await Array.fromAsync(entry.body)));
  }
  return files;
}

/** Two images that share a layer; `b` has one more, compressed. */
async function twoImages(s: ImageScratch): Promise<{ shared: Buffer; own: Buffer }> {
  const [shared, own] = [await tarOf({ shared: 's' }), await tarOf({ own: 'o' })];
  await loadImages(s, streamOf(await dockerArchive(['a:1', 'a:2', 'me/a:1'], [shared])));
  const archive = await tarOf({
    shared,
    own: gzipSync(own),
    'c.json': configOf([shared, own]),
    'manifest.json': JSON.stringify([{ Config: 'c.json', RepoTags: ['b:1'], Layers: ['shared', 'own'] }]),
  });
  await loadImages(s, streamOf(archive));
  return { shared, own };
}

test('saveImages: what is loaded elsewhere is the same, name by name and byte by byte', async () => {
  await using here = await openImages();
  await using there = await openImages();
  await twoImages(here);
  const archive = await save(here, 'a:1', 'b:1', 'me/a:1');
  await loadImages(there, streamOf(archive));
  assert.deepEqual(there.images.find('a:1').id, here.images.find('a:1').id);
  assert.deepEqual(there.images.find('b:1').image.manifest, here.images.find('b:1').image.manifest);
  assert.deepEqual(await save(there, 'a:1', 'b:1', 'me/a:1'), archive);
});

test('saveImages: each blob is there once, under its digest, and both indexes lead to it', async () => {
  await using s = await openImages();
  const { shared } = await twoImages(s);
  const files = await filesIn(await save(s, 'a', 'b:1'));
  const blobs = [...files.keys()].filter((path) => path.startsWith('blobs/'));
  // Two configurations, two manifests, two layers.
  assert.equal(blobs.length, 6);
  for (const path of blobs) assert.equal(`blobs/${digestOf(files.get(path) ?? '').replace(':', '/')}`, path);
  const json = (name: string): unknown => JSON.parse(files.get(name)?.toString() ?? '');
  const [a, b] = json('manifest.json') as { RepoTags: string[]; Layers: string[]; LayerSources: object }[];
  assert.deepEqual(a?.RepoTags, ['a:1', 'a:2']);
  assert.deepEqual(b?.RepoTags, ['b:1']);
  assert.equal(a?.Layers[0], b?.Layers[0]);
  assert.deepEqual(Object.keys(a?.LayerSources ?? {}), [digestOf(shared)]);
  const index = json('index.json') as {
    manifests: { digest: string; annotations: Record<string, string> }[];
  };
  assert.deepEqual(
    index.manifests.map(({ annotations }) => annotations['io.containerd.image.name']),
    ['docker.io/library/a:1', 'docker.io/library/a:2', 'docker.io/library/b:1'],
  );
  assert.deepEqual(json('oci-layout'), { imageLayoutVersion: '1.0.0' });
  assert.deepEqual(Object.keys(json('repositories') as object), ['a', 'b']);
});

test('selectImages: names, repositories, identifiers and prefixes', async () => {
  await using s = await openImages();
  await twoImages(s);
  const [a, b] = [s.images.find('a:1'), s.images.find('b:1')];
  const select = (...texts: string[]): unknown =>
    selectImages(s.images, texts).map(({ named, names }) => [named.id, names.map(familiarString)]);
  assert.deepEqual(select('a'), [[a.id, ['a:1', 'a:2']]]);
  assert.deepEqual(select('b:1', 'a:2', 'a:2', 'b'), [
    [b.id, ['b:1']],
    [a.id, ['a:2']],
  ]);
  assert.deepEqual(select(a.id, b.id.slice(7, 19)), [
    [a.id, []],
    [b.id, []],
  ]);
  assert.deepEqual(select(a.id, 'me/a:1'), [[a.id, ['me/a:1']]]);
  assert.throws(() => select('c'), { kind: 'notFound', message: 'No such image: c' });
  assert.throws(() => select('a:3'), { kind: 'notFound', message: 'reference does not exist' });
  assert.throws(() => select('A'), { kind: 'invalid' });
});

for (const policy of ['compressed', 'unpacked'] as const) {
  test(`saveImages: images may be removed while they are saved, and nothing of them stays (${policy})`, async () => {
    await using s = await openImages({ policy });
    await twoImages(s);
    for (const { chainId } of s.images.list()) await s.archives.compact(chainId);
    const expected = await save(s, 'a', 'b');
    const stream = saveImages(s, selectImages(s.images, ['a', 'b']));
    // Both are removed before the second one has been looked at.
    const first = stream.next();
    for (const { id } of s.images.list()) await s.images.delete(id);
    const begun = await first;
    const rest = await Array.fromAsync(stream);
    assert.deepEqual(Buffer.concat([begun.value ?? Buffer.alloc(0), ...rest]), expected);
    assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
  });
}

test('saveImages: a reader who leaves keeps nothing of an image that was removed', async () => {
  await using s = await openImages();
  await twoImages(s);
  const stream = saveImages(s, selectImages(s.images, ['a', 'b']));
  await stream.next();
  for (const { id } of s.images.list()) await s.images.delete(id);
  await stream.return();
  assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
});

test('importImage: makes an image of one layer, whatever its compression', async () => {
  const tar = await tarOf({ 'etc/x': 'hello' });
  for (const source of [tar, gzipSync(tar)]) {
    await using s = await openImages();
    const platform = { os: 'linux', architecture: 'arm', variant: 'v7', osVersion: '' };
    const options = { config: { Cmd: ['sh'], Env: ['A=b'] }, message: 'hi', platform, name: undefined };
    const { image } = await importImage(s, streamOf(source), options);
    assert.deepEqual(image.config.diffIds, [digestOf(tar)]);
    assert.deepEqual(image.config.config, options.config);
    assert.deepEqual(
      [image.config.architecture, image.config.variant, image.config.comment],
      ['arm', 'v7', 'hi'],
    );
    assert.equal(image.size, 5);
    const archive = Buffer.concat(await Array.fromAsync(saveImages(s, selectImages(s.images, [image.id]))));
    const files = await filesIn(archive);
    assert.deepEqual(files.get(`blobs/${digestOf(source).replace(':', '/')}`), source);
    assert.equal(files.has('repositories'), false);
    await s.images.delete(image.id);
    assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
  }
});

test('importImage: what is not an archive leaves nothing', async () => {
  await using s = await openImages();
  const platform = { os: 'linux', architecture: 'amd64', variant: '', osVersion: '' };
  const options = { config: {}, message: '', platform, name: undefined };
  await assert.rejects(importImage(s, streamOf(Buffer.from('hello world')), options), /Cannot read archive/);
  assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
});
