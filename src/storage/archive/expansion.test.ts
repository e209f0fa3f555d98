import assert from 'node:assert/strict';
import { test } from 'node:test';
import { zstdCompressSync } from 'node:zlib';
import { decompress } from './compression.ts';
import { bounded } from './expansion.ts';

/** Bytes that come in small pieces, and how many have come. */
function counted(bytes: Buffer): { source: AsyncIterable<Uint8Array>; read: () => number } {
  let read = 0;
  async function* source(): AsyncGenerator<Uint8Array, void, undefined> {
    for (let at = 0; at < bytes.length; at += 100) {
      const piece = bytes.subarray(at, at + 100);
      read += piece.length;
      yield piece;
    }
  }
  return { source: source(), read: () => read };
}

test('bounded: ends what becomes too large for what was read of it, and passes everything else on', async () => {
  const bomb = counted(zstdCompressSync(Buffer.alloc(64 << 20)));
  const { bytes } = await decompress(bomb.source);
  let count = 0;
  await assert.rejects(
    async () => {
      for await (const chunk of bounded(bytes, bomb.read, { free: 1 << 20, ratio: 200 }))
        count += chunk.length;
    },
    {
      kind: 'tooLarge',
      message: /\d+ bytes came out of \d+, more than 200 times as many; it looks like a .* bomb/,
    },
  );
  assert.ok(count < 4 << 20, `${count}`);

  const fits = counted(zstdCompressSync(Buffer.alloc(1 << 20)));
  const opened = await decompress(fits.source);
  const all = await Array.fromAsync(bounded(opened.bytes, fits.read, { free: 1 << 20, ratio: 0 }));
  assert.equal(Buffer.concat(all).length, 1 << 20);
});
