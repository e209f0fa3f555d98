import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { mount, unmount } from '#/kernel/mount.ts';
import { digestOf, parseDigest } from '#/oci/digest.ts';
import { pieces } from '#/tar/tar-samples.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { ContentStore } from './content-store.ts';

const text = Buffer.alloc(3_000_000, 'some content. ');

test('ContentStore: is an OCI image layout with the blobs under their digests', async () => {
  using scratch = scratchDir();
  const root = scratch.join('content');
  const content = await ContentStore.open({ root });
  const { digest, size } = await content.ingest(pieces(text, 70_001));
  assert.deepEqual([digest, size], [digestOf(text), text.length]);
  assert.deepEqual(JSON.parse(readFileSync(`${root}/oci-layout`, 'utf8')), { imageLayoutVersion: '1.0.0' });
  assert.equal(
    (JSON.parse(readFileSync(`${root}/index.json`, 'utf8')) as { schemaVersion: number }).schemaVersion,
    2,
  );
  assert.deepEqual(readFileSync(`${root}/blobs/${digest.replace(':', '/')}`), text);
  assert.equal(statSync(root).mode & 0o777, 0o700);
  assert.deepEqual(readdirSync(`${root}/ingest`), []);
});

test('ContentStore: gives back what was stored, whole, in parts and as facts', async () => {
  using scratch = scratchDir();
  const content = await ContentStore.open({ root: scratch.path });
  const { digest } = await content.ingest(pieces(text));
  await content.ingest(pieces(text));
  assert.deepEqual(Buffer.concat(await Array.fromAsync(content.open(digest))), text);
  assert.deepEqual(
    Buffer.concat(await Array.fromAsync(content.open(digest, { start: 2_999_990 }))),
    text.subarray(2_999_990),
  );
  assert.deepEqual(await content.read(digest, text.length), text);
  await assert.rejects(content.read(digest, text.length - 1), { kind: 'tooLarge' });
  assert.deepEqual(await content.list(), [{ digest, size: text.length }]);
  assert.deepEqual([await content.has(digest), await content.size(digest)], [true, text.length]);
});

test('ContentStore: what does not exist is notFound', async () => {
  using scratch = scratchDir();
  const content = await ContentStore.open({ root: scratch.path });
  const digest = digestOf('never stored');
  assert.equal(await content.has(digest), false);
  assert.equal(await content.remove(digest), false);
  await assert.rejects(content.size(digest), { kind: 'notFound' });
  await assert.rejects(content.read(digest, 10), { kind: 'notFound' });
  await assert.rejects(Array.fromAsync(content.open(digest)), { kind: 'notFound' });
});

test('ContentStore.lend: gives what open gives, in two buffers', async () => {
  using scratch = scratchDir();
  const content = await ContentStore.open({ root: scratch.path });
  const large = randomBytes(1_500_000);
  const { digest } = await content.ingest(pieces(large));
  const lent: Buffer[] = [];
  const buffers = new Set<ArrayBufferLike>();
  for await (const piece of content.lend(digest)) {
    lent.push(Buffer.from(piece));
    buffers.add(piece.buffer);
  }
  assert.deepEqual(Buffer.concat(lent), large);
  assert.equal(buffers.size, 2);
  for await (const piece of content.lend(digest)) {
    assert.ok(piece.length > 0);
    break;
  }
  await assert.rejects(content.lend(digestOf('other')).next(), { kind: 'notFound' });
});

test('ContentStore: content with another digest, too much of it, or a failing source leaves nothing', async () => {
  using scratch = scratchDir();
  const content = await ContentStore.open({ root: scratch.path });
  async function* failing(): AsyncGenerator<Uint8Array> {
    yield text;
    throw new Error('line cut');
  }
  await assert.rejects(content.ingest(pieces(text), { expected: digestOf('other') }), {
    kind: 'invalid',
    message: /expected sha256/,
  });
  await assert.rejects(content.ingest(pieces(text), { maxBytes: text.length - 1 }), { kind: 'tooLarge' });
  await assert.rejects(content.ingest(failing()), /line cut/);
  assert.deepEqual(await content.list(), []);
  assert.deepEqual(readdirSync(scratch.join('ingest')), []);
});

test('ContentStore: other algorithms are kept under their names', async () => {
  using scratch = scratchDir();
  const content = await ContentStore.open({ root: scratch.path });
  const expected = parseDigest(
    'sha512:9b71d224bd62f3785d96d46ad3ea3d73319bfbc2890caadae2dff72519673ca72323c3d99ba5c11d7c7acc6e14b8c5da0c4663475c2e5c3adef46f73bcdec043',
  );
  assert.equal((await content.ingest(pieces(Buffer.from('hello')), { expected })).digest, expected);
  assert.deepEqual(await content.list(), [{ digest: expected, size: 5 }]);
});

test('ContentStore: held blobs are not removed', async () => {
  using scratch = scratchDir();
  const content = await ContentStore.open({ root: scratch.path });
  const hold = content.hold();
  const { digest } = await content.ingest(pieces(text), { hold });
  assert.equal(await content.remove(digest), false);
  hold[Symbol.dispose]();
  assert.equal(await content.remove(digest), true);
  assert.equal(await content.has(digest), false);
});

test('ContentStore: opening again sweeps what an interrupted ingest left and keeps the blobs', async () => {
  using scratch = scratchDir();
  const { digest } = await (await ContentStore.open({ root: scratch.path })).ingest(pieces(text));
  writeFileSync(scratch.join('ingest/half'), 'half');
  const content = await ContentStore.open({ root: scratch.path });
  assert.deepEqual(readdirSync(scratch.join('ingest')), []);
  assert.ok(await content.has(digest));
});

test('ContentStore: a full disk is an error and leaves nothing', async () => {
  using scratch = scratchDir();
  mkdirSync(scratch.join('small'));
  mount({ type: 'tmpfs', source: 'tmpfs', options: ['size=1m'] }, scratch.join('small'));
  try {
    const content = await ContentStore.open({ root: scratch.join('small') });
    await assert.rejects(content.ingest(pieces(text)), { code: 'ENOSPC' });
    assert.deepEqual(await content.list(), []);
    assert.ok((await content.ingest(pieces(text.subarray(0, 500_000)))).size > 0);
  } finally {
    unmount(scratch.join('small'));
  }
});
