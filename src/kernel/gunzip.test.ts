import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { test } from 'node:test';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { canGunzip, GzipInflater, InflateError } from './gunzip.ts';

function inflated(data: Uint8Array, step: number): Buffer {
  using inflater = new GzipInflater();
  const pieces: Buffer[] = [];
  for (let at = 0; at < data.length; at += step)
    for (const piece of inflater.inflate(data.subarray(at, at + step))) pieces.push(Buffer.from(piece));
  inflater.end();
  return Buffer.concat(pieces);
}

/** Hexadecimal digits of the data, or that there are none. */
function outcome(inflate: () => Buffer): string {
  try {
    return inflate().toString('hex');
  } catch {
    return 'damaged';
  }
}

test('canGunzip: this Node exports zlib', () => {
  assert.equal(canGunzip(), true);
});

test('GzipInflater: gives what zlib gives, for one member or several, cut anywhere', () => {
  const content = fc.oneof(
    fc.uint8Array({ maxLength: 3000 }),
    fc.string({ maxLength: 300 }).map((text) => Buffer.from(text.repeat(500))),
  );
  const member = fc
    .tuple(content, fc.integer({ min: 0, max: 9 }))
    .map(([data, level]) => gzipSync(data, { level }));
  const stream = fc
    .tuple(fc.array(member, { minLength: 1, maxLength: 4 }), fc.nat({ max: 20 }))
    .map(([members, zeros]) => Buffer.concat([...members, Buffer.alloc(zeros)]));
  fc.assert(
    fc.property(stream, fc.integer({ min: 1, max: 5000 }), (data, step) => {
      assert.deepEqual(inflated(data, step), gunzipSync(data));
    }),
    { numRuns: 200 },
  );
});

test('GzipInflater: pieces larger than its buffers', () => {
  const random = randomBytes(3_000_000);
  assert.deepEqual(inflated(gzipSync(random), 1_000_000), random);
  const zeros = Buffer.alloc(20_000_000);
  assert.deepEqual(inflated(gzipSync(zeros), 7_777), zeros);
});

test('GzipInflater: truncated and damaged data are errors', () => {
  const whole = gzipSync(randomBytes(20_000));
  fc.assert(
    fc.property(fc.integer({ min: 0, max: whole.length - 1 }), (length) => {
      assert.throws(() => inflated(whole.subarray(0, length), 1000), InflateError);
    }),
  );
  fc.assert(
    fc.property(
      fc.integer({ min: 10, max: whole.length - 1 }),
      fc.integer({ min: 1, max: 255 }),
      (at, change) => {
        const damaged = Buffer.from(whole);
        damaged[at] = (damaged[at] ?? 0) ^ change;
        // Some bits of the format mean nothing.
        assert.equal(
          outcome(() => inflated(damaged, 1000)),
          outcome(() => gunzipSync(damaged)),
        );
      },
    ),
  );
  assert.throws(() => inflated(Buffer.concat([whole, Buffer.from('garbage')]), 1000), InflateError);
  assert.throws(() => inflated(Buffer.from('no gzip at all'), 1000), InflateError);
});

test('GzipInflater: any bytes give data or an InflateError', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.boolean(), (bytes, asGzip) => {
      const data = asGzip ? Buffer.concat([Buffer.from([0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3]), bytes]) : bytes;
      try {
        inflated(data, 100);
      } catch (error) {
        assert.ok(error instanceof InflateError);
      }
    }),
    { numRuns: 1000 },
  );
});
