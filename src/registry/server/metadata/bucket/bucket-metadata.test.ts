import assert from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { type S3Server, s3Config, startS3 } from '#tests/s3-server.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { type Content, openBucketContent } from '../../content.ts';
import { metadataContract } from '../metadata.contract.ts';
import { decodeName, encodeName } from './keys.ts';

function open(server: S3Server, root: string): Promise<Content> {
  return openBucketContent({ root, config: s3Config(server), settle: 0 });
}

metadataContract('BucketMetadata', async () => {
  const server = await startS3();
  const dir = scratchDir();
  const content = await open(server, dir.path);
  return {
    storage: content.storage,
    metadata: content.metadata,
    async [Symbol.asyncDispose]() {
      await content[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
      dir[Symbol.dispose]();
    },
  };
});

async function* bytes(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** Pushes an image of one layer as a client does; false if it was told to try again. */
async function pushImage({ storage, metadata }: Content, repository: string, text: string): Promise<boolean> {
  const layer = digestOf(text);
  if ((await metadata.links.size(repository, layer)) === undefined) {
    const id = randomUUID();
    await storage.begin(id);
    await storage.append(id, bytes(text), { algorithm: 'sha256' });
    const size = await storage.commit(id, layer);
    try {
      await metadata.links.link(repository, { digest: layer, size });
    } catch {
      return false;
    }
  }
  const content = Buffer.from(JSON.stringify({ layer }));
  const missing = await metadata.manifests.put(
    repository,
    {
      digest: digestOf(content),
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      content,
      references: [{ digest: layer, kind: 'blob' }],
      subject: undefined,
      artifactType: undefined,
      annotations: undefined,
    },
    ['latest'],
  );
  return missing.length === 0;
}

async function collect({ storage, metadata }: Content): Promise<void> {
  const before = Date.now() + 60_000;
  await Array.fromAsync(metadata.unused.dropLinks({ before, dryRun: false }));
  for await (const { digest } of metadata.unused.blobs()) {
    if (await metadata.unused.claim(digest)) await storage.remove(digest);
  }
}

test('BucketMetadata: processes that push the same image while another one collects without any grace lose nothing', async () => {
  await using server = await startS3();
  using dir = scratchDir();
  const processes = await Promise.all(['a', 'b', 'c', 'd'].map((name) => open(server, dir.join(name))));
  const [collector, reader] = [processes[3], processes[0]];
  assert.ok(collector !== undefined && reader !== undefined);
  const layer: Digest = digestOf('the layer');
  let pushed = 0;
  for (let round = 0; round < 6; round += 1) {
    const pushes = processes
      .slice(0, 3)
      .map((content, n) => pushImage(content, `team/${n % 2}`, 'the layer'));
    const results = await Promise.all([...pushes, collect(collector).then(() => undefined)]);
    pushed += results.filter((result) => result === true).length;
    // Whatever tag is there has its manifest, its link and its bytes.
    for (const repository of ['team/0', 'team/1']) {
      const manifest = await reader.metadata.manifests.get(repository, { tag: 'latest' });
      if (manifest === undefined) continue;
      assert.equal(await reader.metadata.links.size(repository, layer), 9, `link in ${repository}`);
      await using reading = await reader.storage.read(layer, { start: 0, end: 8 });
      assert.equal(Buffer.concat(await Array.fromAsync(reading)).toString(), 'the layer');
      await reader.metadata.manifests.delete(repository, manifest.digest);
    }
  }
  assert.ok(pushed > 0);
});

test('encodeName: keeps names apart and in order', () => {
  const name = fc.string({
    unit: fc.constantFrom('a', 'z', '0', '-', '.', '/', '_'),
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(name, name, (a, b) => {
      assert.equal(decodeName(encodeName(a)), a);
      assert.ok(!encodeName(a).includes('/'));
      assert.equal(a < b, encodeName(a) < encodeName(b));
    }),
  );
});
