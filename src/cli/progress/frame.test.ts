import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { displayWidth } from '../format/tabwriter.ts';
import { drawFrame, summary } from './frame.ts';
import { TaskList } from './tasks.ts';

function tasks(
  ...updates: readonly (readonly [id: string, status: string, current?: number, total?: number])[]
) {
  const list = new TaskList();
  for (const [id, status, current = 0, total = 0] of updates) {
    list.update(id, { status, progressDetail: { current, total } }, 0);
  }
  return list;
}

const screen = (columns: number, rows = 24) => ({ columns, rows, unicode: true });

test('drawFrame: with less room, columns are left out', () => {
  const list = tasks(['abcdefabcdef', 'Downloading', 0, 2_000_000_000]);
  list.update(
    'abcdefabcdef',
    { status: 'Downloading', progressDetail: { current: 1e9, total: 2e9 } },
    10_000,
  );
  const draw = (columns: number): string => drawFrame(list, screen(columns), 10_000)[0] ?? '';
  assert.equal(
    draw(120),
    `abcdefabcdef Downloading        ${'━'.repeat(20)}${'─'.repeat(20)}         1GB/2GB    100MB/s    10s`,
  );
  assert.equal(draw(78), 'abcdefabcdef Downloading        ━━━━━──────         1GB/2GB    100MB/s    10s');
  assert.equal(draw(75), 'abcdefabcdef Downloading        ━━━━━━━────────         1GB/2GB    100MB/s');
  assert.equal(draw(60), 'abcdefabcdef Downloading        ━━━━━──────         1GB/2GB');
  assert.equal(draw(50), 'abcdefabcdef Downloading                1GB/2GB');
  assert.equal(draw(30), 'abcdefabcdef         1GB/2GB');
  assert.equal(draw(20), 'abcdefabcdef');
  assert.equal(draw(8), 'abcdef…');
});

test('drawFrame: times that remain, and totals that are not known', () => {
  const at = (current: number): string => {
    const list = tasks(['a', 'Downloading', 0, 1e9]);
    list.update('a', { status: 'Downloading', progressDetail: { current, total: 1e9 } }, 1000);
    return drawFrame(list, screen(120), 1000)[0]?.split(' ').at(-1) ?? '';
  };
  assert.deepEqual([at(5e8), at(1e7), at(1e5), at(1000)], ['1s', '1m39s', '2h46m', '1kB/s']);
  const lines = drawFrame(tasks(['a', 'Downloading', 500, 0], ['b', 'Extracting', 3, 0]), screen(120), 0);
  assert.match(lines[0] ?? '', / 500B$/);
});

test('drawFrame: no line is as wide as the screen, and there are not as many as it has', () => {
  const update = fc.tuple(
    fc.string({ maxLength: 20 }),
    fc.constantFrom(
      'Waiting',
      'Downloading',
      'Extracting',
      'Pull complete',
      'Mounted from some/very/long/name',
    ),
    fc.nat(1_000_000),
    fc.nat(1_000_000),
  );
  const run = fc.property(
    fc.array(update, { maxLength: 40 }),
    fc.integer({ min: 2, max: 150 }),
    fc.integer({ min: 2, max: 50 }),
    (updates, columns, rows) => {
      const lines = drawFrame(tasks(...updates), screen(columns, rows), 5000);
      assert.ok(lines.length < rows, `${lines.length} lines`);
      for (const line of lines) assert.ok(displayWidth(line) < columns, line);
      assert.ok(displayWidth(summary(tasks(...updates), screen(columns, rows), 0)) < columns);
    },
  );
  fc.assert(run);
});

test('summary: how many, how much, how fast', () => {
  const list = tasks(['a', 'Pushing', 0, 2000], ['b', 'Layer already exists'], ['c', 'Mounted from x']);
  list.update('a', { status: 'Pushed', progressDetail: {} }, 1000);
  assert.equal(summary(list, screen(80), 2000), '3 layers, 2 there already: 2kB in 2.0s (1kB/s)');
  assert.equal(summary(tasks(['a', 'Already exists']), screen(80), 0), '1 layer, all there already');
});
