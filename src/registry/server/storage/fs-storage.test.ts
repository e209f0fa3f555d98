import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { readdirSync, truncateSync } from 'node:fs';
import { test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { smallDisk } from '#tests/small-disk.ts';
import { blobStorageContract } from './blob-storage.contract.ts';
import { FsBlobStorage } from './fs-storage.ts';

blobStorageContract('FsBlobStorage', async () => {
  const scratch = scratchDir();
  const storage = await FsBlobStorage.open({ root: scratch.path });
  return {
    storage,
    reopen: () => FsBlobStorage.open({ root: scratch.path }),
    [Symbol.asyncDispose]: async () => {
      await storage[Symbol.asyncDispose]();
      scratch[Symbol.dispose]();
    },
  };
});

async function* bytes(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += 65_536) yield content.subarray(at, at + 65_536);
}

test('FsBlobStorage: a full disk is an error, keeps what was written, and the upload can go on', async () => {
  using scratch = scratchDir();
  const root = scratch.join('small');
  using _disk = smallDisk(root, 8);
  await using storage = await FsBlobStorage.open({ root });
  const [filler, content] = [randomBytes(6_000_000), randomBytes(4_000_000)];
  const [first, second] = [randomUUID(), randomUUID()];
  await storage.begin(first);
  await storage.append(first, bytes(filler), { algorithm: 'sha256' });
  await storage.begin(second);
  await assert.rejects(storage.append(second, bytes(content), { algorithm: 'sha256' }), { code: 'ENOSPC' });
  await storage.cancel(first);
  const size = (await storage.uploaded(second)) ?? 0;
  assert.ok(size > 0 && size < content.length);
  await storage.append(second, bytes(content.subarray(size)), { algorithm: 'sha256' });
  assert.equal(await storage.commit(second, digestOf(content)), content.length);
  assert.deepEqual(readdirSync(`${root}/uploads`), []);
});

test('FsBlobStorage: a blob that was damaged on the disk is replaced by the next push of it', async () => {
  using scratch = scratchDir();
  await using storage = await FsBlobStorage.open({ root: scratch.path });
  const content = randomBytes(10_000);
  const digest = digestOf(content);
  const push = async (): Promise<void> => {
    const id = randomUUID();
    await storage.begin(id);
    await storage.append(id, bytes(content), { algorithm: 'sha256' });
    await storage.commit(id, digest);
  };
  await push();
  truncateSync(scratch.join('blobs', 'sha256', digest.slice(7, 9), digest.slice(7)), 100);
  assert.equal(await storage.size(digest), 100);
  await push();
  assert.equal(await storage.size(digest), content.length);
});
