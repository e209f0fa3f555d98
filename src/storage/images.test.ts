import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { familiarString, parseReference } from '#/oci/reference.ts';
import type { ImageScratch } from '#tests/images.ts';
import { dockerArchive, openImages, streamOf, tarOf } from '#tests/images.ts';
import { loadImages } from './images/load.ts';
import type { ImageRecord } from './images/record.ts';

async function load(s: ImageScratch, names: readonly string[], content = 'x'): Promise<ImageRecord> {
  const layer = await tarOf({ file: content });
  const [loaded] = await loadImages(s, streamOf(await dockerArchive(names, [layer])));
  assert.ok(loaded);
  return loaded.image;
}

function names(s: ImageScratch, id: Digest): string[] {
  return s.images.namesOf(id).map(familiarString);
}

test('ImageStore: find goes by name, identifier and unique prefix', async () => {
  await using s = await openImages();
  const image = await load(s, ['me/app:1', 'me/app:latest', 'reg.example:5000/x:y']);
  const hex = image.id.slice('sha256:'.length);
  const texts = [
    'me/app',
    'docker.io/me/app:1',
    'reg.example:5000/x:y',
    image.id,
    hex,
    hex.slice(0, 12),
    `sha256:${hex[0]}`,
  ];
  for (const text of texts) assert.equal(s.images.find(text).id, image.id, text);
});

test('ImageStore: find refuses in the words of Docker', async () => {
  await using s = await openImages();
  const image = await load(s, ['app:1']);
  const other = digestOf('other');
  const wrong: readonly (readonly [string, string])[] = [
    ['app', 'No such image: app:latest'],
    ['app:2', 'No such image: app:2'],
    [other, `No such image: ${other}`],
    [other.slice(7), `No such image: ${other}`],
    [`app@${image.id}`, `No such image: app@${image.id}`],
    [`app:1@${other}`, `No such image: app:1@${other}`],
  ];
  for (const [text, message] of wrong)
    assert.throws(() => s.images.find(text), { kind: 'notFound', message });
  assert.throws(() => s.images.find('App'), { kind: 'invalid' });
});

test('ImageStore: a prefix that two images have finds neither', async () => {
  await using s = await openImages();
  const seen = new Map<string, Digest>();
  for (let n = 0; ; n += 1) {
    const { id } = await load(s, [], `content ${n}`);
    const first = id.slice(7, 8);
    if (seen.has(first)) {
      assert.throws(() => s.images.find(`sha256:${first}`), { kind: 'notFound' });
      return;
    }
    seen.set(first, id);
  }
});

test('ImageStore: tag moves a name, untag takes it, the images stay', async () => {
  await using s = await openImages();
  const [a, b] = [await load(s, ['a:1'], 'a'), await load(s, ['b:1'], 'b')];
  assert.equal(s.images.tag(a.id, parseReference('a:1')), undefined);
  assert.equal(s.images.tag(b.id, parseReference('a:1')), a.id);
  assert.deepEqual([names(s, a.id), names(s, b.id)], [[], ['a:1', 'b:1']]);
  s.images.untag(parseReference('b:1'));
  assert.deepEqual(names(s, b.id), ['a:1']);
  assert.throws(() => s.images.tag(digestOf('none'), parseReference('x:1')), /No such image/);
  const { images } = await s.reopen();
  assert.deepEqual(images.namesOf(b.id).map(familiarString), ['a:1']);
  assert.deepEqual(
    images
      .list()
      .map(({ id }) => id)
      .toSorted(),
    [a.id, b.id].toSorted(),
  );
  assert.equal(images.get(b.id)?.tagged, s.images.get(b.id)?.tagged);
});

test('ImageStore: delete removes what no other image needs, and says which layers went', async () => {
  await using s = await openImages();
  const [shared, own] = [await tarOf({ shared: 's' }), await tarOf({ own: 'o' })];
  const [base] = await loadImages(s, streamOf(await dockerArchive(['base:1'], [shared])));
  const [top] = await loadImages(s, streamOf(await dockerArchive(['top:1'], [shared, own])));
  assert.ok(base && top);
  assert.deepEqual(await s.images.delete(top.image.id), [top.image.chainId]);
  assert.deepEqual(await s.images.delete(base.image.id), [base.image.chainId]);
  assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
  await assert.rejects(s.images.delete(base.image.id), /No such image/);
});

test('ImageStore: layers under a container outlive their image and go with the container', async () => {
  await using s = await openImages();
  const image = await load(s, ['a:1']);
  await s.snapshots.prepare('container', image.chainId);
  assert.deepEqual(await s.images.delete(image.id), []);
  assert.equal((await s.footprint()).layers, 1);
  await s.snapshots.remove('container');
  await s.images.containerRemoved(image.id);
  assert.deepEqual(await s.footprint(), { images: 0, blobs: 0, snapshots: 0, layers: 0 });
});

test('ImageStore: open sweeps blobs of no image', async () => {
  await using s = await openImages();
  await load(s, ['a:1']);
  const { blobs } = await s.footprint();
  await s.content.ingest(streamOf(Buffer.from('left over')));
  await s.reopen();
  assert.equal((await s.footprint()).blobs, blobs);
});

test('ImageStore: documents are kept with an image, also with one that was there, and go with it', async () => {
  await using s = await openImages();
  const image = await load(s, ['app:1']);
  const { digest } = await s.content.ingest(streamOf(Buffer.from('{"manifests":[]}')));
  const configBytes = await s.content.read(image.id, 1 << 20);
  const listed = parseReference(`reg.example/app@${digest}`);
  s.images.add([
    { ...image, tagged: undefined, configBytes, blobs: [], documents: [digest], names: [listed] },
  ]);
  await s.images.dropBlob(digest);
  assert.equal(await s.content.has(digest), true);
  assert.deepEqual(names(s, image.id), ['app:1', `reg.example/app@${digest}`]);
  await s.images.delete(image.id);
  assert.equal(await s.content.has(digest), false);
});

test('ImageStore: name gives a name without the time of a tag', async () => {
  await using s = await openImages();
  const image = await load(s, ['app:1']);
  s.images.name(image.id, parseReference(`reg.example/app@${image.manifest}`));
  assert.equal(s.images.byName(parseReference(`reg.example/app@${image.manifest}`))?.image.tagged, undefined);
  s.images.tag(image.id, parseReference('app:2'));
  assert.notEqual(s.images.get(image.id)?.tagged, undefined);
});
