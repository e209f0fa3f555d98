import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { mediaTypes } from '#/oci/media-types.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { tarOf } from '#tests/images.ts';
import { holdingsOf, leakCheck } from '#tests/leak-check.ts';
import { pullError } from '#tests/pull-client.ts';
import { startRegistry, type TestRegistry } from '#tests/registry-server.ts';
import { RemoteImages } from '#tests/remote-images.ts';
import { valueOf } from '#tests/test-containers.ts';

let daemon: TestDaemon;
let registry: TestRegistry;

before(async () => {
  daemon = await TestDaemon.start([], { dataSize: 32 << 20 });
  registry = await startRegistry();
});

after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
});

/** Takes the room on the data's file system but `left` bytes, until it is disposed of. */
async function fillDisk(left: number): Promise<Disposable> {
  const path = join(daemon.dir, 'data/ballast');
  const { bavail, bsize } = await statfs(join(daemon.dir, 'data'));
  writeFileSync(path, Buffer.alloc(Math.max(0, bavail * bsize - left)));
  return { [Symbol.dispose]: () => rmSync(path) };
}

test('pull: on a full disk it fails clearly, shows nothing, and works when there is room again', async () => {
  const layers = [await tarOf({ a: randomBytes(2 << 20) }), await tarOf({ b: randomBytes(2 << 20) })];
  await new RemoteImages(registry.host, 'big').image({ layers, tag: '1' });
  const name = `${registry.host}/big:1`;
  await leakCheck(daemon, async () => {
    // What has been downloaded is kept, so each attempt gets further: nothing, a part, both blobs, and then unpacking.
    for (const left of [0, 1 << 20, 2 << 20, 1 << 20, 3 << 20]) {
      using _full = await fillDisk(left);
      assert.match(
        (await pullError(daemon, name)) ?? '',
        /no space left on device|disk is full/i,
        `${left} bytes left`,
      );
      assert.deepEqual(valueOf(await daemon.ask('GET', '/images/json?all=1'), 200), []);
    }
    assert.equal(await pullError(daemon, name), undefined);
    assert.equal((await daemon.ask('DELETE', `/images/${name}`)).status, 200);
  });
});

test('pull: a layer that becomes larger than the disk fails clearly and leaves nothing of it; the daemon answers meanwhile', async () => {
  const gzip = { mediaType: mediaTypes.layerGzip, bytes: gzipSync };
  const zstd = { mediaType: mediaTypes.layerZstd, bytes: zstdCompressSync };
  const zeros = Buffer.alloc(100 << 20);
  // The first two are so small that they are unpacked without a thread of their own.
  for (const [tag, content, pack] of [
    ['gzip', zeros, gzip],
    ['zstd', zeros, zstd],
    ['large', Buffer.concat([randomBytes(2 << 20), zeros]), gzip],
  ] as const) {
    await new RemoteImages(registry.host, 'bomb').image({ layers: [await tarOf({ content })], tag, pack });
    const before = holdingsOf(daemon).data;
    let isOver = false;
    const pull = pullError(daemon, `${registry.host}/bomb:${tag}`).finally(() => {
      isOver = true;
    });
    while (!isOver) assert.equal((await daemon.ask('GET', '/_ping')).status, 200);
    assert.match((await pull) ?? '', /no space left on device|disk is full/i);
    assert.deepEqual(valueOf(await daemon.ask('GET', '/images/json?all=1'), 200), []);
    // But the blob itself, for when there is room.
    const left = holdingsOf(daemon).data.filter((path) => !before.includes(path));
    for (const path of left) assert.match(path, /content\/(blobs\/sha256|settling)\/./);
  }
});
