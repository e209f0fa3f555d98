import assert from 'node:assert/strict';
import { PassThrough } from 'node:stream';
import { afterEach, mock, test } from 'node:test';
import fc from 'fast-check';
import type { BuildStatus } from '#/wire/build-status.ts';
import { VirtualScreen } from '#tests/virtual-screen.ts';
import { chooseView } from './choose.ts';
import { LiveView } from './live.ts';
import { PlainView } from './plain.ts';
import { QuietView, RawView } from './raw.ts';
import type { BuildView } from './view.ts';

const begin = Date.parse('2026-01-01T00:00:00Z');
/** Some milliseconds after the beginning, as the daemon writes times. */
const at = (milliseconds: number): string => new Date(begin + milliseconds).toISOString();
const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** A step from `from` to `to`; without an end it runs. */
function step(digest: string, name: string, [from, to, more = {}]: [number, number?, object?]): BuildStatus {
  const completed = to === undefined ? {} : { completed: at(to) };
  return { vertexes: [{ digest, name, started: at(from), ...completed, ...more }] };
}

const log = (vertex: string, text: string, time: number): BuildStatus => ({
  logs: [{ vertex, stream: 1, data: base64(text), timestamp: at(time) }],
});

const transfer = (current: number, [from, to]: [number, number?], total = 0): BuildStatus => ({
  statuses: [
    {
      id: 'transferring context:',
      vertex: 'context',
      current,
      total,
      timestamp: at(from),
      started: at(from),
      ...(to !== undefined && { completed: at(to) }),
    },
  ],
});

function recorder() {
  const output = {
    text: '',
    write: (more: string) => void (output.text += more),
    line: (line: string) => line,
  };
  return Object.assign(output, { isTTY: false, columns: 0, rows: 0, stream: new PassThrough() });
}

/** A build that goes well, with steps that run at the same time. */
const good: readonly BuildStatus[] = [
  step('context', '[internal] load build context', [0]),
  transfer(10, [0]),
  transfer(2_100_000, [0, 200]),
  step('context', '[internal] load build context', [0, 210]),
  { vertexes: [{ digest: 'later', name: '[3/3] RUN test' }] },
  step('base', '[1/3] FROM docker.io/library/x', [0, 0, { cached: true }]),
  step('a', '[a 2/3] RUN one', [300]),
  step('b', '[b 2/3] RUN two', [300]),
  log('a', 'half ', 400),
  log('b', 'other\n', 450),
  log('a', 'line\nnext\r\n', 500),
  step('b', '[b 2/3] RUN two', [300, 1300]),
  log('a', 'no line end', 600),
  step('a', '[a 2/3] RUN one', [300, 2300, { explanation: ['the command changed'] }]),
  {
    warnings: [{ vertex: 'base', level: 1, short: base64('FromAsCasing: mixed (line 1)'), detail: [] }],
  },
];

const failing: readonly BuildStatus[] = [
  step('a', '[2/3] RUN make', [0]),
  ...Array.from({ length: 12 }, (_, index) => log('a', `line ${index}\n`, 100 * index)),
  step('a', '[2/3] RUN make', [0, 2000, { error: 'process "make" did not complete' }]),
];
const failure = { vertex: 'a', excerpt: 'Dockerfile:2\n---\n', hint: 'Write it otherwise.' };

function take(view: BuildView, statuses: readonly BuildStatus[]): void {
  for (const status of statuses) view.take(status);
}

test('PlainView: numbered lines, one step after the other where they allow it', () => {
  const output = recorder();
  const view = new PlainView(output, { now: () => begin + 5000 });
  take(view, good);
  view.end(undefined);
  assert.deepEqual(output.text.split('\n'), [
    '#1 [internal] load build context',
    '#1 transferring context: 2.1MB 0.2s done',
    '#1 DONE 0.2s',
    '',
    '#2 [1/3] FROM docker.io/library/x',
    '#2 CACHED',
    '',
    '#3 [a 2/3] RUN one',
    '',
    '#4 [b 2/3] RUN two',
    '#4 0.150 other',
    '',
    '#3 [a 2/3] RUN one',
    '#3 0.200 half line',
    '#3 0.200 next',
    '',
    '#4 [b 2/3] RUN two',
    '#4 DONE 1.0s',
    '',
    '#3 [a 2/3] RUN one',
    '#3 2.000 no line end',
    '#3 DONE 2.0s',
    '#3 why: the command changed',
    '',
    '#2 [1/3] FROM docker.io/library/x',
    '#2 WARN: FromAsCasing: mixed (line 1)',
    '',
    ' 1 warning found (skiff build --check tells more):',
    ' - FromAsCasing: mixed (line 1)',
    '',
  ]);
});

test('PlainView: a step that fails shows the end of its output and where it is in the Dockerfile', () => {
  const output = recorder();
  const view = new PlainView(output, { now: () => begin });
  take(view, failing);
  view.fail(failure);
  const [, report] = output.text.split('\n\n');
  assert.deepEqual(report?.split('\n'), [
    '------',
    ' > [2/3] RUN make:',
    ...Array.from({ length: 10 }, (_, index) => `${((index + 2) / 10).toFixed(3)} line ${index + 2}`),
    '------',
    'Dockerfile:2',
    '---',
    'Write it otherwise.',
    '',
  ]);
});

test('RawView and QuietView: all, and nothing unless it fails', () => {
  const [raw, quiet] = [recorder(), recorder()];
  const views = [new RawView(raw), new QuietView(quiet)];
  for (const view of views) take(view, good);
  for (const view of views) view.end(undefined);
  assert.deepEqual(
    raw.text
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line)),
    good,
  );
  assert.equal(quiet.text, '');
  take(views[1] as BuildView, failing);
  views[1]?.fail(failure);
  assert.match(quiet.text, /^------\n > \[2\/3\] RUN make:\n0\.200 line 2\n[^]*\nDockerfile:2\n/);
});

afterEach(() => mock.timers.reset());

/** A view whose time goes on only by `wait`. */
function live(columns: number, rows: number, unicode = false) {
  mock.timers.reset();
  mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  let now = begin;
  const screen = new VirtualScreen(columns, rows);
  const people = { write: (text: string) => screen.write(text), line: (line: string) => line };
  const view = new LiveView(screen, { unicode, people, now: () => now });
  const wait = (milliseconds: number): void => {
    now += milliseconds;
    mock.timers.tick(milliseconds);
  };
  return { screen, view, wait };
}

test('LiveView: a line for each step, what runs with its last output, and one line at the end', () => {
  const { screen, view, wait } = live(60, 24);
  take(view, good.slice(0, 2));
  wait(1000);
  assert.deepEqual(screen.text.split('\n'), [
    'building 1.0s, 0 of 1 step done',
    ' > [internal] load build context                       1.0s',
    '     transferring context: 10B 1.0s',
  ]);
  take(view, good.slice(2, 9));
  take(view, [log('b', '\u001b[31mred\u001b[0m \u001b[2Kother\n10%\r20%', 450)]);
  wait(1000);
  assert.deepEqual(screen.text.split('\n'), [
    'building 2.0s, 2 of 5 steps done, 2 at work',
    ' + [internal] load build context                       0.2s',
    ' + [1/3] FROM docker.io/library/x                    cached',
    ' > [a 2/3] RUN one                                     1.7s',
    '     half',
    ' > [b 2/3] RUN two                                     1.7s',
    '     20%',
  ]);
  take(view, good.slice(10));
  view.end({ image: 'sha256:1', metadata: { 'image.name': 'docker.io/library/x:1,y:2' } });
  assert.deepEqual(screen.text.split('\n'), [
    '+ built in 2.0s: 4 steps, 1 cached',
    '  sha256:1 as docker.io/library/x:1, y:2',
    'miss [a 2/3] RUN one',
    '    the command changed',
    '',
    ' 1 warning found (skiff build --check tells more):',
    ' - FromAsCasing: mixed (line 1)',
  ]);
});

test('LiveView: how far a failed build came stays, above what failed', () => {
  const { screen, view, wait } = live(60, 24, true);
  take(view, failing);
  wait(100);
  view.fail(failure);
  assert.match(
    screen.text,
    /^building 0\.1s, 1 of 1 step done\n ✘ \[2\/3\] RUN make +failed\n------\n > \[2\/3\] RUN make:\n0\.200 line 2\n/,
  );
  assert.match(screen.text, /\nDockerfile:2\n---\nWrite it otherwise\.$/);
});

test('LiveView: where there is little room, steps that run and what they say come before those that are done', () => {
  const { screen, view, wait } = live(60, 7, true);
  for (const name of ['one', 'two', 'three', 'four']) take(view, [step(name, name, [0, 1])]);
  take(view, [
    step('a', 'RUN a', [0]),
    log('a', 'said\n', 1),
    step('b', 'RUN b', [0]),
    log('b', '🚀'.repeat(50), 1),
  ]);
  wait(1000);
  assert.deepEqual(screen.text.split('\n'), [
    'building 1.0s, 4 of 6 steps done, 2 at work',
    ' ✔ four                                                0.0s',
    ' ▸ RUN a                                               1.0s',
    '     said',
    ' ▸ RUN b                                               1.0s',
    `     ${'🚀'.repeat(26)}…`,
  ]);
  take(view, [step('c', 'RUN c', [0]), log('c', 'more\n', 1), step('d', 'RUN d', [0])]);
  wait(1000);
  assert.deepEqual(screen.text.split('\n'), [
    'building 2.0s, 4 of 8 steps done, 4 at work',
    ' ▸ RUN a                                               2.0s',
    '     said',
    ' ▸ RUN b                                               2.0s',
    ' ▸ RUN c                                               2.0s',
    ' ▸ RUN d                                               2.0s',
  ]);
  view.fail(undefined);
});

test('chooseView: what a build says cannot reach a terminal but as text', () => {
  const hostile = '\u001b]0;title\u0007\u001b[2J\u001b[31mred\u009b5A';
  const statuses = [
    step('a', `[1/1] RUN ${hostile}`, [0]),
    log('a', `${hostile}\n`, 1),
    step('a', `[1/1] RUN ${hostile}`, [0, 2, { error: hostile, explanation: [hostile] }]),
    { warnings: [{ vertex: 'a', level: 1, short: base64(hostile), detail: [] }] },
  ];
  for (const mode of ['tty', 'plain', 'quiet', 'rawjson']) {
    const stderr = new VirtualScreen(80, 24);
    const view = chooseView(mode, { stderr, env: { TERM: 'xterm', NO_COLOR: '1' } });
    take(view, statuses);
    view.fail({ vertex: 'a', excerpt: hostile, hint: hostile });
    // oxlint-disable-next-line no-control-regex -- the frames are drawn with these
    const written = stderr.writes.join('').replaceAll(/\u001b\[\d*[AJK]\r?/g, '');
    // oxlint-disable-next-line no-control-regex -- none of them may be left
    assert.doesNotMatch(written, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/, mode);
    assert.match(written, /red/, mode);
  }
});

test('chooseView: modes that there are not, and terminals that cannot draw', () => {
  const choose = (mode: string, env: Readonly<Record<string, string>>, isTTY = true) =>
    chooseView(mode, { stderr: Object.assign(recorder(), { isTTY }), env });
  assert.ok(choose('auto', { TERM: 'dumb' }) instanceof PlainView);
  assert.ok(choose('auto', {}) instanceof PlainView);
  assert.ok(choose('auto', { TERM: 'xterm' }, false) instanceof PlainView);
  const wrong: [made: () => unknown, message: RegExp][] = [
    [
      () => choose('fancy', {}),
      /^invalid progress mode fancy: one of auto, tty, plain, rawjson, quiet, none$/,
    ],
    [
      () => choose('tty', {}, false),
      /^--progress tty needs a terminal on standard error; use --progress plain$/,
    ],
    [
      () => choose('tty', { TERM: 'dumb' }),
      /^--progress tty needs a terminal that can draw \(TERM is "dumb"\)/,
    ],
  ];
  for (const [made, message] of wrong) assert.throws(made, { message });
});

test('LiveView: on any screen no line wraps and the frame is not higher than the screen', () => {
  const name = fc.string({ unit: 'grapheme', maxLength: 80 });
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 100 }),
      fc.integer({ min: 1, max: 12 }),
      fc.array(fc.tuple(name, name, fc.boolean()), { maxLength: 20 }),
      (columns, rows, steps) => {
        const { screen, view, wait } = live(columns, rows);
        for (const [index, [label, output, done]] of steps.entries()) {
          view.take(step(`${index}`, label, [0]));
          view.take(log(`${index}`, output, 1));
          if (done) view.take(step(`${index}`, label, [0, 5]));
        }
        wait(100);
        const frame = screen.writes.at(-1) ?? '';
        view.fail(undefined);
        assert.ok(frame.split('\n').length <= Math.max(2, rows));
      },
    ),
    { numRuns: 200 },
  );
});
