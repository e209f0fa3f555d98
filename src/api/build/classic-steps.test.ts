import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent, LogEvent, VertexEvent } from '#/builder/progress.ts';
import { digestOf } from '#/oci/digest.ts';
import type { ProgressMessage } from '#/wire/json-stream.ts';
import { ClassicSteps } from './classic-steps.ts';

const digest = (name: string) => digestOf(Buffer.from(name));
const layer = (name: string) => digest(`layer ${name}`);
const short = (it: string): string => it.slice(7, 19);
const time = new Date(0);

const plan = (...instructions: [text: string, vertex?: string][]): BuildEvent => ({
  kind: 'plan',
  instructions: instructions.map(([text, vertex]) => ({
    text,
    vertex: vertex === undefined ? undefined : digest(vertex),
  })),
});

function vertex(name: string, more: Partial<VertexEvent> = {}): VertexEvent {
  return { kind: 'vertex', digest: digest(name), name, inputs: [], cached: false, started: time, ...more };
}

const done = (name: string, more: Partial<VertexEvent> = {}): VertexEvent =>
  vertex(name, { completed: time, result: layer(name), ...more });

const log = (name: string, text: string, stream: 1 | 2 = 1): LogEvent => ({
  kind: 'log',
  vertex: digest(name),
  stream,
  time,
  data: Buffer.from(text),
});

/** What is said of events: text as lines, other messages as they are. */
function said(
  events: readonly BuildEvent[],
  options: { labels?: ReadonlyMap<string, string>; removesContainers?: boolean } = {},
): (string | ProgressMessage)[] {
  const messages: ProgressMessage[] = [];
  const steps = new ClassicSteps((message) => messages.push(message), {
    labels: new Map(),
    removesContainers: true,
    ...options,
  });
  for (const event of events) steps.take(event);
  const text = messages.map(({ stream = '' }) => stream).join('');
  return [...text.trimEnd().split('\n'), ...messages.filter(({ stream }) => stream === undefined)];
}

test('ClassicSteps: one instruction after the other, whatever happens at the same time', () => {
  const events: BuildEvent[] = [
    plan(['FROM x AS a', 'from'], ['ENV A=b'], ['RUN one', 'one'], ['FROM a'], ['COPY . /', 'copy']),
    done('from', { cached: true }),
    vertex('copy'),
    log('copy', 'early\n'),
    vertex('one', { started: time }),
    log('one', 'out\n'),
    done('copy'),
    log('one', 'err\n', 2),
    done('one'),
  ];
  assert.deepEqual(said(events), [
    'Step 1/5 : FROM x AS a',
    ` ---> ${short(layer('from'))}`,
    'Step 2/5 : ENV A=b',
    ` ---> ${short(layer('from'))}`,
    'Step 3/5 : RUN one',
    ` ---> Running in ${short(digest('one'))}`,
    'out',
    '\u001b[91merr',
    `\u001b[0m ---> Removed intermediate container ${short(digest('one'))}`,
    ` ---> ${short(layer('one'))}`,
    'Step 4/5 : FROM a',
    ` ---> ${short(layer('one'))}`,
    'Step 5/5 : COPY . /',
    'early',
    ` ---> ${short(layer('copy'))}`,
  ]);
});

test('ClassicSteps: cache, scratch, added labels, containers that are kept', () => {
  const events: BuildEvent[] = [
    plan(['FROM scratch'], ['COPY a /', 'copy'], ['RUN b', 'run']),
    done('copy', { cached: true }),
    done('run'),
  ];
  const labels = new Map([
    ['q', '1'],
    ['two words', 'a "b"'],
  ]);
  assert.deepEqual(said(events, { labels, removesContainers: false }), [
    'Step 1/4 : FROM scratch',
    ' ---> ',
    'Step 2/4 : COPY a /',
    ' ---> Using cache',
    ` ---> ${short(layer('copy'))}`,
    'Step 3/4 : RUN b',
    ` ---> Running in ${short(digest('run'))}`,
    ` ---> ${short(layer('run'))}`,
    'Step 4/4 : LABEL q=1 "two words"="a \\"b\\""',
    ` ---> ${short(layer('run'))}`,
  ]);
});

test('ClassicSteps: a step that fails is the last, and its output is whole', () => {
  const events: BuildEvent[] = [
    plan(['FROM x', 'from'], ['RUN a', 'a'], ['RUN b', 'b']),
    done('from'),
    vertex('a'),
    log('a', 'oops\n'),
    vertex('a', { completed: time, error: 'failed' }),
  ];
  assert.deepEqual(said(events).slice(2), [
    'Step 2/3 : RUN a',
    ` ---> Running in ${short(digest('a'))}`,
    'oops',
  ]);
});

test('ClassicSteps: layers that are pulled are told of as in a pull, other parts are not', () => {
  const status = (id: string, current: number, completed?: Date): BuildEvent => ({
    kind: 'status',
    vertex: digest('from'),
    id,
    current,
    total: 100,
    started: time,
    ...(completed !== undefined && { completed }),
  });
  const id = layer('x').slice(7, 19);
  const events = [status(layer('x'), 50), status('transferring context:', 5), status(layer('x'), 100, time)];
  assert.deepEqual(said(events).slice(1), [
    {
      status: 'Downloading',
      progressDetail: { current: 50, total: 100 },
      progress: `[${'='.repeat(25)}>${' '.repeat(25)}]      50B/100B`,
      id,
    },
    { status: 'Pull complete', progressDetail: {}, id },
  ]);
});

test('ClassicSteps: output that must wait does not grow without bound', () => {
  const noise = Array.from({ length: 50 }, () => log('b', 'x'.repeat(65_535).concat('\n')));
  const events: BuildEvent[] = [
    plan(['RUN a', 'a'], ['RUN b', 'b']),
    vertex('a'),
    vertex('b'),
    ...noise,
    done('b'),
    done('a'),
  ];
  const lines = said(events);
  assert.equal(lines.filter((line) => typeof line === 'string' && line.startsWith('xxx')).length, 16);
  assert.ok(lines.includes('[output clipped]'));
  assert.equal(lines.at(-1), ` ---> ${short(layer('b'))}`);
});
