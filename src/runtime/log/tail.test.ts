import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { tailStart } from './tail.ts';

const time = '2026-01-02T03:04:05.000000006+00:00';

/** Where a whole read says that the last `count` lines start: at the first piece that belongs to one of them. */
function expectedStart(lines: readonly string[], count: number): { offset: number; missing: number } {
  const seen = new Set<string>();
  let wanted = count;
  for (let index = lines.length - 1; index >= 0; index--) {
    const [, stream = '', tag = ''] = (lines[index] ?? '').split(' ');
    if (tag === 'P' && seen.has(stream)) continue;
    seen.add(stream);
    if (wanted === 0)
      return { offset: Buffer.byteLength(`${lines.slice(0, index + 1).join('\n')}\n`), missing: 0 };
    wanted--;
  }
  return { offset: 0, missing: wanted };
}

test('tailStart: agrees with a whole read for any mix of streams, pieces, lengths and a half-written end', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'skiff-tail-'));
  const path = join(dir, 'log');
  const line = fc
    .tuple(fc.constantFrom('stdout', 'stderr'), fc.constantFrom('F', 'P'), fc.integer({ min: 0, max: 9000 }))
    .map(([stream, tag, length]) => `${time} ${stream} ${tag} ${'é'.repeat(length / 2)}`);
  try {
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 60 }),
        fc.nat(70),
        fc.boolean(),
        async (lines, count, halfWritten) => {
          writeFileSync(
            path,
            lines.map((text) => `${text}\n`).join('') + (halfWritten ? `${time} stdo` : ''),
          );
          await using file = await open(path);
          const { size } = await file.stat();
          assert.deepEqual(await tailStart(file, size, count), expectedStart(lines, count));
        },
      ),
      { numRuns: 150 },
    );
  } finally {
    rmSync(dir, { recursive: true });
  }
});
