import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { canDeflate, type Deflater, GzipDeflater } from './gzip.ts';

function deflated(deflater: Deflater, data: Uint8Array, step: number): Buffer {
  using gzip = new GzipDeflater(deflater);
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.length; at += step)
    for (const piece of gzip.deflate(data.subarray(at, at + step))) pieces.push(Buffer.from(piece));
  for (const piece of gzip.end()) pieces.push(Buffer.from(piece));
  return Buffer.concat(pieces);
}

/** Noise and repetition in turn. */
function mixed(size: number): Buffer {
  const noise = randomBytes(1000);
  const data = Buffer.alloc(size);
  for (let at = 0; at < size; at += 1500) noise.copy(data, at, at % 700, 700 + (at % 300));
  return data;
}

test('canDeflate: this Node exports zlib', () => {
  assert.equal(canDeflate('zlib'), true);
});

for (const deflater of ['isal', 'zlib'] as const) {
  const skip = canDeflate(deflater) ? false : `there is no library for ${deflater}`;

  test(`GzipDeflater: what ${deflater} makes is gzip of the content, cut anywhere`, { skip }, () => {
    const content = fc.oneof(
      fc.uint8Array({ maxLength: 3000 }),
      fc.string({ maxLength: 300 }).map((text) => Buffer.from(text.repeat(500))),
    );
    fc.assert(
      fc.property(content, fc.integer({ min: 1, max: 5000 }), (data, step) => {
        assert.deepEqual(gunzipSync(deflated(deflater, data, step)), Buffer.from(data));
      }),
      { numRuns: 200 },
    );
  });

  test(`GzipDeflater: ${deflater} and pieces larger than its buffers`, { skip }, () => {
    for (const data of [randomBytes(3_000_000), Buffer.alloc(20_000_000), mixed(5_000_000)]) {
      assert.deepEqual(gunzipSync(deflated(deflater, data, 1_000_000)), data);
      assert.deepEqual(gunzipSync(deflated(deflater, data, 262_144)), data);
    }
  });

  test(`GzipDeflater: ${deflater} makes the same bytes, however the content is cut`, { skip }, () => {
    const data = mixed(4_000_000);
    for (const step of [100_000, 262_144, 3_999_999, 333])
      assert.deepEqual(deflated(deflater, data, step), deflated(deflater, data, 4_000_000));
  });
}

test('GzipDeflater: zlib makes what node:zlib makes, so that what was packed before is made again', () => {
  const data = mixed(2_000_000);
  assert.deepEqual(deflated('zlib', data, 50_000), gzipSync(data));
});
