import assert from 'node:assert/strict';
import { createHash, randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { type Digest, digestOf, parseDigest } from '#/oci/digest.ts';
import type { BlobStorage } from './blob-storage.ts';

/** A storage to test, and what is to be done in the end. */
export interface TestedStorage extends AsyncDisposable {
  readonly storage: BlobStorage;
  /** Another one on the same content, as after a restart. */
  readonly reopen: () => Promise<BlobStorage>;
}

async function* bytes(...chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield chunk;
}

async function* thenFails(chunk: Uint8Array): AsyncGenerator<Uint8Array> {
  yield chunk;
  throw new Error('line cut');
}

async function readAll(
  storage: BlobStorage,
  digest: Digest,
  range: { start: number; end: number },
): Promise<Buffer> {
  await using reading = await storage.read(digest, range);
  const pieces: Buffer[] = [];
  for await (const piece of reading) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

async function store(storage: BlobStorage, content: Uint8Array): Promise<Digest> {
  const id = randomUUID();
  await storage.begin(id);
  await storage.append(id, bytes(content), { algorithm: 'sha256' });
  await storage.commit(id, digestOf(content));
  return digestOf(content);
}

/** What every driver of `BlobStorage` does. */
export function blobStorageContract(name: string, make: () => Promise<TestedStorage>): void {
  const contract = (title: string, run: (tested: TestedStorage) => Promise<void>): void => {
    test(`${name}: ${title}`, async () => {
      await using tested = await make();
      await run(tested);
    });
  };

  contract('gives back what was uploaded in one piece', async ({ storage }) => {
    const content = randomBytes(3_000_001);
    const id = randomUUID();
    await storage.begin(id);
    assert.equal(await storage.uploaded(id), 0);
    assert.equal(await storage.append(id, bytes(content), { algorithm: 'sha256' }), content.length);
    assert.equal(await storage.commit(id, digestOf(content)), content.length);
    assert.equal(await storage.uploaded(id), undefined);
    assert.equal(await storage.size(digestOf(content)), content.length);
    const whole = { start: 0, end: content.length - 1 };
    assert.ok((await readAll(storage, digestOf(content), whole)).equals(content));
  });

  contract('gives back parts', async ({ storage }) => {
    const content = randomBytes(1_500_000);
    const digest = await store(storage, content);
    for (const [start, end] of [
      [0, 0],
      [999_999, 1_200_000],
      [1_499_999, 1_499_999],
    ] as const) {
      assert.ok((await readAll(storage, digest, { start, end })).equals(content.subarray(start, end + 1)));
    }
  });

  contract('joins what comes in several requests', async ({ storage }) => {
    const parts = [randomBytes(6_000_000), randomBytes(1), randomBytes(5_500_000), randomBytes(7)];
    const id = randomUUID();
    await storage.begin(id);
    let size = 0;
    for (const part of parts) {
      size += part.length;
      assert.equal(await storage.append(id, bytes(part), { algorithm: 'sha256' }), size);
      assert.equal(await storage.uploaded(id), size);
    }
    const content = Buffer.concat(parts);
    assert.equal(await storage.commit(id, digestOf(content)), size);
    assert.ok((await readAll(storage, digestOf(content), { start: 0, end: size - 1 })).equals(content));
  });

  contract('stores a blob without bytes', async ({ storage }) => {
    const digest = await store(storage, Buffer.alloc(0));
    assert.equal(await storage.size(digest), 0);
  });

  contract('verifies sha512, announced or not', async ({ storage }) => {
    for (const algorithm of ['sha512', 'sha256']) {
      const content = randomBytes(100_000);
      const digest = parseDigest(`sha512:${createHash('sha512').update(content).digest('hex')}`);
      const id = randomUUID();
      await storage.begin(id);
      await storage.append(id, bytes(content), { algorithm });
      assert.equal(await storage.commit(id, digest), content.length);
      assert.equal(await storage.size(digest), content.length);
    }
  });

  contract(
    'refuses content with another digest and keeps the upload until it is cancelled',
    async ({ storage }) => {
      const id = randomUUID();
      const digest = digestOf('something else');
      await storage.begin(id);
      await storage.append(id, bytes(Buffer.from('content')), { algorithm: 'sha256' });
      await assert.rejects(storage.commit(id, digest), { kind: 'invalid' });
      assert.equal(await storage.size(digest), undefined);
      assert.equal(await storage.size(digestOf('content')), undefined);
      await storage.cancel(id);
      assert.equal(await storage.uploaded(id), undefined);
      assert.deepEqual(await Array.fromAsync(storage.uploads()), []);
    },
  );

  contract('keeps what came before the source failed, and goes on from there', async ({ storage }) => {
    const [first, second] = [randomBytes(5_300_000), randomBytes(200_000)];
    const id = randomUUID();
    await storage.begin(id);
    await assert.rejects(storage.append(id, thenFails(first), { algorithm: 'sha256' }), /line cut/);
    const size = (await storage.uploaded(id)) ?? 0;
    const content = Buffer.concat([first, second]);
    await storage.append(id, bytes(content.subarray(size)), { algorithm: 'sha256' });
    assert.equal(await storage.commit(id, digestOf(content)), content.length);
  });

  contract('goes on with an upload after a restart', async ({ storage, reopen }) => {
    const [first, second] = [randomBytes(5_300_000), randomBytes(300_000)];
    const id = randomUUID();
    await storage.begin(id);
    await storage.append(id, bytes(first), { algorithm: 'sha256' });
    await using later = await reopen();
    assert.deepEqual(await Array.fromAsync(later.uploads()), [id]);
    assert.equal(
      await later.append(id, bytes(second), { algorithm: 'sha256' }),
      first.length + second.length,
    );
    const content = Buffer.concat([first, second]);
    assert.equal(await later.commit(id, digestOf(content)), content.length);
    assert.deepEqual(await Array.fromAsync(later.uploads()), []);
  });

  contract('takes the same content twice, also at once', async ({ storage }) => {
    const content = randomBytes(400_000);
    await Promise.all([store(storage, content), store(storage, content)]);
    await store(storage, content);
    const found = await Array.fromAsync(storage.blobs());
    assert.deepEqual(
      found.map(({ digest, size }) => [digest, size]),
      [[digestOf(content), content.length]],
    );
    assert.ok(Math.abs((found[0]?.modified ?? 0) - Date.now()) < 600_000);
    assert.deepEqual(await Array.fromAsync(storage.uploads()), []);
  });

  contract('what does not exist is notFound, undefined or false', async ({ storage }) => {
    const digest = digestOf('never stored');
    const id = randomUUID();
    assert.equal(await storage.size(digest), undefined);
    assert.equal(await storage.remove(digest), false);
    assert.equal(await storage.uploaded(id), undefined);
    await assert.rejects(storage.read(digest, { start: 0, end: 0 }), { kind: 'notFound' });
    await assert.rejects(storage.append(id, bytes(Buffer.from('x')), { algorithm: 'sha256' }), {
      kind: 'notFound',
    });
    await assert.rejects(storage.commit(id, digest), { kind: 'notFound' });
    await storage.cancel(id);
  });

  contract('removes blobs', async ({ storage }) => {
    const digest = await store(storage, Buffer.from('short-lived'));
    assert.equal(await storage.remove(digest), true);
    assert.equal(await storage.size(digest), undefined);
    assert.deepEqual(await Array.fromAsync(storage.blobs()), []);
  });

  contract('a reading that is given up lets go', async ({ storage }) => {
    const digest = await store(storage, randomBytes(2_000_000));
    for (let turn = 0; turn < 3; turn += 1) {
      await using reading = await storage.read(digest, { start: 0, end: 1_999_999 });
      for await (const piece of reading) if (piece.length > 0) break;
    }
    await using _unread = await storage.read(digest, { start: 5, end: 9 });
  });
}
