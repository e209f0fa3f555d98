import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { alignColumns, displayWidth, ellipsis } from './tabwriter.ts';

test('alignColumns: columns are as wide as their widest cell, at least ten, three apart', () => {
  assert.equal(alignColumns('A\tB\nlonger than ten\tx\n'), 'A                 B\nlonger than ten   x\n');
  assert.equal(alignColumns('A\tB\tC\nx\t\tz\n'), 'A         B         C\nx                   z\n');
});

test('alignColumns: a line without cells starts a new block', () => {
  assert.equal(alignColumns('aaaaaaaaaaaa\tb\n\nc\td'), 'aaaaaaaaaaaa   b\n\nc         d');
});

test('alignColumns: wide characters take two columns', () => {
  assert.equal(
    alignColumns('日本語日本語\tx\nab\ty', { minWidth: 0, padding: 1 }),
    '日本語日本語 x\nab           y',
  );
});

test('alignColumns: every second cell starts in the same column', () => {
  const cell = fc.stringMatching(/^[a-z ]{0,20}$/);
  fc.assert(
    fc.property(fc.array(fc.tuple(cell, cell), { minLength: 1 }), (rows) => {
      const lines = alignColumns(rows.map(([a, b]) => `${a}\t|${b}`).join('\n')).split('\n');
      const width = Math.max(10, ...rows.map(([a]) => a.length + 3));
      for (const [index, line] of lines.entries()) {
        const [a = '', b = ''] = rows[index] ?? [];
        assert.equal(line, `${a.padEnd(width)}|${b}`);
      }
    }),
  );
});

test('ellipsis: never wider than asked for', () => {
  assert.equal(ellipsis('sleep 1000', 20), 'sleep 1000');
  assert.equal(ellipsis('123456789012345678901', 20), '1234567890123456789…');
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.integer({ min: 1, max: 30 }), (text, max) => {
      assert.ok(displayWidth(ellipsis(text, max)) <= max);
    }),
  );
});
