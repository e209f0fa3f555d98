import assert from 'node:assert/strict';
import { test } from 'node:test';
import { digestOf, parseDigest } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { Fault } from '#tests/faulty-registry/faults.ts';
import { type FaultyRegistry, openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import type { RegistryClient } from './registry-client.ts';
import type { Repository } from './repository.ts';

async function withRepository(
  run: (repository: Repository, registry: FaultyRegistry, client: RegistryClient) => Promise<void>,
): Promise<void> {
  await using registry = await openFaultyRegistry();
  using client = openClient();
  await run(repositoryOf(client, `${registry.host}/app`, { actions: 'pull,push,delete' }), registry, client);
}

const cancel = { signal: never() };

test('manifest gives what a tag or digest names, as it is', async () => {
  await withRepository(async (repository, registry) => {
    const { manifest } = registry.content.addImage('app', [], { tag: 'latest' });
    for (const ref of ['latest', manifest.digest]) {
      const found = await repository.manifest(ref, cancel);
      assert.deepEqual(found.descriptor, manifest);
      assert.equal(digestOf(found.bytes), manifest.digest);
      assert.deepEqual(await repository.head(ref, cancel), manifest);
    }
    const accept = registry.requests[0]?.headers['accept'] ?? '';
    assert.deepEqual(accept.split(', '), [
      mediaTypes.index,
      mediaTypes.manifest,
      mediaTypes.dockerIndex,
      mediaTypes.dockerManifest,
    ]);
    assert.equal(await repository.head('nothing', cancel), undefined);
    await assert.rejects(repository.manifest('nothing', cancel), {
      kind: 'notFound',
      message: 'manifest unknown: manifest unknown',
    });
  });
});

test('manifest refuses other content than was asked for or announced', async () => {
  await withRepository(async (repository, registry) => {
    const { manifest } = registry.content.addImage('app', [], { tag: 'latest' });
    const faults: readonly [Fault, RegExp][] = [
      [{ kind: 'corrupt' }, /manifest verification failed for digest sha256:/],
      [{ kind: 'truncate', bytes: 10 }, /manifest verification failed/],
      [{ kind: 'pad', bytes: 5_000_000 }, /more than 4194304 bytes/],
      [{ kind: 'cut', after: 10 }, /the answer broke off/],
    ];
    for (const [fault, expected] of faults) {
      registry.faults.clear();
      registry.faults.add({ fault });
      for (const ref of ['latest', manifest.digest])
        await assert.rejects(repository.manifest(ref, cancel), expected);
    }
    // A registry that lies about the digest too does not get through with that where a digest was asked for.
    registry.faults.clear();
    registry.faults.add({ fault: { kind: 'corrupt' } });
    registry.faults.add({ fault: { kind: 'headers', set: { 'docker-content-digest': undefined } } });
    await assert.rejects(repository.manifest(manifest.digest, cancel), /manifest verification failed/);
  });
});

test('what a manifest is comes from its announcement, or else from itself; schema 1 is recognised as such', async () => {
  await withRepository(async (repository, registry) => {
    const { manifest } = registry.content.addImage('app', [], { tag: 'latest' });
    registry.content.addManifest(
      'app',
      { schemaVersion: 1, fsLayers: [] },
      { tag: 'old', mediaType: 'application/json' },
    );
    registry.content.addManifest(
      'app',
      { schemaVersion: 1 },
      {
        tag: 'signed',
        mediaType: 'application/vnd.docker.distribution.manifest.v1+prettyjws',
      },
    );
    registry.content.addManifest(
      'app',
      { schemaVersion: 2 },
      { tag: 'vague', mediaType: 'text/plain; charset=utf-8' },
    );
    const typeOf = async (tag: string): Promise<string> =>
      (await repository.manifest(tag, cancel)).descriptor.mediaType;
    assert.match(await typeOf('old'), /manifest\.v1\+json$/);
    assert.match(await typeOf('signed'), /manifest\.v1\+prettyjws$/);
    await assert.rejects(typeOf('vague'), { kind: 'invalid', message: /does not say what kind of manifest/ });
    registry.faults.add({ fault: { kind: 'headers', set: { 'content-type': 'application/json' } } });
    assert.equal(await typeOf('latest'), mediaTypes.manifest);
    assert.deepEqual(await repository.head('latest', cancel), manifest);
  });
});

test('head asks for the content where a registry does not say enough', async () => {
  await withRepository(async (repository, registry) => {
    const { manifest } = registry.content.addImage('app', [], { tag: 'latest' });
    registry.faults.add({
      method: 'HEAD',
      fault: { kind: 'headers', set: { 'docker-content-digest': undefined } },
    });
    assert.deepEqual(await repository.head('latest', cancel), manifest);
  });
});

test('putManifest sends the bytes as they are, and believes no other digest', async () => {
  await withRepository(async (repository, registry) => {
    const bytes = Buffer.from('{ "schemaVersion": 2 }');
    const digest = await repository.putManifest('v1', { mediaType: mediaTypes.index, bytes }, cancel);
    assert.equal(digest, digestOf(bytes));
    assert.deepEqual(registry.content.repository('app').manifests.get(digest), {
      mediaType: mediaTypes.index,
      bytes,
    });
    registry.faults.add({ fault: { kind: 'headers', set: { 'docker-content-digest': digestOf('other') } } });
    await assert.rejects(
      repository.putManifest('v1', { mediaType: mediaTypes.index, bytes }, cancel),
      /stored the manifest as/,
    );
  });
});

test('tags and repositories are listed page by page, and pages in a circle end', async () => {
  await withRepository(async (repository, registry, client) => {
    const names = Array.from({ length: 2500 }, (_, i) => `v${String(i).padStart(5, '0')}`);
    for (const name of names) registry.content.repository('app').tags.set(name, 'x');
    for (const name of names) registry.content.repository(`team/${name}`);
    assert.deepEqual(await Array.fromAsync(repository.tags(cancel)), names);
    assert.equal(registry.requests.length, 3);
    const anonymous = { credentials: { kind: 'anonymous' }, ...cancel } as const;
    assert.equal((await Array.fromAsync(client.catalog(registry.host, anonymous))).length, 2501);
    registry.faults.add({
      path: '/tags/',
      fault: { kind: 'headers', set: { link: '</v2/app/tags/list?n=1000&last=a>; rel="next"' } },
    });
    assert.equal((await Array.fromAsync(repository.tags(cancel))).length, 2000);
    // A link to elsewhere leads to the same path here.
    registry.faults.clear();
    registry.faults.add({
      times: 1,
      path: '/tags/',
      fault: { kind: 'headers', set: { link: '<https://evil.invalid/v2/app/tags/list?last=z>; rel=next' } },
    });
    assert.equal((await Array.fromAsync(repository.tags(cancel))).length, 1000);
    assert.equal(registry.requests.at(-1)?.path, '/v2/app/tags/list?last=z');
  });
});

test('referrers come from the API, or from the tag that stands in for it', async () => {
  await withRepository(async (repository, registry) => {
    const { manifest } = registry.content.addImage('app', [], { tag: 'latest' });
    const subject = { ...manifest };
    const refer = (artifactType: string): unknown =>
      registry.content.addManifest('app', {
        schemaVersion: 2,
        mediaType: mediaTypes.manifest,
        artifactType,
        subject,
      });
    refer('a/signature');
    refer('a/sbom');
    assert.equal((await repository.referrers(manifest.digest, cancel)).length, 2);
    assert.equal(
      (await repository.referrers(manifest.digest, { artifactType: 'a/sbom', ...cancel })).length,
      1,
    );
    const tagged = [
      { mediaType: mediaTypes.manifest, digest: digestOf('s'), size: 1, artifactType: 'a/signature' },
    ];
    registry.faults.add({ path: '/referrers/', fault: { kind: 'answer', answer: { status: 404 } } });
    assert.deepEqual(await repository.referrers(manifest.digest, cancel), []);
    registry.content.addIndex('app', tagged, { tag: manifest.digest.replace(':', '-') });
    const found = await repository.referrers(manifest.digest, cancel);
    assert.deepEqual(
      found.map(({ digest }) => digest),
      [digestOf('s')],
    );
    assert.deepEqual(await repository.referrers(manifest.digest, { artifactType: 'a/sbom', ...cancel }), []);
  });
});

test('tags, manifests and blobs can be deleted', async () => {
  await withRepository(async (repository, registry) => {
    const { manifest, config } = registry.content.addImage('app', [], { tag: 'latest' });
    await repository.deleteManifest('latest', cancel);
    await repository.deleteManifest(manifest.digest, cancel);
    await repository.deleteBlob(config.digest, cancel);
    const kept = registry.content.repository('app');
    assert.deepEqual([kept.tags.size, kept.manifests.size, kept.blobs.size], [0, 0, 0]);
    await assert.rejects(repository.deleteManifest('latest', cancel), { kind: 'notFound' });
  });
});

test('hasBlob tells the size', async () => {
  await withRepository(async (repository, registry) => {
    const { digest } = registry.content.addBlob('app', Buffer.alloc(1234));
    assert.equal(await repository.hasBlob(digest, cancel), 1234);
    assert.equal(await repository.hasBlob(parseDigest(`sha256:${'0'.repeat(64)}`), cancel), undefined);
  });
});
