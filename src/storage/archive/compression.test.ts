import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { isKind } from '#/base/errors.ts';
import type { Compression } from '#/tar/compression-kind.ts';
import { pieces } from '#/tar/tar-samples.ts';
import { compress, type DecompressOptions, decompress, sniffCompression } from './compression.ts';

const text = Buffer.concat([Buffer.alloc(300_000, 'a text that repeats. '), randomBytes(1000)]);

/** All ways to inflate must agree. */
async function inflated(data: Uint8Array, size?: number): Promise<[Compression, Buffer]> {
  const ways: readonly DecompressOptions[] = [
    { inflater: 'directly' },
    { inflater: 'stream' },
    { inflater: 'directly', lent: true },
    { inflater: 'stream', lent: true },
  ];
  const [first, ...others] = await Promise.allSettled(
    ways.map(async (options): Promise<[Compression, Buffer]> => {
      const source = options.lent === true ? lending(data, size) : pieces(data, size);
      const { compression, bytes } = await decompress(source, options);
      const found: Buffer[] = [];
      for await (const chunk of bytes)
        found.push(options.lent === true ? Buffer.from(chunk) : (chunk as Buffer));
      return [compression, Buffer.concat(found)];
    }),
  );
  assert.ok(first !== undefined);
  for (const other of others) {
    assert.equal(other.status, first.status);
    if (first.status === 'fulfilled' && other.status === 'fulfilled')
      assert.deepEqual(other.value, first.value);
  }
  if (first.status === 'rejected') throw first.reason;
  return first.value;
}

/** Each chunk is overwritten before the next one comes. */
async function* lending(data: Uint8Array, size: number = 1 << 20): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces(data, size)) {
    const chunk = Buffer.from(piece);
    yield chunk;
    chunk.fill(0xee);
  }
}

const packed: readonly (readonly [Compression, Buffer])[] = [
  ['none', text],
  ['gzip', gzipSync(text)],
  ['zstd', zstdCompressSync(text)],
];

for (const [name, data] of packed) {
  test(`decompress: finds ${name} by itself, in pieces of any size`, async () => {
    for (const size of [1 << 20, 1000, 3]) assert.deepEqual(await inflated(data, size), [name, text]);
  });

  test(`compress: ${name} comes back as it was`, async () => {
    const made = Buffer.concat(await Array.fromAsync(compress(pieces(text), name)));
    assert.deepEqual(await inflated(made), [name, text]);
  });
}

test('decompress: reads a gzip of several members, and short and empty streams', async () => {
  assert.deepEqual(await inflated(Buffer.concat([gzipSync('one '), gzipSync('two')])), [
    'gzip',
    Buffer.from('one two'),
  ]);
  assert.deepEqual(await inflated(Buffer.from('abc'), 1), ['none', Buffer.from('abc')]);
  assert.deepEqual(await inflated(Buffer.alloc(0)), ['none', Buffer.alloc(0)]);
});

test('decompress: damaged and truncated data is invalid', async () => {
  for (const [name, data] of packed.slice(1)) {
    const damaged = Buffer.from(data);
    damaged.fill(0xff, 12, 40);
    for (const bad of [damaged, data.subarray(0, data.length - 20)]) {
      await assert.rejects(
        inflated(bad),
        (error) => isKind(error, 'invalid') && error.message.includes(`damaged ${name} data`),
      );
    }
  }
});

test('decompress: a failing source fails the stream with its own error, and is told when nobody reads on', async () => {
  let closed = false;
  async function* source(): AsyncGenerator<Uint8Array> {
    try {
      yield gzipSync(randomBytes(500_000)).subarray(0, 400_000);
      throw new Error('line cut');
    } finally {
      closed = true;
    }
  }
  await assert.rejects(async () => Array.fromAsync((await decompress(source())).bytes), /line cut/);
  closed = false;
  for await (const _ of (await decompress(source())).bytes) break;
  await turn();
  assert.ok(closed);
});

test('sniffCompression: names what is not supported', () => {
  assert.throws(() => sniffCompression(Buffer.from('BZh91AY')), {
    kind: 'invalid',
    message: /bzip2 compression is not supported/,
  });
  assert.throws(() => sniffCompression(Buffer.from('fd377a585a00', 'hex')), {
    kind: 'invalid',
    message: /xz compression/,
  });
  assert.equal(sniffCompression(Buffer.from('502a4d18', 'hex')), 'zstd');
});
