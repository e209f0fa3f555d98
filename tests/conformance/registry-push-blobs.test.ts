import assert from 'node:assert/strict';
import { createHash, randomBytes } from 'node:crypto';
import { type TestContext, test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { bytesOf, errorCodes, locationOf, RawRegistry, withDigest } from '#tests/registry-client.ts';
import { startRegistry } from '#tests/registry-server.ts';

/** Tests of the distribution specification's section "Pushing blobs". */
function pushing(title: string, run: (registry: RawRegistry, t: TestContext) => Promise<void>): void {
  test(`push of blobs: ${title}`, async (t) => {
    await using server = await startRegistry();
    await run(new RawRegistry(server.url), t);
  });
}

const content = randomBytes(3000);
const digest = digestOf(content);

async function assertPulls(registry: RawRegistry, location: string, expected: Buffer): Promise<void> {
  assert.ok((await bytesOf(await registry.send('GET', location))).equals(expected));
}

pushing('POST, then PUT', async (registry) => {
  const begun = await registry.send('POST', '/v2/a/b/blobs/uploads/');
  assert.equal(begun.status, 202);
  assert.match(locationOf(begun), /[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/);
  const ended = await registry.send('PUT', withDigest(locationOf(begun), digest), { body: content });
  assert.equal(ended.status, 201);
  assert.equal(ended.headers.get('docker-content-digest'), digest);
  await assertPulls(registry, locationOf(ended), content);
});

pushing('a single POST', async (registry) => {
  const response = await registry.send('POST', `/v2/a/blobs/uploads/?digest=${digest}`, { body: content });
  assert.equal(response.status, 201);
  await assertPulls(registry, locationOf(response), content);
  const wrong = await registry.send('POST', `/v2/a/blobs/uploads/?digest=${digestOf('x')}`, {
    body: content,
  });
  assert.deepEqual(await errorCodes(wrong, 400), ['DIGEST_INVALID']);
});

pushing('chunks, with the last one in PATCH or in PUT', async (registry) => {
  for (const last of ['PATCH', 'PUT'] as const) {
    let location = await registry.begin(last.toLowerCase());
    for (let start = 0; start < 3000; start += 1000) {
      const chunk = content.subarray(start, start + 1000);
      if (start === 2000 && last === 'PUT') {
        const ended = await registry.chunk('PUT', withDigest(location, digest), { content: chunk, start });
        assert.equal(ended.status, 201);
        continue;
      }
      const response = await registry.chunk('PATCH', location, { content: chunk, start });
      assert.equal(response.status, 202);
      assert.equal(response.headers.get('range'), `0-${start + 999}`);
      location = locationOf(response);
    }
    if (last === 'PATCH') {
      const ended = await registry.send('PUT', withDigest(location, digest));
      assert.equal(ended.status, 201);
    }
    await assertPulls(registry, `/v2/${last.toLowerCase()}/blobs/${digest}`, content);
  }
});

pushing('one PATCH without a range', async (registry) => {
  const patched = await registry.send('PATCH', await registry.begin('a'), { body: content });
  assert.equal(patched.status, 202);
  assert.equal(patched.headers.get('range'), '0-2999');
  assert.equal((await registry.send('PUT', withDigest(locationOf(patched), digest))).status, 201);
  await assertPulls(registry, `/v2/a/blobs/${digest}`, content);
});

pushing(
  'a chunk out of order is 416, GET says where to go on, and the upload can be ended',
  async (registry) => {
    const location = await registry.begin('a');
    const [first, second] = [content.subarray(0, 1000), content.subarray(1000)];
    const early = await registry.chunk('PATCH', location, { content: second, start: 1000 });
    assert.deepEqual(await errorCodes(early, 416), ['BLOB_UPLOAD_INVALID']);
    assert.equal((await registry.chunk('PATCH', location, { content: first, start: 0 })).status, 202);
    const again = await registry.chunk('PATCH', location, { content: first, start: 0 });
    assert.deepEqual(await errorCodes(again, 416), ['BLOB_UPLOAD_INVALID']);
    const wrong = await registry.chunk('PUT', withDigest(location, digest), { content: second, start: 999 });
    await errorCodes(wrong, 416);
    const status = await registry.send('GET', location);
    assert.equal(status.status, 204);
    assert.equal(status.headers.get('range'), '0-999');
    const ended = await registry.chunk('PUT', withDigest(locationOf(status), digest), {
      content: second,
      start: 1000,
    });
    assert.equal(ended.status, 201);
    await assertPulls(registry, locationOf(ended), content);
  },
);

pushing('ranges that are malformed or not of the length of the body are refused', async (registry) => {
  const location = await registry.begin('a');
  for (const range of ['zero-nine', '9-0', '0-', 'bytes=0-9']) {
    const response = await registry.send('PATCH', location, {
      headers: { 'Content-Range': range },
      body: content,
    });
    assert.deepEqual(await errorCodes(response, 400), ['BLOB_UPLOAD_INVALID'], range);
  }
  const short = await registry.send('PATCH', location, {
    headers: { 'Content-Range': '0-5' },
    body: content,
  });
  assert.deepEqual(await errorCodes(short, 400), ['SIZE_INVALID']);
});

pushing(
  'an upload is cancelled with DELETE and unknown after it; that of another repository is unknown',
  async (registry) => {
    const location = await registry.begin('a');
    assert.equal((await registry.send('GET', location.replace('/v2/a/', '/v2/b/'))).status, 404);
    assert.equal((await registry.send('DELETE', location)).status, 204);
    for (const method of ['GET', 'PATCH', 'DELETE']) {
      const response = await registry.send(method, location, method === 'PATCH' ? { body: content } : {});
      assert.deepEqual(await errorCodes(response, 404), ['BLOB_UPLOAD_UNKNOWN']);
    }
    const ended = await registry.send('PUT', withDigest(location, digest), { body: content });
    assert.deepEqual(await errorCodes(ended, 404), ['BLOB_UPLOAD_UNKNOWN']);
  },
);

pushing(
  'a digest that is missing, malformed, of an unknown algorithm or not that of the content is refused',
  async (registry) => {
    for (const wrong of ['sha256:short', 'md5:d41d8cd98f00b204e9800998ecf8427e', 'x', digestOf('other')]) {
      const response = await registry.send('PUT', withDigest(await registry.begin('a'), wrong), {
        body: content,
      });
      assert.deepEqual(await errorCodes(response, 400), ['DIGEST_INVALID'], wrong);
    }
    assert.deepEqual(
      await errorCodes(await registry.send('PUT', await registry.begin('a'), { body: content }), 400),
      ['DIGEST_INVALID'],
    );
    const algorithm = await registry.send('POST', '/v2/a/blobs/uploads/?digest-algorithm=md5');
    assert.deepEqual(await errorCodes(algorithm, 400), ['DIGEST_INVALID']);
  },
);

pushing('sha512, announced or not, and an empty blob', async (registry) => {
  const sha512 = `sha512:${createHash('sha512').update(content).digest('hex')}`;
  for (const query of ['?digest-algorithm=sha512', '']) {
    const location = await registry.begin(`r${query.length}`, query);
    const patched = await registry.send('PATCH', location, { body: content });
    const ended = await registry.send('PUT', withDigest(locationOf(patched), sha512));
    assert.equal(ended.status, 201);
    assert.equal(ended.headers.get('docker-content-digest'), sha512);
    await assertPulls(registry, locationOf(ended), content);
  }
  await registry.push('a', Buffer.alloc(0));
  await assertPulls(registry, `/v2/a/blobs/${digestOf('')}`, Buffer.alloc(0));
});

pushing('mounts a blob from another repository, or else begins an upload', async (registry) => {
  await registry.push('from/here', content);
  const mounted = await registry.send('POST', `/v2/to/blobs/uploads/?mount=${digest}&from=from/here`);
  assert.equal(mounted.status, 201);
  await assertPulls(registry, locationOf(mounted), content);
  const anywhere = await registry.send('POST', `/v2/third/blobs/uploads/?mount=${digest}`);
  assert.equal(anywhere.status, 201);
  for (const query of [`mount=${digest}&from=not/here`, `mount=${digestOf('none')}&from=from/here`]) {
    const response = await registry.send('POST', `/v2/fourth/blobs/uploads/?${query}`);
    assert.equal(response.status, 202);
    const ended = await registry.send('PUT', withDigest(locationOf(response), digest), { body: content });
    assert.equal(ended.status, 201);
  }
});

pushing('the same blob by two clients at once, and again', async (registry) => {
  await Promise.all(Array.from({ length: 6 }, (_, index) => registry.push(`r${index % 2}`, content)));
  await registry.push('r0', content);
  await assertPulls(registry, `/v2/r1/blobs/${digest}`, content);
});

pushing('the end of an upload can be asked for again when its answer was lost', async (registry) => {
  const location = withDigest(await registry.begin('a'), digest);
  assert.equal((await registry.send('PUT', location, { body: content })).status, 201);
  assert.equal((await registry.send('PUT', location, { body: content })).status, 201);
});

pushing('names that the specification does not allow are refused', async (registry) => {
  for (const name of ['Upper', 'a//b', '-a', 'a_', 'a..b', 'a___b', 'x'.repeat(256)]) {
    const response = await registry.send('POST', `/v2/${name}/blobs/uploads/`);
    assert.deepEqual(await errorCodes(response, 400), ['NAME_INVALID'], name);
  }
  for (const name of ['a', 'a.b', 'a_b', 'a__b', 'a---b', '0/1/2', 'a/blobs/uploads', 'manifests/tags']) {
    await registry.begin(name);
  }
});
