import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { digestOf, parseDigest } from '#/oci/digest.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { ContentStore } from './content-store.ts';

const bytes = Buffer.from(Array.from({ length: 5000 }, (_, i) => (i * 7) % 251));
const expected = { digest: digestOf(bytes), size: bytes.length };

test('PartialBlob: what has come survives closing and opening the store, in whichever pieces', async () => {
  const cuts = fc.array(fc.integer({ min: 0, max: bytes.length }), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(cuts, fc.integer({ min: 1, max: 5000 }), async (points, step) => {
      using dir = scratchDir();
      for (const end of [...points.toSorted((a, b) => a - b), bytes.length]) {
        const content = await ContentStore.open({ root: dir.path });
        const partial = await content.partial(expected);
        while (partial.size < end) {
          await partial.append(bytes.subarray(partial.size, Math.min(partial.size + step, end)));
        }
        assert.equal(await content.has(expected.digest), false);
        if (end === bytes.length) assert.deepEqual(await partial.complete(), expected);
        else await partial.close();
        if (end === bytes.length) break;
      }
      const content = await ContentStore.open({ root: dir.path });
      assert.deepEqual(await content.read(expected.digest, 5000), bytes);
      assert.deepEqual(readdirSync(join(dir.path, 'partial')), []);
    }),
    { numRuns: 25 },
  );
});

test('PartialBlob.complete: other content than expected is refused and gone', async () => {
  using dir = scratchDir();
  const content = await ContentStore.open({ root: dir.path });
  const wrong = await content.partial(expected);
  await wrong.append(Buffer.alloc(bytes.length));
  await assert.rejects(wrong.complete(), /EngineError: Content has digest sha256:\w+, expected/);
  await assert.rejects(wrong.completed, /has digest/);
  const short = await content.partial(expected);
  assert.equal(short.size, 0);
  await short.append(bytes.subarray(1));
  await assert.rejects(short.complete(), { kind: 'invalid', message: /has 4999 bytes, expected 5000/ });
  assert.equal(await content.has(expected.digest), false);
  assert.deepEqual(readdirSync(join(dir.path, 'partial')), []);
});

test('PartialBlob.append: refuses more than the expected size', async () => {
  using dir = scratchDir();
  const content = await ContentStore.open({ root: dir.path });
  const partial = await content.partial(expected);
  await partial.append(bytes);
  await assert.rejects(partial.append(Buffer.from('x')), { kind: 'invalid' });
  await partial.close();
});

test('ContentStore.partial: garbage at the end of a partial file is found out, one that is too long begins anew', async () => {
  using dir = scratchDir();
  const content = await ContentStore.open({ root: dir.path });
  const path = join(dir.path, 'partial', `sha256-${expected.digest.slice(7)}`);
  writeFileSync(path, Buffer.concat([bytes.subarray(0, 100), Buffer.alloc(50)]));
  const torn = await content.partial(expected);
  assert.equal(torn.size, 150);
  await torn.append(bytes.subarray(150));
  await assert.rejects(torn.complete(), { kind: 'invalid' });
  writeFileSync(path, Buffer.alloc(bytes.length + 1));
  const long = await content.partial(expected);
  assert.equal(long.size, 0);
  await long.close();
});

test('ContentStore.partial: one writer at a time, and again after it has left', async () => {
  using dir = scratchDir();
  const content = await ContentStore.open({ root: dir.path });
  const first = await content.partial(expected);
  await assert.rejects(content.partial(expected), { kind: 'conflict' });
  await first.append(bytes.subarray(0, 10));
  await first.close();
  await first.close();
  await assert.rejects(first.completed, { kind: 'conflict' });
  await assert.rejects(first.append(bytes.subarray(10)), { kind: 'conflict' });
  const second = await content.partial(expected);
  assert.equal(second.size, 10);
  await second.close();
});

test('ContentStore.open: sweeps partial blobs that are a week old, and no younger ones', async () => {
  using dir = scratchDir();
  await ContentStore.open({ root: dir.path });
  const old = join(dir.path, 'partial', `sha256-${'a'.repeat(64)}`);
  const young = join(dir.path, 'partial', `sha256-${'b'.repeat(64)}`);
  for (const [path, days] of [
    [old, 8],
    [young, 6],
  ] as const) {
    writeFileSync(path, 'x');
    const time = Date.now() / 1000 - days * 24 * 3600;
    utimesSync(path, time, time);
  }
  await ContentStore.open({ root: dir.path });
  assert.deepEqual([existsSync(old), existsSync(young)], [false, true]);
});

test('PartialBlob: tells those who read along how far they can', async () => {
  using dir = scratchDir();
  const content = await ContentStore.open({ root: dir.path });
  const large = Buffer.alloc(2 * 1024 * 1024, 3);
  const digest = parseDigest(`sha512:${createHash('sha512').update(large).digest('hex')}`);
  const partial = await content.partial({ digest, size: large.length });
  const seen: [number, boolean][] = [];
  const unwatch = partial.watch(() => seen.push([partial.available, partial.ended]));
  await partial.append(large.subarray(0, 1024 * 1024));
  await partial.append(large.subarray(1024 * 1024));
  await partial.complete();
  unwatch();
  assert.deepEqual(seen, [
    [1024 * 1024, false],
    [2 * 1024 * 1024, false],
    [2 * 1024 * 1024, true],
  ]);
});
