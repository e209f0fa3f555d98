import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Digest } from '#/oci/digest.ts';
import { parsePlatform } from '#/oci/platform.ts';
import { parseReference } from '#/oci/reference.ts';
import type { ImageDeleteItem } from '#/wire/images.ts';
import { type ImageScratch, openImages, streamOf } from '#tests/images.ts';
import { type StoredIndex, storeIndex } from '#tests/indexes.ts';
import { Events } from './events.ts';
import type { ImageUser } from './images/users.ts';
import { Images } from './images.ts';

interface Scratch extends ImageScratch {
  readonly engine: Images;
  /** Containers by the image that they use. */
  readonly containers: Map<string, ImageUser[]>;
}

async function open(): Promise<Scratch> {
  const store = await openImages();
  const containers = new Map<string, ImageUser[]>();
  const users = { containersUsing: (id: string): ImageUser[] => containers.get(id) ?? [] };
  const engine = new Images({ ...store, users, events: new Events(), driver: 'vfs' });
  return { ...store, engine, containers };
}

const signal = new AbortController().signal;
const nothing = { images: 0, blobs: 0, snapshots: 0, layers: 0 };
const plain = { force: false, prune: true };
const arm64 = parsePlatform('linux/arm64');
const stopped: ImageUser = { id: 'c'.repeat(64), name: 'c', running: false };
const running: ImageUser = { id: 'd'.repeat(64), name: 'd', running: true };

function idOf(stored: StoredIndex, platform: string): Digest {
  return stored.images.get(platform)?.id ?? assert.fail();
}

function withoutLayers(items: readonly ImageDeleteItem[], s: StoredIndex): ImageDeleteItem[] {
  const layers: readonly (string | undefined)[] = [...s.images.values()].map(({ chainId }) => chainId);
  return items.filter(({ Deleted }) => Deleted === undefined || !layers.includes(Deleted));
}

test('Images: inspect and history of an index tell of the whole, with a platform of its image', async () => {
  await using s = await open();
  const stored = await storeIndex(s, ['a:1', 'a:2']);
  const own = s.engine.inspect('a:1');
  assert.deepEqual([own.Id, own.Architecture, own.RepoTags], [stored.id, 'amd64', ['a:1', 'a:2']]);
  assert.deepEqual(own.Descriptor, {
    mediaType: 'application/vnd.oci.image.index.v1+json',
    digest: stored.id,
    size: stored.added.index?.bytes.length,
  });
  const arm = s.engine.inspect('a:1', arm64);
  const image = stored.images.get('linux/arm64');
  assert.deepEqual([arm.Id, arm.Architecture, arm.RepoTags], [image?.id, 'arm64', ['a:1', 'a:2']]);
  assert.deepEqual(arm.Descriptor?.digest, image?.manifest);
  assert.deepEqual(arm.Descriptor?.platform, { architecture: 'arm64', os: 'linux' });
  assert.deepEqual(
    s.engine.history('a:1', arm64).map(({ Id, Tags }) => [Id, Tags]),
    [[stored.id, ['a:1', 'a:2']]],
  );
  assert.throws(() => s.engine.inspect('a:1', parsePlatform('linux/s390x')), {
    kind: 'notFound',
    message: 'image with reference a:1 was found but does not provide the specified platform (linux/s390x)',
  });
});

test('Images: a list shows an index as one image, with the size of all, and its manifests', async () => {
  await using s = await open();
  const stored = await storeIndex(s, ['a:1']);
  s.containers.set(idOf(stored, 'linux/arm64'), [stopped]);
  const [image, ...rest] = s.engine.list({ filters: new Map() });
  assert.deepEqual(rest, []);
  assert.deepEqual([image?.Id, image?.RepoTags, image?.Containers], [stored.id, ['a:1'], 1]);
  assert.equal(image?.Size, 'x for linux/amd64x for linux/arm64'.length);
  const [shared] = s.engine.list({ filters: new Map(), sharedSize: true });
  assert.deepEqual([shared?.Size, shared?.SharedSize], [image?.Size, 0]);
  const { Descriptor, Manifests } = await s.engine.manifests('a:1');
  assert.equal(Descriptor.digest, stored.id);
  assert.deepEqual(
    Manifests.map(({ Kind, Available, ImageData, AttestationData }) => [
      Kind,
      Available,
      ImageData?.Containers ?? AttestationData?.For,
    ]),
    [
      ['image', true, []],
      ['image', true, [stopped.id]],
      ['attestation', true, stored.images.get('linux/amd64')?.manifest],
    ],
  );
  assert.ok(Manifests.every(({ Size }) => Size.Content > 0));
  const dangling = new Map([['dangling', ['true']]]);
  assert.deepEqual(s.engine.list({ filters: dangling }), []);
});

test('Images: tag gives an index another name', async () => {
  await using s = await open();
  const stored = await storeIndex(s, ['a:1']);
  s.engine.tag(stored.id.slice(7, 19), 'b', '');
  assert.deepEqual(s.engine.inspect('b', arm64).Id, idOf(stored, 'linux/arm64'));
});

test('Images: with the last name of an index go its images', async () => {
  await using s = await open();
  const stored = await storeIndex(s, ['a:1', 'b:1']);
  assert.deepEqual(await s.engine.remove('a:1', plain), [{ Untagged: 'a:1' }]);
  const items = await s.engine.remove('b:1', plain);
  assert.deepEqual(withoutLayers(items, stored), [
    { Untagged: 'b:1' },
    { Deleted: stored.id },
    { Deleted: idOf(stored, 'linux/amd64') },
    { Deleted: idOf(stored, 'linux/arm64') },
  ]);
  assert.deepEqual(await s.footprint(), nothing);
});

test('Images: removing an index by identifier leaves images that have names or belong to another', async () => {
  await using s = await open();
  const one = await storeIndex(s, ['one:1']);
  const [amd, arm] = [idOf(one, 'linux/amd64'), idOf(one, 'linux/arm64')];
  s.images.tag(amd, parseReference('own:1'));
  const bytes = Buffer.from(`${one.added.index?.bytes.toString()} `);
  const manifest = s.images.get(arm)?.manifest as Digest;
  const { digest } = await s.content.ingest(streamOf(bytes));
  const other = { id: digest, bytes, images: new Map([[manifest, arm]]), blobs: [manifest] };
  s.images.add([], [{ ...other, names: [parseReference('other:1')], tagged: undefined }]);
  assert.deepEqual(await s.engine.remove(one.id, plain), [{ Untagged: 'one:1' }, { Deleted: one.id }]);
  assert.equal(s.engine.inspect('own:1').Id, amd);
  assert.equal(s.engine.inspect('other:1', arm64).Id, arm);
});

test('Images: a container of any image of an index stands in the way', async () => {
  await using s = await open();
  const stored = await storeIndex(s, ['a:1']);
  const short = stored.id.slice(7, 19);
  s.containers.set(idOf(stored, 'linux/arm64'), [stopped]);
  await assert.rejects(s.engine.remove('a:1', plain), {
    kind: 'conflict',
    message: `conflict: unable to remove repository reference "a:1" (must force) - container cccccccccccc is using its referenced image ${short}`,
  });
  await assert.rejects(s.engine.remove(short, plain), {
    message: `conflict: unable to delete ${short} (must be forced) - image is being used by stopped container cccccccccccc`,
  });
  s.containers.set(idOf(stored, 'linux/arm64'), [running]);
  await assert.rejects(s.engine.remove(short, { ...plain, force: true }), { kind: 'conflict' });
  assert.equal(s.engine.inspect('a:1').Id, stored.id);
});

test('Images: an image of an index goes only by force', async () => {
  await using s = await open();
  const stored = await storeIndex(s, ['a:1']);
  const arm = idOf(stored, 'linux/arm64');
  await assert.rejects(s.engine.remove(arm, plain), {
    kind: 'conflict',
    message: `conflict: unable to delete ${arm.slice(7, 19)} (must be forced) - image is one of the platforms of a:1`,
  });
  s.images.tag(arm, parseReference('own:1'));
  assert.deepEqual(await s.engine.remove('own:1', plain), [{ Untagged: 'own:1' }]);
  const items = await s.engine.remove(arm, { ...plain, force: true });
  assert.deepEqual(withoutLayers(items, stored), [{ Deleted: arm }]);
  assert.throws(() => s.engine.inspect('a:1', arm64), { kind: 'notFound' });
  assert.equal(s.engine.inspect('a:1').Id, stored.id);
});

test('Images: remove with platforms takes their images, and with the last one the index', async () => {
  await using s = await open();
  const stored = await storeIndex(s, ['a:1']);
  const [amd, arm] = [idOf(stored, 'linux/amd64'), idOf(stored, 'linux/arm64')];
  await assert.rejects(s.engine.remove('a:1', { ...plain, platforms: [arm64] }), {
    kind: 'invalid',
    message: 'Content will be removed from all images referencing this variant. Use --force to force delete.',
  });
  const forced = { ...plain, force: true };
  await assert.rejects(s.engine.remove('a:1', { ...forced, platforms: [parsePlatform('linux/s390x')] }), {
    kind: 'notFound',
  });
  s.containers.set(arm, [running]);
  await assert.rejects(s.engine.remove('a:1', { ...forced, platforms: [arm64] }), { kind: 'conflict' });
  s.containers.clear();
  assert.deepEqual(withoutLayers(await s.engine.remove('a:1', { ...forced, platforms: [arm64] }), stored), [
    { Deleted: arm },
  ]);
  assert.deepEqual(
    withoutLayers(await s.engine.remove('a:1', { ...forced, platforms: [parsePlatform('linux')] }), stored),
    [{ Deleted: amd }, { Untagged: 'a:1' }, { Deleted: stored.id }],
  );
  assert.deepEqual(await s.footprint(), nothing);
});

test('Images: prune takes an index without a tag as a whole, and never a part of one', async () => {
  await using s = await open();
  const stored = await storeIndex(s, ['a:1']);
  const none = await s.engine.prune(new Map(), { signal });
  assert.equal(none.ImagesDeleted, null);
  const newer = await storeIndex(s, ['a:1'], { content: 'newer' });
  const dangling = s.engine.list({ filters: new Map([['dangling', ['true']]]) });
  assert.deepEqual(
    dangling.map(({ Id, RepoTags }) => [Id, RepoTags]),
    [[stored.id, []]],
  );
  const { ImagesDeleted, SpaceReclaimed } = await s.engine.prune(new Map(), { signal });
  assert.deepEqual(withoutLayers(ImagesDeleted ?? [], stored), [
    { Deleted: stored.id },
    { Deleted: idOf(stored, 'linux/amd64') },
    { Deleted: idOf(stored, 'linux/arm64') },
  ]);
  assert.equal(SpaceReclaimed, 'x for linux/amd64x for linux/arm64'.length);
  s.containers.set(idOf(newer, 'linux/arm64'), [stopped]);
  const all = new Map([['dangling', ['false']]]);
  assert.equal((await s.engine.prune(all, { signal })).ImagesDeleted, null);
  s.containers.clear();
  await s.engine.prune(all, { signal });
  assert.deepEqual(await s.footprint(), nothing);
});

test('Images: the family of an index is that of all its images', async () => {
  await using s = await open();
  const stored = await storeIndex(s, ['a:1']);
  const both = new Set([...stored.images.values()].map(({ id }) => id));
  assert.deepEqual(s.engine.family('a:1'), both);
  assert.deepEqual(s.engine.family(stored.id), both);
});
