import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf, hexOf } from '#/oci/digest.ts';
import { openImages } from '#tests/images.ts';
import { storeIndex } from '#tests/indexes.ts';
import { startRegistry } from '#tests/registry-server.ts';
import { Transfers } from '#tests/transfers.ts';
import type { TransferProgress } from './progress.ts';

const registry = await startRegistry();
after(() => registry[Symbol.asyncDispose]());

/** A document whose form the tests rely on. */
interface Loose {
  readonly manifests: readonly Required<Descriptor>[];
  readonly annotations: object;
  readonly layers: readonly Descriptor[];
  readonly config: Descriptor;
  readonly rootfs: { readonly diff_ids: readonly Digest[] };
  readonly subject: readonly [{ readonly digest: { readonly sha256: string } }];
}

async function get(path: string): Promise<Buffer> {
  const response = await fetch(`${registry.url}/v2/app/${path}`);
  assert.equal(response.status, 200, path);
  return Buffer.from(await response.arrayBuffer());
}

async function read(path: string): Promise<Loose> {
  return JSON.parse(String(await get(path))) as Loose;
}

test('pushIndex: layers that were never packed go out packed, and everything above names them', async () => {
  await using s = await openImages();
  const { id, images, added } = await storeIndex(s, ['app:1']);
  assert.ok(added.index);
  const before = await s.footprint();
  const transfers = new Transfers(s, s);
  const progress: TransferProgress[] = [];
  const digest = await transfers.pushIndex(added.index, `${registry.host}/app:1`, (item) =>
    progress.push(item),
  );
  assert.notEqual(digest, id);
  const bytes = await get('manifests/1');
  assert.equal(digestOf(bytes), digest);
  assert.deepEqual(progress.at(-1), {
    kind: 'result',
    value: { Tag: '1', Digest: digest, Size: bytes.length },
  });
  const index = JSON.parse(String(bytes)) as Loose;
  assert.deepEqual(index.annotations, { 'org.example.kept': 'x' });
  const [amd, arm, attestation] = index.manifests;
  assert.ok(amd && arm && attestation);
  assert.deepEqual([amd.platform.architecture, arm.platform.architecture], ['amd64', 'arm64']);
  for (const [descriptor, platform] of [
    [amd, 'linux/amd64'],
    [arm, 'linux/arm64'],
  ] as const) {
    const manifest = await get(`manifests/${descriptor.digest}`);
    assert.equal(manifest.length, descriptor.size);
    const { layers, config } = JSON.parse(String(manifest)) as Loose;
    assert.equal(config.digest, images.get(platform)?.id);
    const diffIds = (await read(`blobs/${config.digest}`)).rootfs.diff_ids;
    assert.deepEqual([digestOf(gunzipSync(await get(`blobs/${layers[0]?.digest}`)))], diffIds);
  }
  assert.equal(attestation.annotations['vnd.docker.reference.digest'], amd.digest);
  const { layers } = await read(`manifests/${attestation.digest}`);
  const statement = await read(`blobs/${layers[0]?.digest}`);
  assert.equal(statement.subject[0].digest.sha256, hexOf(amd.digest));
  assert.deepEqual(await s.footprint(), before);
  assert.equal(await transfers.pushIndex(added.index, `${registry.host}/app:2`), digest);
});

test('pushIndex: what is pulled from there and loaded elsewhere is the image for each platform', async () => {
  await using s = await openImages();
  const { images, added } = await storeIndex(s, ['app:3'], { content: 'pulled' });
  assert.ok(added.index);
  const transfers = new Transfers(s, s);
  await transfers.pushIndex(added.index, `${registry.host}/app:3`);
  await using there = await openImages();
  const arm64 = { os: 'linux', architecture: 'arm64', variant: '' };
  const { image } = await new Transfers(there, there).pull(`${registry.host}/app:3`, { platform: arm64 });
  assert.equal(image.id, images.get('linux/arm64')?.id);
});

test('pushIndex: what is missing here must be at the registry', async () => {
  await using s = await openImages();
  const stored = await storeIndex(s, ['app:4'], {
    platforms: ['linux/amd64', 'linux/arm64', 'linux/s390x'],
    content: 'missing',
  });
  await s.images.delete(stored.images.get('linux/s390x')?.id ?? assert.fail());
  const { index } = s.images.find('app:4');
  assert.ok(index);
  await assert.rejects(new Transfers(s, s).pushIndex(index, `${registry.host}/app:4`), {
    kind: 'notFound',
    message: /lists the manifest sha256:\w+ for linux\/s390x, which is neither here nor at the registry/,
  });
  assert.equal((await fetch(`${registry.url}/v2/app/manifests/4`)).status, 404);
});
