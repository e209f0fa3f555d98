import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '#/base/errors.ts';
import { Section } from './section.ts';

function section(value: unknown): Section {
  return new Section(value, { key: 'a', folder: '/etc/x' });
}

function complaint(work: () => unknown): string {
  try {
    work();
  } catch (error) {
    assert.ok(isKind(error, 'invalid'));
    return error.message;
  }
  throw new Error('nothing was thrown');
}

test('Section: reads values of each kind', () => {
  const read = section({
    t: 'x',
    p: 'rel/file',
    q: '/abs',
    u: 'https://h:1/p',
    b: true,
    n: 1.5,
    d: '1m30s',
    s: '2KiB',
    r: 7,
    c: 'two',
    l: ['a', 'b'],
    o: { in: 1 },
    os: [{ in: 2 }],
    m: { x: 'y' },
  });
  assert.equal(read.requiredText('t'), 'x');
  assert.equal(read.path('p'), '/etc/x/rel/file');
  assert.equal(read.requiredPath('q'), '/abs');
  assert.equal(read.url('u', ['https:'])?.host, 'h:1');
  assert.equal(read.toggle('b', false), true);
  assert.equal(read.toggle('absent', true), true);
  assert.equal(read.number('n', { least: 0, whole: false }), 1.5);
  assert.equal(read.duration('d'), 90_000);
  assert.equal(read.bytes('s'), 2048);
  assert.equal(read.bytes('r'), 7);
  assert.equal(read.choice('c', ['one', 'two']), 'two');
  assert.deepEqual(read.texts('l'), ['a', 'b']);
  assert.equal(
    read.section('o', (below) => below.number('in', { least: 1 })),
    1,
  );
  assert.deepEqual(
    read.sections('os', (below) => below.number('in', { least: 1 })),
    [2],
  );
  assert.deepEqual([...read.named('m', (below, name) => below.text(name))], [['x', 'y']]);
  read.end();
});

test('Section: every complaint names the key and quotes the value', () => {
  const bad = section({ t: 3, u: 'ftp://h', n: 1.5, d: '5', s: '1x', c: 'six', l: [1], o: 1, e: '' });
  assert.equal(
    complaint(() => bad.text('t')),
    'a.t: must be text, not 3',
  );
  assert.equal(
    complaint(() => bad.text('e')),
    'a.e: must be text, not ""',
  );
  assert.equal(
    complaint(() => bad.requiredText('absent')),
    'a.absent: is missing',
  );
  assert.match(
    complaint(() => bad.url('u', ['https:'])),
    /^a\.u: must be a URL \(https:\/\/…\)/,
  );
  assert.equal(
    complaint(() => bad.number('n', { least: 1 })),
    'a.n: must be a whole number of at least 1, not 1.5',
  );
  assert.match(
    complaint(() => bad.duration('d')),
    /^a\.d: time: missing unit/,
  );
  assert.match(
    complaint(() => bad.bytes('s')),
    /^a\.s: invalid suffix/,
  );
  assert.match(
    complaint(() => bad.choice('c', ['one'])),
    /^a\.c: must be one of "one", not "six"$/,
  );
  assert.match(
    complaint(() => bad.texts('l')),
    /^a\.l: must be a list of texts/,
  );
  assert.equal(
    complaint(() => bad.section('o', () => 0)),
    'a.o: must be an object, not 1',
  );
  assert.equal(
    complaint(() => section([])),
    'a: must be an object, not []',
  );
});

test('Section: keys that nobody read are refused, also below', () => {
  const read = section({ known: 'x', unknown: 1 });
  read.text('known');
  assert.equal(
    complaint(() => read.end()),
    'a.unknown: unknown key; known here: known',
  );
  assert.equal(
    complaint(() => section({ list: [{ odd: 1 }] }).sections('list', () => 0)),
    'a.list[0].odd: unknown key',
  );
});

test('Section.url: credentials, queries and fragments have no place in it', () => {
  for (const url of ['https://u:p@h/', 'https://h/?q', 'https://h/#f', 'h:1']) {
    assert.throws(() => section({ url }).url('url', ['https:']), /a\.url: must be a URL/);
  }
});
