import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { bytesOf, errorCodes, locationOf, RawRegistry } from '#tests/registry-client.ts';
import { descriptorOf, imageOf } from '#tests/registry-push.ts';
import { startRegistry } from '#tests/registry-server.ts';

/** Tests of the distribution specification's section "Pushing Manifests". */
function pushing(title: string, run: (registry: RawRegistry) => Promise<void>): void {
  test(`push of manifests: ${title}`, async () => {
    await using server = await startRegistry();
    const registry = new RawRegistry(server.url);
    for (const blob of [config, layer]) await registry.push('a', blob);
    await run(registry);
  });
}

const config = Buffer.from('{}');
const layer = Buffer.from('a layer');
const image = imageOf(config, [layer]);

pushing('by tag and by digest', async (registry) => {
  const bytes = Buffer.from(JSON.stringify(image));
  for (const reference of ['v1', digestOf(bytes)]) {
    const response = await registry.put(`a/manifests/${reference}`, image);
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('docker-content-digest'), digestOf(bytes));
    assert.deepEqual(await bytesOf(await registry.send('GET', locationOf(response))), bytes);
  }
});

pushing('by a sha512 digest, with tags as parameters', async (registry) => {
  const bytes = JSON.stringify(image);
  const sha512 = `sha512:${createHash('sha512').update(bytes).digest('hex')}`;
  const tags = Array.from({ length: 12 }, (_, index) => `t${index}`);
  const response = await registry.put(
    `a/manifests/${sha512}?${tags.map((tag) => `tag=${tag}`).join('&')}`,
    image,
  );
  assert.equal(response.status, 201);
  assert.equal(response.headers.get('docker-content-digest'), sha512);
  assert.deepEqual(response.headers.get('oci-tag')?.split(', '), tags);
  for (const reference of [sha512, ...tags]) {
    const got = await registry.send('GET', `/v2/a/manifests/${reference}`);
    assert.equal(got.headers.get('docker-content-digest'), sha512);
    assert.equal((await bytesOf(got)).toString(), bytes);
  }
  const many = Array.from({ length: 101 }, (_, index) => `tag=t${index}`).join('&');
  await errorCodes(await registry.put(`a/manifests/${sha512}?${many}`, image), 414);
  await errorCodes(await registry.put(`a/manifests/${sha512}?tag=.x`, image), 400);
});

pushing('under a digest that is not that of the document is refused', async (registry) => {
  const response = await registry.put(`a/manifests/${digestOf('other')}`, image);
  assert.deepEqual(await errorCodes(response, 400), ['DIGEST_INVALID']);
});

pushing('with blobs that are not in the repository is refused, with an error for each', async (registry) => {
  const other = imageOf(Buffer.from('{"a":1}'), [layer, Buffer.from('another layer')]);
  assert.deepEqual(await errorCodes(await registry.put('a/manifests/v1', other), 404), [
    'MANIFEST_BLOB_UNKNOWN',
    'MANIFEST_BLOB_UNKNOWN',
  ]);
  assert.deepEqual(await errorCodes(await registry.put('b/manifests/v1', image), 404), [
    'MANIFEST_BLOB_UNKNOWN',
    'MANIFEST_BLOB_UNKNOWN',
  ]);
  assert.equal((await registry.send('GET', '/v2/a/manifests/v1')).status, 404);
});

pushing('layers that are not to be distributed need not be there', async (registry) => {
  const foreign = {
    mediaType: 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
    digest: digestOf('foreign'),
    size: 7,
    urls: ['https://registry.example/layer'],
  };
  const document = { ...image, layers: [foreign, ...(image['layers'] as object[])] };
  assert.equal((await registry.put('a/manifests/v1', document)).status, 201);
});

pushing('an index, also of manifests that are not there, and one in another', async (registry) => {
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [descriptorOf(image)] };
  assert.equal((await registry.put('a/manifests/early', index)).status, 201);
  assert.equal((await registry.put(`a/manifests/${descriptorOf(image).digest}`, image)).status, 201);
  const outer = { ...index, manifests: [descriptorOf(index)] };
  assert.equal((await registry.put('a/manifests/outer', outer)).status, 201);
  assert.equal((await registry.put('a/manifests/empty', { ...index, manifests: [] })).status, 201);
  const list = { ...index, mediaType: mediaTypes.dockerIndex };
  assert.equal((await registry.put('a/manifests/list', list)).status, 201);
});

pushing('artifacts, fields that nobody knows, and Docker manifests', async (registry) => {
  const artifact = {
    ...image,
    artifactType: 'application/vnd.example.sbom',
    config: { mediaType: 'application/vnd.oci.empty.v1+json', digest: digestOf('{}'), size: 2, data: 'e30=' },
    layers: [],
    unknown: { nested: [1, 2, 3] },
  };
  assert.equal((await registry.put('a/manifests/artifact', artifact)).status, 201);
  const docker = { ...image, mediaType: mediaTypes.dockerManifest };
  assert.equal((await registry.put('a/manifests/docker', docker)).status, 201);
  const got = await registry.send('GET', '/v2/a/manifests/docker');
  assert.equal(got.headers.get('content-type'), mediaTypes.dockerManifest);
});

pushing('a subject, there or not, is confirmed', async (registry) => {
  for (const subject of [descriptorOf(image), { ...descriptorOf(image), digest: digestOf('none') }]) {
    const response = await registry.put('a/manifests/attached', { ...image, subject });
    assert.equal(response.status, 201);
    assert.equal(response.headers.get('oci-subject'), subject.digest);
  }
});

pushing('documents that are not what they were announced as are refused', async (registry) => {
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [] };
  const wrong: readonly (readonly [object, string | undefined])[] = [
    [image, mediaTypes.index],
    [{ ...image, mediaType: undefined, manifests: [] }, mediaTypes.manifest],
    [{ ...index, layers: [] }, mediaTypes.index],
    [{ ...image, schemaVersion: 1 }, mediaTypes.manifest],
    [image, 'application/vnd.docker.distribution.manifest.v1+prettyjws'],
    [{ ...image, mediaType: 'text/plain' }, 'text/plain'],
    [{ ...image, config: undefined }, mediaTypes.manifest],
    [{ ...image, config: { mediaType: 'x/y', digest: 'sha256:short', size: 2 } }, mediaTypes.manifest],
    [{ ...image, layers: [{ mediaType: 'x/y', digest: digestOf(layer), size: -1 }] }, mediaTypes.manifest],
    [{ ...image, annotations: { key: 1 } }, mediaTypes.manifest],
    [[image], mediaTypes.manifest],
  ];
  for (const [document, type] of wrong) {
    const response = await registry.put('a/manifests/v1', document, type);
    assert.deepEqual(
      await errorCodes(response, 400),
      ['MANIFEST_INVALID'],
      JSON.stringify(document).slice(0, 200),
    );
  }
  const headers = { 'Content-Type': mediaTypes.manifest };
  const broken = await registry.send('PUT', '/v2/a/manifests/v1', { headers, body: '{"schemaVersion":2' });
  assert.deepEqual(await errorCodes(broken, 400), ['MANIFEST_INVALID']);
  assert.equal((await registry.send('GET', '/v2/a/manifests/v1')).status, 404);
});

pushing('parameters of the type are ignored, and the type can be in the document', async (registry) => {
  assert.equal(
    (await registry.put('a/manifests/v1', image, `${mediaTypes.manifest}; charset=utf-8`)).status,
    201,
  );
  const response = await registry.send('GET', '/v2/a/manifests/v1');
  assert.equal(response.headers.get('content-type'), mediaTypes.manifest);
});

pushing('4 MiB are taken, more is 413', async (registry) => {
  const fill = (size: number): object => {
    const empty = Buffer.byteLength(JSON.stringify({ ...image, annotations: { fill: '' } }));
    return { ...image, annotations: { fill: 'x'.repeat(size - empty) } };
  };
  assert.equal(
    (await registry.put('a/manifests/large', fill(4 * 1024 * 1024), mediaTypes.manifest)).status,
    201,
  );
  assert.equal((await bytesOf(await registry.send('GET', '/v2/a/manifests/large'))).length, 4 * 1024 * 1024);
  const response = await registry.put('a/manifests/larger', fill(4 * 1024 * 1024 + 1), mediaTypes.manifest);
  assert.deepEqual(await errorCodes(response, 413), ['MANIFEST_INVALID']);
});
