import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { bytesOf, errorCodes, RawRegistry } from '#tests/registry-client.ts';
import { descriptorOf, imageOf } from '#tests/registry-push.ts';
import { startRegistry } from '#tests/registry-server.ts';

/** Tests of the distribution specification's section "Pull". */
function pulling(title: string, run: (registry: RawRegistry) => Promise<void>): void {
  test(`pull: ${title}`, async () => {
    await using server = await startRegistry();
    await run(new RawRegistry(server.url));
  });
}

const content = randomBytes(5000);
const digest = digestOf(content);
const config = Buffer.from('{}');
const image = imageOf(config, [content]);

async function pushImage(registry: RawRegistry, name: string): Promise<void> {
  const [repository = ''] = name.split('/manifests/');
  for (const blob of [config, content]) await registry.push(repository, blob);
  assert.equal((await registry.put(name, image)).status, 201);
}

pulling('GET /v2/ tells that the API is there', async (registry) => {
  const response = await registry.send('GET', '/v2/');
  assert.equal(response.status, 200);
  assert.equal(response.headers.get('docker-distribution-api-version'), 'registry/2.0');
});

pulling(
  'manifests by tag and by digest, with their type, digest and length, byte for byte',
  async (registry) => {
    await pushImage(registry, 'a/manifests/v1');
    const bytes = Buffer.from(JSON.stringify(image));
    for (const reference of ['v1', digestOf(bytes)]) {
      for (const method of ['GET', 'HEAD']) {
        const response = await registry.send(method, `/v2/a/manifests/${reference}`);
        assert.equal(response.status, 200);
        assert.equal(response.headers.get('content-type'), mediaTypes.manifest);
        assert.equal(response.headers.get('docker-content-digest'), digestOf(bytes));
        assert.equal(response.headers.get('content-length'), String(bytes.length));
        assert.deepEqual(
          Buffer.from(await response.arrayBuffer()),
          method === 'GET' ? bytes : Buffer.alloc(0),
        );
      }
    }
  },
);

pulling('blobs, with their digest and length', async (registry) => {
  await registry.push('a', content);
  for (const method of ['GET', 'HEAD']) {
    const response = await registry.send(method, `/v2/a/blobs/${digest}`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('docker-content-digest'), digest);
    assert.equal(response.headers.get('content-length'), '5000');
    assert.equal(response.headers.get('accept-ranges'), 'bytes');
    assert.ok(Buffer.from(await response.arrayBuffer()).equals(method === 'GET' ? content : Buffer.alloc(0)));
  }
});

pulling('what is not in the repository is 404, also when another has it', async (registry) => {
  await pushImage(registry, 'a/manifests/v1');
  await registry.push('b', config);
  for (const repository of ['b', 'none']) {
    const code = repository === 'b' ? 'MANIFEST_UNKNOWN' : 'NAME_UNKNOWN';
    for (const reference of ['v1', descriptorOf(image).digest]) {
      const path = `/v2/${repository}/manifests/${reference}`;
      assert.deepEqual(await errorCodes(await registry.send('GET', path), 404), [code]);
      assert.equal((await registry.send('HEAD', path)).status, 404);
    }
    const blob = await registry.send('GET', `/v2/${repository}/blobs/${digest}`);
    assert.deepEqual(await errorCodes(blob, 404), ['BLOB_UNKNOWN']);
    assert.equal((await registry.send('HEAD', `/v2/${repository}/blobs/${digest}`)).status, 404);
  }
});

pulling('parts of blobs', async (registry) => {
  await registry.push('a', content);
  const parts: readonly (readonly [string, number, number])[] = [
    ['bytes=0-0', 0, 0],
    ['bytes=100-199', 100, 199],
    ['bytes=4000-', 4000, 4999],
    ['bytes=4000-9999', 4000, 4999],
    ['bytes=-10', 4990, 4999],
    ['bytes=-9999', 0, 4999],
  ];
  for (const [range, start, end] of parts) {
    const response = await registry.send('GET', `/v2/a/blobs/${digest}`, { headers: { Range: range } });
    assert.equal(response.headers.get('content-range'), `bytes ${start}-${end}/5000`, range);
    assert.ok((await bytesOf(response, 206)).equals(content.subarray(start, end + 1)), range);
  }
  for (const range of ['bytes=5000-', 'bytes=9-8', 'bytes=-0']) {
    const response = await registry.send('GET', `/v2/a/blobs/${digest}`, { headers: { Range: range } });
    assert.equal(response.headers.get('content-range'), 'bytes */5000', range);
    await errorCodes(response, 416);
  }
  for (const range of ['bytes=0-1,5-6', 'lines=1-2', 'bytes=x-']) {
    const response = await registry.send('GET', `/v2/a/blobs/${digest}`, { headers: { Range: range } });
    assert.ok((await bytesOf(response)).equals(content), range);
  }
});

pulling('conditions: If-None-Match and If-Range', async (registry) => {
  await pushImage(registry, 'a/manifests/v1');
  for (const path of ['manifests/v1', `blobs/${digest}`]) {
    const etag = (await registry.send('HEAD', `/v2/a/${path}`)).headers.get('etag') ?? '';
    assert.match(etag, /^"sha256:[0-9a-f]{64}"$/);
    for (const condition of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const response = await registry.send('GET', `/v2/a/${path}`, {
        headers: { 'If-None-Match': condition },
      });
      assert.equal(response.status, 304);
    }
    assert.equal(
      (await registry.send('GET', `/v2/a/${path}`, { headers: { 'If-None-Match': '"x"' } })).status,
      200,
    );
  }
  const part = { Range: 'bytes=0-9' };
  const same = { ...part, 'If-Range': `"${digest}"` };
  assert.equal((await registry.send('GET', `/v2/a/blobs/${digest}`, { headers: same })).status, 206);
  const other = { ...part, 'If-Range': '"other"' };
  assert.equal((await registry.send('GET', `/v2/a/blobs/${digest}`, { headers: other })).status, 200);
});

pulling(
  'the Accept header decides whether a type is served, and what an old client gets of an index',
  async (registry) => {
    await pushImage(registry, 'a/manifests/image');
    const index = {
      schemaVersion: 2,
      mediaType: mediaTypes.index,
      manifests: [
        {
          ...descriptorOf(image),
          digest: digestOf('other'),
          platform: { os: 'linux', architecture: 'arm64' },
        },
        { ...descriptorOf(image), platform: { os: 'linux', architecture: 'amd64' } },
      ],
    };
    assert.equal((await registry.put('a/manifests/multi', index)).status, 201);
    const get = (reference: string, Accept: string): Promise<Response> =>
      registry.send('GET', `/v2/a/manifests/${reference}`, { headers: { Accept } });
    for (const accept of [
      mediaTypes.index,
      '*/*',
      'application/json',
      `${mediaTypes.manifest}, ${mediaTypes.index};q=0.5`,
    ]) {
      assert.equal((await get('multi', accept)).headers.get('content-type'), mediaTypes.index, accept);
    }
    const old = await get('multi', mediaTypes.manifest);
    assert.equal(old.headers.get('docker-content-digest'), descriptorOf(image).digest);
    assert.deepEqual(await errorCodes(await get(descriptorOf(index).digest, mediaTypes.manifest), 404), [
      'MANIFEST_UNKNOWN',
    ]);
    assert.deepEqual(await errorCodes(await get('image', mediaTypes.dockerManifest), 404), [
      'MANIFEST_UNKNOWN',
    ]);
    assert.deepEqual(await errorCodes(await get('image', `${mediaTypes.manifest};q=0`), 404), [
      'MANIFEST_UNKNOWN',
    ]);
  },
);

pulling('malformed digests and tags are 400, other methods 405, other places 404', async (registry) => {
  assert.deepEqual(await errorCodes(await registry.send('GET', '/v2/a/blobs/sha256:short'), 400), [
    'DIGEST_INVALID',
  ]);
  assert.deepEqual(await errorCodes(await registry.send('GET', '/v2/a/manifests/sha256:short'), 400), [
    'DIGEST_INVALID',
  ]);
  assert.deepEqual(await errorCodes(await registry.send('GET', '/v2/a/manifests/.hidden'), 400), [
    'NAME_INVALID',
  ]);
  const method = await registry.send('POST', `/v2/a/blobs/${digest}`);
  assert.equal(method.headers.get('allow'), 'GET, HEAD, DELETE');
  assert.deepEqual(await errorCodes(method, 405), ['UNSUPPORTED']);
  assert.deepEqual(await errorCodes(await registry.send('GET', '/v2/a/other'), 404), ['UNSUPPORTED']);
  assert.deepEqual(await errorCodes(await registry.send('GET', '/v1/'), 404), ['UNSUPPORTED']);
});
