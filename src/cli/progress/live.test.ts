import assert from 'node:assert/strict';
import { afterEach, mock, test } from 'node:test';
import fc from 'fast-check';
import type { ProgressMessage } from '#/wire/json-stream.ts';
import { VirtualScreen } from '#tests/virtual-screen.ts';
import { LiveProgress } from './live.ts';

const layer = (id: string, status: string, progressDetail: ProgressMessage['progressDetail'] = {}) => ({
  id,
  status,
  progressDetail,
});
const at = (current: number, total: number) => ({ current, total });

afterEach(() => mock.timers.reset());

/** A view whose time goes on only by `wait`. */
function start(columns: number, rows: number) {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let now = 0;
  const screen = new VirtualScreen(columns, rows);
  const view = new LiveProgress(screen, { unicode: false, now: () => now });
  const wait = (milliseconds: number): void => {
    for (let passed = 0; passed < milliseconds; passed += 10) {
      now += 10;
      mock.timers.tick(10);
    }
  };
  const stop = (outcome: 'done' | 'failed'): void => {
    view.end(outcome);
    mock.timers.reset();
  };
  return { screen, view, wait, stop };
}

test('LiveProgress: a line for each layer and one for the sum, then the summary', () => {
  const { screen, view, wait, stop } = start(100, 24);
  view.show({ id: 'latest', status: 'Pulling from x' });
  for (const id of ['a1', 'b2', 'c3']) view.show(layer(id, 'Pulling fs layer'));
  view.show(layer('a1', 'Already exists'));
  view.show(layer('b2', 'Downloading', at(0, 2_000_000)));
  wait(1000);
  view.show(layer('b2', 'Downloading', at(1_000_000, 2_000_000)));
  wait(100);
  assert.deepEqual(screen.text.split('\n'), [
    'latest: Pulling from x',
    'a1           Already exists',
    'b2           Downloading        ================-----------------         1MB/2MB    935kB/s     2s',
    'c3           Pulling fs layer',
    'Total        1/3 done           ================-----------------        1MB/2MB+    935kB/s',
  ]);
  view.show(layer('b2', 'Download complete'));
  view.show(layer('b2', 'Extracting', at(500_000, 2_000_000)));
  view.show(layer('c3', 'Downloading', at(10, 10)));
  wait(100);
  assert.match(screen.text, /\nb2 {11}Extracting {9}=+-+ +500kB\/2MB\nc3 .*\nTotal .* 2MB\/2MB$/);
  view.show(layer('b2', 'Pull complete'));
  view.show(layer('c3', 'Pull complete'));
  view.show({ status: 'Digest: sha256:1' });
  stop('done');
  assert.deepEqual(screen.text.split('\n'), [
    'latest: Pulling from x',
    '3 layers, 1 there already: 2MB in 1.2s (1.67MB/s)',
    'Digest: sha256:1',
  ]);
});

test('LiveProgress: a line that stays goes above what moves', () => {
  const { screen, view, wait, stop } = start(60, 24);
  view.show(layer('a', 'Pushing', at(1, 2)));
  wait(100);
  view.show({ status: 'a word' });
  view.show({ stream: 'and\nmore\n' });
  assert.match(screen.text, /^a word\nand\nmore\na {12}Pushing /);
  stop('failed');
  assert.match(screen.text, /^a word\nand\nmore\na {12}Pushing .* 1B\/2B$/);
});

test('LiveProgress: one write for a frame, and few frames', () => {
  const { screen, view, wait, stop } = start(80, 24);
  for (let current = 1; current <= 1000; current += 1) {
    view.show(layer(`l${current % 5}`, 'Downloading', at(current, 1000)));
    if (current % 10 === 0) wait(10);
  }
  // One second.
  assert.ok(screen.writes.length <= 15, `${screen.writes.length} writes in a second`);
  assert.ok(screen.writes.length >= 10);
  stop('done');
});

test('LiveProgress: without news the rate goes down', () => {
  const { screen, view, wait, stop } = start(80, 24);
  view.show(layer('a', 'Downloading', at(0, 1000)));
  wait(500);
  view.show(layer('a', 'Downloading', at(500, 1000)));
  wait(500);
  assert.match(screen.text, /500B\/s {5}1s$|5\d\dB\/s/);
  wait(4000);
  assert.match(screen.text, /1\d\dB\/s/);
  stop('done');
});

test('LiveProgress: more layers than lines', () => {
  const { screen, view, wait, stop } = start(80, 8);
  for (let index = 0; index < 20; index += 1) view.show(layer(`l${index}`, 'Waiting'));
  for (let index = 0; index < 9; index += 1) view.show(layer(`l${index}`, 'Pull complete'));
  view.show(layer('l12', 'Downloading', at(1, 4)));
  wait(100);
  assert.deepEqual(
    screen.text.split('\n').map((line) => line.slice(0, 24).trimEnd()),
    [
      'l9           Waiting',
      'l10          Waiting',
      'l11          Waiting',
      'l12          Downloading',
      'l13          Waiting',
      '... and 15 more: 6 waiti',
      'Total        9/20 done',
    ],
  );
  stop('done');
});

test('LiveProgress: whatever is shown and however the window changes, the lines that stay are whole and in order', () => {
  const step = fc.oneof(
    fc.record({
      kind: fc.constant('line' as const),
      text: fc.constantFrom('one', 'two\nlines', 'x'.repeat(30)),
    }),
    fc.record({
      kind: fc.constant('layer' as const),
      id: fc.constantFrom(...'a b c d e f g h i j k l'.split(' ')),
      status: fc.constantFrom('Waiting', 'Downloading', 'Extracting', 'Pull complete'),
      current: fc.nat(100),
    }),
    fc.record({ kind: fc.constant('wait' as const), time: fc.nat(300) }),
    fc.record({ kind: fc.constant('size' as const), columns: fc.integer({ min: 5, max: 120 }) }),
  );
  const run = fc.property(
    fc.array(step, { maxLength: 60 }),
    fc.integer({ min: 3, max: 15 }),
    (steps, rows) => {
      const { screen, view, wait, stop } = start(80, rows);
      const lasting: string[] = [];
      try {
        for (const each of steps) {
          if (each.kind === 'line') {
            view.show({ status: each.text });
            lasting.push(...each.text.split('\n'));
          } else if (each.kind === 'layer') view.show(layer(each.id, each.status, at(each.current, 100)));
          else if (each.kind === 'wait') wait(each.time);
          else screen.columns = each.columns;
          // What has wrapped in a window that is too low for it cannot be drawn over.
          if (each.kind === 'size') screen.rows = 200;
        }
      } finally {
        stop('done');
      }
      const shown = screen.text
        .split('\n')
        .filter((line) => !/^\d+ layers?\b|^\d+ la?y?e?r?s?$|^\d+ ?$/.test(line));
      assert.deepEqual(shown.join('\n'), lasting.join('\n').trimEnd());
    },
  );
  fc.assert(run, { numRuns: 200 });
});
