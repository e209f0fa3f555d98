import assert from 'node:assert/strict';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { digestOf, hexOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { familiarString } from '#/oci/reference.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { configOf, type ImageScratch, openImages, streamOf, tarOf } from '#tests/images.ts';
import { storeIndex } from '#tests/indexes.ts';
import { loadImages } from './load.ts';
import type { AddedImage } from './record.ts';
import { saveImages } from './save.ts';
import { selectImages } from './save-selection.ts';

const nothing = { images: 0, blobs: 0, snapshots: 0, layers: 0 };

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

async function deleteAll(s: ImageScratch): Promise<void> {
  for (const { id } of s.images.list()) await s.images.delete(id);
}

function shown(loaded: readonly AddedImage[]): unknown[] {
  return loaded.map(({ id, names }) => [id, names.map(({ reference }) => familiarString(reference))]);
}

test('saveImages, loadImages: an index arrives as it was, with all its images and attestations', async () => {
  await using here = await openImages();
  await using there = await openImages();
  const stored = await storeIndex(here, ['a:1', 'a:2', 'b:1']);
  const archive = await save(here, 'a', 'b:1');
  const files = await filesIn(archive);
  assert.deepEqual(files.get(`blobs/sha256/${hexOf(stored.id)}`), stored.added.index?.bytes);
  const { manifests } = JSON.parse(String(files.get('index.json'))) as { manifests: { digest: string }[] };
  assert.deepEqual(
    manifests.map(({ digest }) => digest),
    [stored.id, stored.id, stored.id],
  );
  const [entry, ...rest] = JSON.parse(String(files.get('manifest.json'))) as { Config: string }[];
  const own = stored.images.get('linux/amd64')?.id ?? assert.fail();
  assert.deepEqual([entry?.Config, rest], [`blobs/sha256/${hexOf(own)}`, []]);
  const loaded = await loadImages(there, streamOf(archive));
  assert.deepEqual(shown(loaded), [[stored.id, ['a:1', 'a:2', 'b:1']]]);
  assert.deepEqual(loaded[0]?.index?.images, stored.added.index?.images);
  assert.equal(await there.content.has(stored.attestation), true);
  assert.deepEqual(await save(there, 'a', 'b:1'), archive);
  await deleteAll(there);
  assert.deepEqual(await there.footprint(), nothing);
});

test('saveImages: one image of an index goes alone', async () => {
  await using here = await openImages();
  const stored = await storeIndex(here, ['a:1']);
  const part = stored.images.get('linux/arm64') ?? assert.fail();
  const [item] = selectImages(here.images, ['a:1']);
  assert.ok(item);
  const archive = Buffer.concat(await Array.fromAsync(saveImages(here, [{ ...item, part }])));
  await using there = await openImages();
  assert.deepEqual(shown(await loadImages(there, streamOf(archive))), [[part.id, ['a:1']]]);
  assert.deepEqual(await there.footprint(), { images: 1, blobs: 3, snapshots: 1, layers: 1 });
});

test('loadImages: with a platform, of an index only the image for it, whichever files name it', async () => {
  await using here = await openImages();
  const stored = await storeIndex(here, ['a:1']);
  const archive = await save(here, 'a:1');
  const { ['manifest.json']: _docker, ...others } = Object.fromEntries(await filesIn(archive));
  for (const bytes of [archive, await tarOf(others)]) {
    for (const [platform, image] of stored.images) {
      await using there = await openImages();
      const loaded = await loadImages(there, streamOf(bytes), { platform: parsePlatform(platform) });
      assert.deepEqual(shown(loaded), [[image.id, ['a:1']]]);
      assert.equal(loaded[0]?.index, undefined);
    }
    await using there = await openImages();
    const none = await loadImages(there, streamOf(bytes), { platform: parsePlatform('linux/s390x') });
    assert.deepEqual([none, await there.footprint()], [[], nothing]);
  }
});

test('saveImages: an index whose layers are not kept is saved with their archives, and goes on naming its parts', async () => {
  await using here = await openImages({ policy: 'unpacked' });
  const [amd, arm] = ['amd64', 'arm64'].map((architecture) => ({ architecture }));
  assert.ok(amd && arm);
  const archive = await layoutOf([amd, arm]);
  const [loaded] = await loadImages(here, streamOf(archive));
  assert.ok(loaded?.index);
  for (const id of loaded.index.images.values()) await here.archives.compact(here.images.get(id)?.chainId);
  const [item] = selectImages(here.images, ['a:1']);
  assert.ok(item);
  const bytes = Buffer.concat(await Array.fromAsync(saveImages(here, [item])));
  await using there = await openImages();
  const [again] = await loadImages(there, streamOf(bytes));
  assert.notEqual(again?.id, loaded.id);
  assert.deepEqual([...(again?.index?.images.values() ?? [])], [...loaded.index.images.values()]);
});

test('loadImages: what an index lists and the archive does not have is left out; one image alone is no index', async () => {
  const three = ['amd64', 'arm64', 's390x'].map((architecture) => ({ architecture }));
  await using s = await openImages();
  const [two] = await loadImages(s, streamOf(await layoutOf(three, { without: ['s390x'] })));
  assert.equal(two?.index?.images.size, 2);
  assert.equal(two?.index?.document.manifests.length, 3);
  await deleteAll(s);
  const [one] = await loadImages(s, streamOf(await layoutOf(three, { without: ['s390x', 'arm64'] })));
  assert.deepEqual([one?.index, one?.image.config.architecture], [undefined, 'amd64']);
});

test('loadImages: a bad image of an index leaves nothing of the others', async () => {
  await using s = await openImages();
  const bad = await layoutOf([{ architecture: 'amd64' }, { architecture: 'arm64', rootfs: undefined }]);
  await assert.rejects(loadImages(s, streamOf(bad)), { kind: 'invalid' });
  assert.deepEqual(await s.footprint(), nothing);
});

/** An OCI image layout with one index, `a:1`, of images of one gzip layer each. */
async function layoutOf(
  configs: readonly { readonly architecture: string; readonly rootfs?: undefined }[],
  { without = [] }: { without?: readonly string[] } = {},
): Promise<Buffer> {
  const files: Record<string, Buffer | string> = { 'oci-layout': '{"imageLayoutVersion":"1.0.0"}' };
  const put = (bytes: Buffer, mediaType: string, isHere: boolean): object => {
    const digest = digestOf(bytes);
    if (isHere) files[`blobs/sha256/${hexOf(digest)}`] = bytes;
    return { mediaType, digest, size: bytes.length };
  };
  const json = (document: object): Buffer => Buffer.from(JSON.stringify(document));
  const manifests: object[] = [];
  for (const more of configs) {
    const { architecture } = more;
    const isHere = !without.includes(architecture);
    const tar = await tarOf({ file: `for ${architecture}` });
    const layer = put(gzipSync(tar), mediaTypes.layerGzip, isHere);
    const config = put(Buffer.from(configOf([tar], more)), mediaTypes.config, isHere);
    const { manifest: mediaType } = mediaTypes;
    const manifest = json({ schemaVersion: 2, mediaType, config, layers: [layer] });
    manifests.push({ ...put(manifest, mediaType, isHere), platform: { os: 'linux', architecture } });
  }
  const { index: mediaType } = mediaTypes;
  const index = put(json({ schemaVersion: 2, mediaType, manifests }), mediaType, true);
  const annotations = { 'io.containerd.image.name': 'docker.io/library/a:1' };
  files['index.json'] = JSON.stringify({ schemaVersion: 2, manifests: [{ ...index, annotations }] });
  return tarOf(files);
}
