import assert from 'node:assert/strict';
import { randomBytes, randomUUID } from 'node:crypto';
import { test } from 'node:test';
import { isKind } from '#/base/errors.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { type S3Server, startS3 } from '#tests/s3-server.ts';
import { blobStorageContract, type TestedStorage } from '../blob-storage.contract.ts';
import type { BlobStorage } from '../blob-storage.ts';
import { Bucket } from './bucket.ts';
import { S3Credentials } from './credentials.ts';
import { S3Requests } from './s3-request.ts';
import { S3BlobStorage } from './s3-storage.ts';

const partSize = 5 * 1024 * 1024;

function bucketOf(server: S3Server, secretAccessKey: string = server.secretAccessKey): Bucket {
  const { endpoint, bucket, accessKeyId } = server;
  const keys = { kind: 'keys', accessKeyId, secretAccessKey, sessionToken: undefined } as const;
  const prefix = 'some/where/';
  const config = {
    bucket,
    region: 'us-east-1',
    endpoint,
    pathStyle: true,
    prefix,
    credentials: keys,
    redirect: false,
    partSize,
  };
  return new Bucket(new S3Requests(config, new S3Credentials(keys)), prefix);
}

function open(server: S3Server, redirect = false): S3BlobStorage {
  return new S3BlobStorage(bucketOf(server), { partSize, redirect });
}

async function make(options?: { conditional?: boolean }): Promise<TestedStorage> {
  const server = await startS3(options);
  const storage = open(server);
  return {
    storage,
    reopen: () => Promise.resolve(open(server)),
    async [Symbol.asyncDispose]() {
      await storage[Symbol.asyncDispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

blobStorageContract('S3BlobStorage', () => make());
blobStorageContract('S3BlobStorage without conditional writes', () => make({ conditional: false }));

async function* bytes(content: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < content.length; at += 100_000) yield content.subarray(at, at + 100_000);
}

async function store(storage: BlobStorage, content: Uint8Array): Promise<Digest> {
  const id = randomUUID();
  await storage.begin(id);
  await storage.append(id, bytes(content), { algorithm: 'sha256' });
  await storage.commit(id, digestOf(content));
  return digestOf(content);
}

async function whole(storage: BlobStorage, digest: Digest, size: number): Promise<Buffer> {
  await using reading = await storage.read(digest, { start: 0, end: size - 1 });
  return Buffer.concat((await Array.fromAsync(reading)).map((piece) => Buffer.from(piece)));
}

test('S3BlobStorage: several processes push, remove and push the same blob; whoever was told that it is there can read it', async () => {
  await using server = await startS3();
  const content = randomBytes(200_000);
  const digest = digestOf(content);
  const pushers = [open(server), open(server), open(server)];
  const remover = open(server);
  for (let round = 0; round < 8; round += 1) {
    await Promise.all([...pushers.map((storage) => store(storage, content)), remover.remove(digest)]);
    // The remover was first, or has lost against a push, or the push that came after it has won: never in between.
    const present = await open(server).size(digest);
    if (present === undefined) continue;
    for (const storage of pushers) assert.ok((await whole(storage, digest, content.length)).equals(content));
  }
  await store(remover, content);
  assert.ok((await whole(open(server), digest, content.length)).equals(content));
});

test('S3BlobStorage.cancel: an upload that became a blob before its process died leaves the blob alone', async () => {
  await using server = await startS3();
  for (const size of [1000, partSize + 1000]) {
    const content = randomBytes(size);
    const storage = open(server);
    const id = randomUUID();
    await storage.begin(id);
    await storage.append(id, bytes(content), { algorithm: 'sha256' });
    // The process dies when the pointer is written and the upload is still there.
    server.fail(403, (request) => request.startsWith('DELETE') && request.includes(`/uploads/${id}`));
    await assert.rejects(storage.commit(id, digestOf(content)), /403/);
    server.heal();
    const later = open(server);
    assert.deepEqual(await Array.fromAsync(later.uploads()), [id]);
    await later.cancel(id);
    assert.deepEqual(await Array.fromAsync(later.uploads()), []);
    assert.ok((await whole(later, digestOf(content), size)).equals(content));
  }
});

test('S3BlobStorage.append: what did not reach the bucket is not counted, and the client can send it again', async () => {
  await using server = await startS3();
  const storage = open(server);
  const content = randomBytes(2 * partSize + 1000);
  const id = randomUUID();
  await storage.begin(id);
  let parts = 0;
  server.fail(403, (request) => {
    if (request.startsWith('PUT') && request.includes('/data/')) parts += 1;
    return parts > 1;
  });
  await assert.rejects(storage.append(id, bytes(content), { algorithm: 'sha256' }), /403/);
  server.heal();
  assert.equal(await storage.uploaded(id), partSize);
  await storage.append(id, bytes(content.subarray(partSize)), { algorithm: 'sha256' });
  assert.equal(await storage.commit(id, digestOf(content)), content.length);
  assert.ok((await whole(storage, digestOf(content), content.length)).equals(content));
});

test('S3BlobStorage.redirect: a signed URL gives the blob to whoever has it, and nobody else anything', async () => {
  await using server = await startS3();
  const storage = open(server, true);
  const digest = await store(storage, Buffer.from('content'));
  const url = new URL((await storage.redirect?.(digest)) ?? '');
  assert.equal(await (await fetch(url)).text(), 'content');
  assert.ok(Number(url.searchParams.get('X-Amz-Expires')) <= 600);
  const signature = url.searchParams.get('X-Amz-Signature') ?? '';
  url.searchParams.set('X-Amz-Signature', signature.replace(/^./, signature.startsWith('0') ? '1' : '0'));
  assert.equal((await fetch(url)).status, 403);
  assert.equal(await storage.redirect?.(digestOf('never')), undefined);
  assert.equal(open(server).redirect, undefined);
});

test('Bucket: transient failures are tried again, others are told with what was asked, where and why', async () => {
  await using server = await startS3();
  const bucket = bucketOf(server);
  let failures = 0;
  server.fail(503, (request) => request.startsWith('PUT') && (failures += 1) <= 2);
  await bucket.put('x', 'y');
  assert.equal(failures, 3);
  server.heal();
  assert.equal((await bucket.get('x'))?.bytes.toString(), 'y');
  await assert.rejects(
    bucketOf(server, 'wrong').put('x', 'y'),
    /cannot PUT "x" in the bucket "bucket" at 127\.0\.0\.1:\d+: 403 SignatureDoesNotMatch/,
  );
  server.fail(500, () => true);
  await assert.rejects(
    bucket.get('x'),
    (error) => isKind(error, 'unavailable') && /500 Injected: by the test/.test(error.message),
  );
});

test('Bucket: conditions hold, also for keys with all kinds of characters, and listings are in order and complete', async () => {
  await using server = await startS3();
  const bucket = bucketOf(server);
  const etag = await bucket.put('a b+c&d=é!(1)', 'one', { absent: true });
  assert.ok(etag !== undefined);
  assert.equal(await bucket.put('a b+c&d=é!(1)', 'two', { absent: true }), undefined);
  assert.equal(await bucket.put('a b+c&d=é!(1)', 'two', { etag: '"other"' }), undefined);
  assert.ok((await bucket.put('a b+c&d=é!(1)', 'two', { etag })) !== undefined);
  assert.equal((await bucket.get('a b+c&d=é!(1)'))?.bytes.toString(), 'two');
  await bucket.remove('a b+c&d=é!(1)', etag);
  assert.equal((await bucket.get('a b+c&d=é!(1)'))?.bytes.toString(), 'two');
  const keys = Array.from({ length: 25 }, (_, n) => `list/${String(n).padStart(3, '0')}`);
  await Promise.all(keys.map((key) => bucket.put(key, 'x')));
  const listed = await Array.fromAsync(bucket.list({ prefix: 'list/', page: 10 }));
  assert.deepEqual(
    listed.map(({ key }) => key),
    keys,
  );
  const rest = await Array.fromAsync(bucket.list({ prefix: 'list/', after: 'list/022' }));
  assert.deepEqual(
    rest.map(({ key }) => key),
    ['list/023', 'list/024'],
  );
});
