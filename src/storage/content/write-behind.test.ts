import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { test } from 'node:test';
import fc from 'fast-check';
import { scratchDir } from '#tests/scratch-dir.ts';
import { WriteBehind } from './write-behind.ts';

test('WriteBehind: writes all chunks in their order, and tells how far it is', async () => {
  using scratch = scratchDir();
  const chunk = fc
    .tuple(fc.nat(255), fc.oneof(fc.nat(100), fc.nat(700_000)))
    .map(([byte, size]) => Buffer.alloc(size, byte));
  await fc.assert(
    fc.asyncProperty(fc.array(chunk, { maxLength: 12 }), async (chunks) => {
      await using file = await open(scratch.join('file'), 'w+');
      let written = 0;
      const output = new WriteBehind(file, (bytes) => (written += bytes));
      for (const one of chunks) await output.append(one);
      await output.flush();
      const whole = Buffer.concat(chunks);
      assert.equal(written, whole.length);
      assert.ok(readFileSync(scratch.join('file')).equals(whole));
    }),
    { numRuns: 40 },
  );
});

test('WriteBehind: a failed write fails what comes after it', async () => {
  await using file = await open('/dev/full', 'w');
  const output = new WriteBehind(file);
  const append = async (): Promise<void> => {
    for (let n = 0; n < 10; n += 1) await output.append(Buffer.alloc(300_000));
  };
  await assert.rejects(append(), { code: 'ENOSPC' });
  await assert.rejects(output.flush(), { code: 'ENOSPC' });
});
