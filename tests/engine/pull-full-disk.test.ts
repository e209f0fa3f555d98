import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { tarOf } from '#tests/images.ts';
import { leakCheck } from '#tests/leak-check.ts';
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
