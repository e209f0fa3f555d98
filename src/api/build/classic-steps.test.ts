import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BuildEvent, LogEvent, PlannedInstruction, VertexEvent } from '#/builder/progress.ts';
import { digestOf } from '#/oci/digest.ts';
import type { ProgressMessage } from '#/wire/json-stream.ts';
import { ClassicStates } from './classic-states.ts';
import { ClassicSteps, type ClassicWishes } from './classic-steps.ts';

const digest = (name: string) => digestOf(Buffer.from(name));
const layer = (name: string) => digest(`layer ${name}`);
const short = (it: string): string => it.slice(7, 19);
const time = new Date(0);

type Planned = readonly [text: string, vertex?: string | undefined, role?: PlannedInstruction['role']];

const plan = (...instructions: Planned[]): BuildEvent => ({
  kind: 'plan',
  instructions: instructions.map(([text, vertex, role = 'own']) => ({
    text,
    vertex: vertex === undefined ? undefined : digest(vertex),
    role,
    told: '',
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

const image = digest('image');

/** What is said of events, and of the image at the end: text as lines, names of states and containers as `ID`; other messages as they are. */
function said(
  events: readonly BuildEvent[],
  { states = new ClassicStates(), ends = true, ...wishes }: Said = {},
): (string | ProgressMessage)[] {
  const messages: ProgressMessage[] = [];
  const all = { labels: new Map(), removesContainers: true, noCache: false, ...wishes };
  const steps = new ClassicSteps((message) => messages.push(message), all, states);
  for (const event of events) steps.take(event);
  if (ends) steps.finish(image);
  const text = messages.map(({ stream = '' }) => stream).join('');
  const lines = text.trimEnd().split('\n');
  return [
    ...lines.map((line) => line.replace(/(?<=---> |container |Running in )[0-9a-f]{12}$/, 'ID')),
    ...messages.filter(({ stream }) => stream === undefined),
  ];
}

type Said = Partial<ClassicWishes> & { readonly states?: ClassicStates; readonly ends?: boolean };

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
    ' ---> ID',
    'Step 2/5 : ENV A=b',
    ' ---> Running in ID',
    ' ---> Removed intermediate container ID',
    ' ---> ID',
    'Step 3/5 : RUN one',
    ' ---> Running in ID',
    'out',
    '\u001b[91merr',
    '\u001b[0m ---> Removed intermediate container ID',
    ' ---> ID',
    'Step 4/5 : FROM a',
    ' ---> ID',
    'Step 5/5 : COPY . /',
    'early',
    ' ---> ID',
  ]);
});

test('ClassicSteps: cache, scratch, added labels, containers that are kept', () => {
  const events: BuildEvent[] = [
    plan(['FROM scratch'], ['COPY a /', 'copy'], ['RUN b', 'run']),
    done('copy', { cached: true }),
    done('run'),
  ];
  const labels = new Map([
    ['two words', 'a "b"'],
    ['q', ''],
  ]);
  assert.deepEqual(
    said(events, { labels, removesContainers: false }),
    [
      'Step 1/5 : FROM scratch',
      ' --->',
      'Step 2/5 : COPY a /',
      ' ---> Using cache',
      ' ---> ID',
      'Step 3/5 : RUN b',
      ' ---> Running in ID',
      ' ---> ID',
      'Step 4/5 : LABEL q=',
      ' ---> Running in ID',
      ' ---> ID',
      'Step 5/5 : LABEL two words=a "b"',
      ' ---> Running in ID',
      ' ---> ID',
    ].map((line) => line.replace(/--->$/, '---> ')),
  );
});

test('ClassicSteps: each state has a name of its own, the same each time; the last one is the image', () => {
  const events: BuildEvent[] = [
    plan(['FROM x', 'from'], ['ENV A=1'], ['RUN a', 'a'], ['ENV A=1'], ['CMD b']),
  ];
  const names = (more: readonly BuildEvent[]): string[] => {
    const messages: ProgressMessage[] = [];
    const wishes = { labels: new Map(), removesContainers: true, noCache: false };
    const steps = new ClassicSteps((message) => messages.push(message), wishes, new ClassicStates());
    for (const event of [...events, ...more]) steps.take(event);
    steps.finish(image);
    return messages.flatMap(({ stream = '' }) => /^ ---> ([0-9a-f]{12})\n$/.exec(stream)?.[1] ?? []);
  };
  const once = names([done('from'), done('a')]);
  assert.equal(new Set(once).size, 5);
  assert.deepEqual([once[0], once.at(-1)], [short(layer('from')), short(image)]);
  assert.deepEqual(names([done('from', { cached: true }), done('a', { cached: true })]), once);
  assert.notDeepEqual(names([done('from'), done('a', { result: layer('other') })]), once);
});

test('ClassicSteps: what was done before is taken from the cache, unless that is not wanted', () => {
  const states = new ClassicStates();
  const events = [plan(['FROM x', 'from'], ['ENV A=1'], ['LABEL b=c'], ['WORKDIR /d', 'd']), done('from')];
  const words = (isCached: boolean, noCache: boolean = false): string[] =>
    said([...events, done('d', { cached: isCached })], { states, noCache }).flatMap((line) =>
      typeof line === 'string' && /cache|Running/.test(line) ? [line] : [],
    );
  assert.deepEqual(words(false), Array(3).fill(' ---> Running in ID'));
  assert.deepEqual(words(true), Array(3).fill(' ---> Using cache'));
  assert.deepEqual(words(false, true), Array(3).fill(' ---> Running in ID'));
  states.forget();
  assert.deepEqual(words(true), [' ---> Running in ID', ' ---> Running in ID', ' ---> Using cache']);
});

test('ClassicSteps: arguments before the first FROM are steps, what the base image has left is none', () => {
  const events: BuildEvent[] = [
    plan(
      ['ARG A=1', undefined, 'argument'],
      ['FROM x', 'from'],
      ['RUN left', 'left', 'trigger'],
      ['ENV B=2', undefined, 'trigger'],
      ['RUN own', 'own'],
    ),
    done('from'),
    log('left', 'out\n'),
    done('left'),
    done('own', { cached: true }),
  ];
  assert.deepEqual(said(events), [
    'Step 1/3 : ARG A=1',
    'Step 2/3 : FROM x',
    '# Executing 2 build triggers',
    ' ---> Running in ID',
    'out',
    ' ---> Removed intermediate container ID',
    ' ---> Running in ID',
    ' ---> Removed intermediate container ID',
    ' ---> ID',
    'Step 3/3 : RUN own',
    ' ---> Using cache',
    ' ---> ID',
  ]);
});

test('ClassicSteps: an instruction that cannot be carried out is said, with those before it', () => {
  const messages: ProgressMessage[] = [];
  const wishes = { labels: new Map(), removesContainers: true, noCache: false };
  const steps = new ClassicSteps((message) => messages.push(message), wishes, new ClassicStates());
  assert.equal(steps.isRead, false);
  const texts = ['ARG X', 'FROM x', 'EXPOSE y', 'RUN z'];
  const instructions = texts.map((text, index) => ({ text, line: index * 2 + 1, hasGap: index === 2 }));
  steps.take({ kind: 'dockerfile', instructions });
  assert.equal(steps.isRead, true);
  steps.breakOff(5);
  assert.deepEqual(
    messages
      .map(({ stream }) => stream)
      .join('')
      .split('\n'),
    [
      '\u001b[91m[WARNING]: Empty continuation line found in: EXPOSE y',
      '\u001b[0m\u001b[91m[WARNING]: Empty continuation lines will become errors in a future release.',
      '\u001b[0mStep 1/4 : ARG X',
      'Step 2/4 : FROM x',
      'Step 3/4 : EXPOSE y',
      '',
    ],
  );
});

test('ClassicSteps: a step that fails is the last, and its output is whole', () => {
  const events: BuildEvent[] = [
    plan(['FROM x', 'from'], ['RUN a', 'a'], ['RUN b', 'b']),
    done('from'),
    vertex('a'),
    log('a', 'oops\n'),
    vertex('a', { completed: time, error: 'failed' }),
  ];
  assert.deepEqual(said(events, { ends: false }).slice(2), [
    'Step 2/3 : RUN a',
    ' ---> Running in ID',
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
  assert.equal(lines.at(-1), ' ---> ID');
});
