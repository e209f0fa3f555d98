import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { errorCodes, RawRegistry } from '#tests/registry-client.ts';
import { descriptorOf, imageOf, type ManifestDocument } from '#tests/registry-push.ts';
import { startRegistry } from '#tests/registry-server.ts';

/** Tests of the distribution specification's sections "Content Discovery" and "Content Management". */
function requirement(title: string, run: (registry: RawRegistry) => Promise<void>): void {
  test(title, async () => {
    await using server = await startRegistry();
    const registry = new RawRegistry(server.url);
    await registry.push('a', config);
    await run(registry);
  });
}

const config = Buffer.from('{}');
const image = imageOf(config, []);

async function json(response: Response, status = 200): Promise<Record<string, unknown>> {
  assert.equal(response.status, status);
  return (await response.json()) as Record<string, unknown>;
}

/** Follows the Link headers from `path` on, and returns what each answer had. */
async function pages(registry: RawRegistry, path: string, member: string): Promise<unknown[][]> {
  const found: unknown[][] = [];
  for (let next: string | undefined = path; next !== undefined && found.length < 100; ) {
    const response = await registry.send('GET', next);
    found.push((await json(response))[member] as unknown[]);
    const link = response.headers.get('link');
    const match = link === null ? null : /^<([^>]+)>; rel="next"$/.exec(link);
    assert.equal(link === null, match === null);
    next = match?.[1];
  }
  return found;
}

requirement('tags: all of them, in byte order, by pages and from a tag on', async (registry) => {
  const empty = await json(await registry.send('GET', '/v2/a/tags/list'));
  assert.deepEqual(empty, { name: 'a', tags: [] });
  const tags = ['v10', 'V1', '_', 'v2', 'v1', 'a.b'];
  for (const tag of tags) assert.equal((await registry.put(`a/manifests/${tag}`, image)).status, 201);
  const sorted = ['V1', '_', 'a.b', 'v1', 'v10', 'v2'];
  assert.deepEqual(await json(await registry.send('GET', '/v2/a/tags/list')), { name: 'a', tags: sorted });
  assert.deepEqual(await pages(registry, '/v2/a/tags/list?n=4', 'tags'), [
    sorted.slice(0, 4),
    sorted.slice(4),
  ]);
  assert.deepEqual(await pages(registry, '/v2/a/tags/list?n=6', 'tags'), [sorted]);
  assert.deepEqual(await pages(registry, '/v2/a/tags/list?last=a.b', 'tags'), [['v1', 'v10', 'v2']]);
  assert.deepEqual(await pages(registry, '/v2/a/tags/list?n=1&last=c', 'tags'), [['v1'], ['v10'], ['v2']]);
  assert.deepEqual(await pages(registry, '/v2/a/tags/list?n=0', 'tags'), [[]]);
  assert.deepEqual(await errorCodes(await registry.send('GET', '/v2/a/tags/list?n=x'), 400), ['UNSUPPORTED']);
  assert.deepEqual(await errorCodes(await registry.send('GET', '/v2/none/tags/list'), 404), ['NAME_UNKNOWN']);
});

requirement('catalog: all repositories, in byte order, by pages', async (registry) => {
  const names = ['b', 'a/b', 'a-b', 'c/d/e'];
  for (const name of names) await registry.push(name, config);
  const sorted = ['a', 'a-b', 'a/b', 'b', 'c/d/e'];
  assert.deepEqual(await pages(registry, '/v2/_catalog', 'repositories'), [sorted]);
  assert.deepEqual(await pages(registry, '/v2/_catalog?n=2', 'repositories'), [
    sorted.slice(0, 2),
    sorted.slice(2, 4),
    sorted.slice(4),
  ]);
  assert.deepEqual(await pages(registry, '/v2/_catalog?last=a/b', 'repositories'), [sorted.slice(3)]);
});

const subject = { ...descriptorOf(image), digest: digestOf('the subject') };

/** What is attached to the subject, and as what the referrers API describes it. */
const attached: readonly { readonly document: ManifestDocument; readonly rest: object }[] = [
  {
    document: { ...image, artifactType: 'application/x.sbom', subject, annotations: { format: 'json' } },
    rest: { artifactType: 'application/x.sbom', annotations: { format: 'json' } },
  },
  { document: { ...image, subject }, rest: { artifactType: mediaTypes.config } },
  {
    document: {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [],
      subject,
      annotations: { a: 'b' },
    },
    rest: { annotations: { a: 'b' } },
  },
  {
    document: {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      artifactType: 'application/x.sbom',
      manifests: [],
      subject,
    },
    rest: { artifactType: 'application/x.sbom' },
  },
];

requirement(
  'referrers: an index of what is attached, filtered and by pages; empty for what nobody refers to',
  async (registry) => {
    const path = `/v2/a/referrers/${subject.digest}`;
    const none = await registry.send('GET', path);
    assert.equal(none.headers.get('content-type'), mediaTypes.index);
    assert.deepEqual(await json(none), { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] });
    for (const { document } of attached) {
      const response = await registry.put(`a/manifests/${descriptorOf(document).digest}`, document);
      assert.equal(response.headers.get('oci-subject'), subject.digest);
    }
    const expected = attached
      .map(({ document, rest }) => ({ ...descriptorOf(document), ...rest }))
      .sort((a, b) => (a.digest < b.digest ? -1 : 1));
    const all = await registry.send('GET', path);
    assert.equal(all.headers.get('oci-filters-applied'), null);
    assert.deepEqual((await json(all))['manifests'], expected);
    const filtered = await registry.send('GET', `${path}?artifactType=application/x.sbom`);
    assert.equal(filtered.headers.get('oci-filters-applied'), 'artifactType');
    const sboms = expected.filter(
      (one) => 'artifactType' in one && one.artifactType === 'application/x.sbom',
    );
    assert.equal(sboms.length, 2);
    assert.deepEqual((await json(filtered))['manifests'], sboms);
    assert.deepEqual(await pages(registry, `${path}?n=3`, 'manifests'), [
      expected.slice(0, 3),
      expected.slice(3),
    ]);
    assert.deepEqual(
      await pages(registry, `${path}?n=1&artifactType=application/x.sbom`, 'manifests'),
      sboms.map((one) => [one]),
    );
    assert.deepEqual(await errorCodes(await registry.send('GET', '/v2/a/referrers/sha256:short'), 400), [
      'DIGEST_INVALID',
    ]);
    const [first] = attached;
    assert.ok(first !== undefined);
    await registry.send('DELETE', `/v2/a/manifests/${descriptorOf(first.document).digest}`);
    assert.equal(((await json(await registry.send('GET', path)))['manifests'] as unknown[]).length, 3);
  },
);

requirement('deletion of a tag leaves the manifest, that of a manifest takes its tags', async (registry) => {
  const { digest } = descriptorOf(image);
  for (const tag of ['one', 'two', 'three']) await registry.put(`a/manifests/${tag}`, image);
  assert.equal((await registry.send('DELETE', '/v2/a/manifests/one')).status, 202);
  assert.equal((await registry.send('GET', '/v2/a/manifests/one')).status, 404);
  assert.equal((await registry.send('GET', `/v2/a/manifests/${digest}`)).status, 200);
  assert.equal((await registry.send('DELETE', `/v2/a/manifests/${digest}`)).status, 202);
  for (const reference of ['two', 'three', digest]) {
    assert.equal((await registry.send('GET', `/v2/a/manifests/${reference}`)).status, 404);
    const again = await registry.send('DELETE', `/v2/a/manifests/${reference}`);
    assert.deepEqual(await errorCodes(again, 404), ['MANIFEST_UNKNOWN']);
  }
  assert.deepEqual(await json(await registry.send('GET', '/v2/a/tags/list')), { name: 'a', tags: [] });
  const elsewhere = await registry.send('DELETE', `/v2/none/manifests/${digest}`);
  assert.deepEqual(await errorCodes(elsewhere, 404), ['NAME_UNKNOWN']);
});

requirement('deletion of a blob takes it from its repository only', async (registry) => {
  await registry.push('b', config);
  const path = (repository: string): string => `/v2/${repository}/blobs/${digestOf(config)}`;
  assert.equal((await registry.send('DELETE', path('a'))).status, 202);
  assert.equal((await registry.send('GET', path('a'))).status, 404);
  assert.equal((await registry.send('GET', path('b'))).status, 200);
  assert.deepEqual(await errorCodes(await registry.send('DELETE', path('a')), 404), ['BLOB_UNKNOWN']);
  await registry.push('a', config);
  assert.equal((await registry.send('GET', path('a'))).status, 200);
});
