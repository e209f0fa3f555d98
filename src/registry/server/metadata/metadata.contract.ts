import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { type Digest, digestOf } from '#/oci/digest.ts';
import type { Content } from '../content.ts';
import type { ManifestRecord } from './metadata.ts';

const mediaType = 'application/vnd.oci.image.manifest.v1+json';
/** Everything is older than this. */
function later(): number {
  return Date.now() + 60_000;
}

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** Puts a blob into the storage and links it. */
async function push({ storage, metadata }: Content, repository: string, text: string): Promise<Digest> {
  const id = randomUUID();
  const digest = digestOf(text);
  await storage.begin(id);
  await storage.append(id, bytes(text), { algorithm: 'sha256' });
  await metadata.links.link(repository, { digest, size: await storage.commit(id, digest) });
  return digest;
}

function manifestOf(text: string, rest: Partial<ManifestRecord> = {}): ManifestRecord {
  const content = Buffer.from(text);
  return {
    digest: digestOf(content),
    mediaType,
    content,
    references: [],
    subject: undefined,
    artifactType: undefined,
    annotations: undefined,
    ...rest,
  };
}

/** Collects what nothing refers to; returns the digests of blobs that went. */
async function collect({ storage, metadata }: Content): Promise<Digest[]> {
  await Array.fromAsync(metadata.unused.dropLinks({ before: later(), dryRun: false }));
  const gone: Digest[] = [];
  for await (const { digest } of metadata.unused.blobs()) {
    if (!(await metadata.unused.claim(digest))) continue;
    if (await storage.remove(digest)) gone.push(digest);
    await metadata.unused.forget(digest);
  }
  await metadata.unused.dropRepositories();
  return gone;
}

/** What every driver of `Metadata` does. */
export function metadataContract(name: string, make: () => Promise<Content>): void {
  const contract = (title: string, run: (content: Content) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      await using content = await make();
      await run(content);
    });
  };

  contract('lists repositories in byte order, by pages', async (content) => {
    const { metadata } = content;
    const names = ['a', 'a-b', 'a.b', 'a/b', 'a/b/c', 'a0', 'a_b', 'ab', 'b'];
    for (const each of [...names].reverse())
      await metadata.manifests.put(each, manifestOf(`{"${each}":1}`), []);
    assert.deepEqual(await metadata.repositories({ limit: 100 }), names);
    assert.deepEqual(await metadata.repositories({ limit: 2 }), ['a', 'a-b']);
    assert.deepEqual(await metadata.repositories({ after: 'a.b', limit: 2 }), ['a/b', 'a/b/c']);
    assert.deepEqual(await metadata.repositories({ after: 'a/c', limit: 2 }), ['a0', 'a_b']);
    assert.equal(await metadata.hasRepository('a/b'), true);
    assert.equal(await metadata.hasRepository('a/c'), false);
  });

  contract('links, mounts and unlinks blobs', async (content) => {
    const { links } = content.metadata;
    const digest = await push(content, 'one', 'blob');
    assert.equal(await links.size('one', digest), 4);
    assert.equal(await links.size('two', digest), undefined);
    assert.equal(await links.mount('two', digest, 'three'), undefined);
    assert.equal(await links.mount('two', digest, 'one'), 4);
    assert.deepEqual(await links.holders(digest, 10), ['one', 'two']);
    assert.deepEqual(await links.holders(digest, 1), ['one']);
    await push(content, 'two', 'another');
    assert.equal(await links.total('two'), 11);
    assert.equal(await links.total('three'), 0);
    assert.equal(await links.unlink('one', digest), true);
    assert.equal(await links.unlink('one', digest), false);
    assert.equal(await links.size('one', digest), undefined);
    assert.deepEqual(await links.holders(digest, 10), ['two']);
    await links.touch('two', digest);
    await links.touch('one', digest);
    assert.equal(await links.size('one', digest), undefined);
  });

  contract('stores manifests only with their blobs, under tags and digests', async (content) => {
    const { manifests } = content.metadata;
    const blob = digestOf('layer');
    const manifest = manifestOf('{}', { references: [{ digest: blob, kind: 'blob' }] });
    assert.deepEqual(await manifests.put('app', manifest, ['v1']), [blob]);
    assert.equal(await manifests.get('app', { tag: 'v1' }), undefined);
    await push(content, 'app', 'layer');
    assert.deepEqual(await manifests.put('app', manifest, ['v1', 'v2']), []);
    const { digest } = manifest;
    const expected = { digest, mediaType, content: manifest.content };
    assert.deepEqual(await manifests.get('app', { tag: 'v1' }), expected);
    assert.deepEqual(await manifests.get('app', { digest }), expected);
    assert.equal(await manifests.get('other', { digest }), undefined);
    assert.deepEqual(await manifests.tags('app', { limit: 10 }), ['v1', 'v2']);
    assert.deepEqual(await manifests.tags('app', { limit: 10, after: 'v1' }), ['v2']);
    const other = manifestOf('{"other":1}');
    await manifests.put('app', other, ['v2']);
    assert.equal((await manifests.get('app', { tag: 'v2' }))?.digest, other.digest);
    const pushed = (await manifests.tagRecords('app')).find(({ name }) => name === 'v2')?.pushed ?? 0;
    assert.equal(await manifests.deleteTag('app', 'v2', { digest, pushed }), false);
    assert.equal(await manifests.deleteTag('app', 'v2', { digest: other.digest, pushed: pushed - 1 }), false);
    assert.equal(await manifests.deleteTag('app', 'v2', { digest: other.digest, pushed }), true);
    assert.equal(await manifests.deleteTag('app', 'v2'), false);
    assert.equal(await manifests.delete('app', digest), true);
    assert.equal(await manifests.delete('app', digest), false);
    assert.deepEqual(await manifests.tags('app', { limit: 10 }), []);
    assert.equal(await manifests.get('app', { digest }), undefined);
    assert.deepEqual(await manifests.put('app', manifest, ['v3']), []);
    assert.equal((await manifests.get('app', { tag: 'v3' }))?.digest, digest);
  });

  contract('finds referrers, by pages and type', async ({ metadata: { manifests } }) => {
    const subject = digestOf('subject');
    const made = ['a', 'b', 'c', 'd'].map((text) =>
      manifestOf(text, {
        subject,
        artifactType: text === 'd' ? 'application/y' : 'application/x',
        annotations: { text },
      }),
    );
    for (const manifest of made) await manifests.put('app', manifest, []);
    const all = await manifests.referrers('app', subject, { limit: 10 });
    const digests = made.map(({ digest }) => digest).sort();
    assert.deepEqual(
      all.map(({ digest }) => digest),
      digests,
    );
    assert.equal(all[0]?.size, 1);
    assert.equal(
      (await manifests.referrers('app', subject, { limit: 10, artifactType: 'application/y' })).length,
      1,
    );
    const rest = await manifests.referrers('app', subject, { limit: 2, after: digests[0] ?? '' });
    assert.deepEqual(
      rest.map(({ digest }) => digest),
      digests.slice(1, 3),
    );
    await manifests.delete('app', digests[0] as Digest);
    assert.equal((await manifests.referrers('app', subject, { limit: 10 })).length, 3);
    assert.deepEqual(await manifests.referrers('other', subject, { limit: 10 }), []);
  });

  contract(
    'tells what retention needs, and deletes on its conditions',
    async ({ metadata: { manifests } }) => {
      const child = manifestOf('child');
      const index = manifestOf('index', {
        references: [{ digest: child.digest, kind: 'manifest' }],
        subject: digestOf('s'),
      });
      await manifests.put('app', child, []);
      await manifests.put('app', index, ['latest']);
      const tags = await manifests.tagRecords('app');
      assert.deepEqual(
        tags.map((tag) => [tag.name, tag.digest]),
        [['latest', index.digest]],
      );
      assert.ok(Math.abs((tags[0]?.pushed ?? 0) - Date.now()) < 60_000);
      const summaries = await manifests.summaries('app');
      const found = summaries.find(({ digest }) => digest === index.digest);
      assert.deepEqual(found?.children, [child.digest]);
      assert.equal(found?.isTagged, true);
      assert.equal(found?.subject, digestOf('s'));
      assert.equal(summaries.length, 2);
      assert.equal(await manifests.delete('app', index.digest, { untouchedSince: later() }), false);
      assert.equal(
        await manifests.delete('app', child.digest, { untouchedSince: Date.now() - 60_000 }),
        false,
      );
      await manifests.touch('app', child.digest);
      assert.equal(
        await manifests.delete('app', child.digest, { untouchedSince: Date.now() - 60_000 }),
        false,
      );
      assert.equal(await manifests.delete('app', child.digest, { untouchedSince: later() }), true);
    },
  );

  contract('keeps uploads and finds stale ones', async ({ metadata: { uploads } }) => {
    const id = randomUUID();
    await uploads.begin({ id, repository: 'app', algorithm: 'sha256' });
    const upload = await uploads.get(id);
    assert.deepEqual([upload?.id, upload?.repository, upload?.algorithm], [id, 'app', 'sha256']);
    await uploads.touch(id);
    assert.deepEqual(await uploads.stale(Date.now() - 60_000), []);
    assert.deepEqual(
      (await uploads.stale(later())).map((each) => each.id),
      [id],
    );
    await uploads.end(id);
    assert.equal(await uploads.get(id), undefined);
    assert.equal(await uploads.get('../../names/x'), undefined);
    await uploads.touch(id);
    assert.equal(await uploads.get(id), undefined);
  });

  contract('collects what no manifest needs, and only that', async (content) => {
    const { metadata, storage } = content;
    const used = await push(content, 'app', 'used');
    const loose = await push(content, 'app', 'loose');
    await push(content, 'lib', 'used');
    const manifest = manifestOf('{}', { references: [{ digest: used, kind: 'blob' }] });
    await metadata.manifests.put('app', manifest, ['latest']);
    const young = metadata.unused.dropLinks({ before: Date.now() - 60_000, dryRun: false });
    assert.deepEqual(await Array.fromAsync(young), []);
    const dry = await Array.fromAsync(metadata.unused.dropLinks({ before: later(), dryRun: true }));
    const names = dry.map(({ repository, digest }) => `${repository} ${digest}`).sort();
    assert.deepEqual(names, [`app ${loose}`, `lib ${used}`]);
    assert.equal(await metadata.links.size('app', loose), 5);
    assert.deepEqual(await collect(content), [loose]);
    assert.equal(await storage.size(loose), undefined);
    assert.equal(await storage.size(used), 4);
    assert.equal(await metadata.links.size('app', used), 4);
    assert.equal(await metadata.hasRepository('lib'), false);
    await metadata.manifests.delete('app', manifest.digest);
    assert.deepEqual(await collect(content), [used]);
    assert.deepEqual(await metadata.repositories({ limit: 10 }), []);
    assert.equal(await push(content, 'app', 'used'), used);
    assert.equal(await storage.size(used), 4);
  });
}
