import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { familiarString, parseReference } from '#/oci/reference.ts';
import { type ImageScratch, openImages } from '#tests/images.ts';
import { type StoredIndex, storeIndex } from '#tests/indexes.ts';

const nothing = { images: 0, blobs: 0, snapshots: 0, layers: 0 };

function ids(stored: StoredIndex): Digest[] {
  return [...stored.images.values()].map(({ id }) => id);
}

function names(s: Pick<ImageScratch, 'images'>, id: Digest): string[] {
  return s.images.namesOf(id).map(familiarString);
}

async function deleteAll(s: ImageScratch): Promise<void> {
  for (const { id } of s.images.list()) await s.images.delete(id);
}

test('ImageStore: a name means an index and the image of it for this machine, else the first', async () => {
  await using s = await openImages();
  const both = await storeIndex(s, ['both:1'], { platforms: ['linux/arm64', 'linux/amd64'] });
  const foreign = await storeIndex(s, ['foreign:1'], { platforms: ['linux/s390x', 'linux/arm64'] });
  assert.equal(s.images.find('both:1').image.id, both.images.get('linux/amd64')?.id);
  assert.equal(s.images.find('foreign:1').image.id, foreign.images.get('linux/s390x')?.id);
  for (const text of ['both:1', both.id, both.id.slice(7), both.id.slice(7, 27)]) {
    assert.equal(s.images.find(text).id, both.id, text);
  }
  const [arm] = ids(both);
  assert.deepEqual([s.images.find(arm ?? '').id, s.images.find(arm ?? '').index], [arm, undefined]);
});

test('ImageStore: within finds the image of an index for a platform, or none', async () => {
  await using s = await openImages();
  const { added, images } = await storeIndex(s, [], {
    platforms: ['linux/amd64', 'linux/arm/v6', 'linux/arm/v7'],
  });
  const { index } = added;
  assert.ok(index);
  const found = (text: string): string | undefined => s.images.within(index, parsePlatform(text))?.id;
  assert.equal(found('linux/arm'), images.get('linux/arm/v7')?.id);
  assert.equal(found('linux/arm/v6'), images.get('linux/arm/v6')?.id);
  assert.equal(found('linux/arm64'), undefined);
});

test('ImageStore: images of an index stand for themselves only if they have a name of their own', async () => {
  await using s = await openImages();
  const stored = await storeIndex(s, ['a:1']);
  const all = (): string[] => s.images.all().map(({ id }) => id);
  assert.deepEqual(all(), [stored.id]);
  assert.equal(s.images.list().length, 2);
  assert.equal(s.images.count(), 1);
  const [amd] = ids(stored);
  s.images.tag(amd as Digest, parseReference('own:1'));
  assert.deepEqual(new Set(all()), new Set([amd, stored.id]));
});

test('ImageStore: indexes, their names and their images are there after a restart', async () => {
  await using s = await openImages();
  const stored = await storeIndex(s, ['a:1']);
  s.images.tag(stored.id, parseReference('a:2'));
  const again = await s.reopen();
  const found = again.images.find('a:2');
  assert.deepEqual(names(again, stored.id), ['a:1', 'a:2']);
  assert.deepEqual(found.index?.images, stored.added.index?.images);
  assert.deepEqual(found.index?.bytes, stored.added.index?.bytes);
  assert.notEqual(found.index?.tagged, undefined);
  assert.equal(await again.content.has(stored.attestation), true);
});

test('ImageStore: a name goes from an index to an image and back, and nothing is lost on the way', async () => {
  await using s = await openImages();
  const stored = await storeIndex(s, ['a:1']);
  const [amd] = ids(stored);
  assert.equal(s.images.tag(amd as Digest, parseReference('a:1')), stored.id);
  assert.deepEqual([names(s, stored.id), names(s, amd as Digest)], [[], ['a:1']]);
  assert.equal(s.images.tag(stored.id, parseReference('a:1')), amd);
  const { images } = await s.reopen();
  assert.equal(images.find('a:1').id, stored.id);
});

test('ImageStore: deleteIndex takes what only the index needs, and leaves its images', async () => {
  await using s = await openImages();
  const stored = await storeIndex(s, ['a:1', 'b:1']);
  await s.images.deleteIndex(stored.id);
  assert.throws(() => s.images.find('a:1'), { kind: 'notFound' });
  assert.throws(() => s.images.find(stored.id), { kind: 'notFound' });
  assert.equal(await s.content.has(stored.attestation), false);
  assert.equal(s.images.all().length, 2);
  await assert.rejects(s.images.deleteIndex(stored.id), { kind: 'notFound' });
  await deleteAll(s);
  assert.deepEqual(await s.footprint(), nothing);
});

test('ImageStore: an image that goes leaves its indexes, and takes the one along that has no other', async () => {
  await using s = await openImages();
  const stored = await storeIndex(s, ['a:1']);
  const [amd, arm] = ids(stored) as [Digest, Digest];
  await s.images.delete(amd);
  assert.equal(s.images.find('a:1').image.id, arm);
  assert.deepEqual([...((await s.reopen()).images.find('a:1').index?.images.values() ?? [])], [arm]);
  await s.images.delete(arm);
  assert.throws(() => s.images.find('a:1'), { kind: 'notFound' });
  assert.deepEqual(await s.footprint(), nothing);
  assert.equal((await s.reopen()).images.all().length, 0);
});

test('ImageStore: an index that comes again brings the images that were missing', async () => {
  await using s = await openImages();
  const stored = await storeIndex(s, ['a:1']);
  const [amd] = ids(stored) as [Digest, Digest];
  const { index } = stored.added;
  await s.images.delete(amd);
  const again = await storeIndex(s, ['b:1']);
  assert.equal(again.id, stored.id);
  assert.deepEqual(s.images.find('a:1').index?.images, index?.images);
  assert.deepEqual(names(s, again.id), ['a:1', 'b:1']);
});

test('ImageStore: what is not an index is not added, nor is anything with it', async () => {
  await using s = await openImages();
  const stored = await storeIndex(s, []);
  const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, layers: [] }));
  const wrong = {
    id: digestOf(bytes),
    bytes,
    images: new Map<Digest, Digest>(),
    blobs: [],
    tagged: undefined,
  };
  assert.throws(() => s.images.add([], [{ ...wrong, names: [parseReference('x:1')] }]), { kind: 'invalid' });
  assert.deepEqual(
    s.images.all().map(({ id }) => id),
    [stored.id],
  );
});

test('ImageStore: looking whether a blob is needed does not read whole tables', async () => {
  await using s = await openImages();
  const plan = s.db
    .prepare('EXPLAIN QUERY PLAN SELECT 1 FROM needed_blobs WHERE digest = ? LIMIT 1')
    .all('x');
  for (const { detail } of plan) assert.doesNotMatch(String(detail), /^SCAN (?!needed_blobs|CONSTANT)/);
});
