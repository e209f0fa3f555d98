import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { aliasOf, boolFlag, bytesFlag, filterFlag, intFlag, listFlag, mapFlag, stringFlag } from './flag.ts';
import { FlagError, parseFlags } from './parse.ts';

const table = {
  all: boolFlag('', { short: 'a' }),
  proxy: boolFlag('', { initial: true }),
  name: stringFlag('', { short: 'n' }),
  env: listFlag('', { short: 'e' }),
  count: intFlag('', { short: 'c', bits: 16, unsigned: true }),
  memory: bytesFlag('', { short: 'm' }),
  filter: filterFlag('', { short: 'f' }),
  opt: mapFlag('', { short: 'o' }),
  nom: aliasOf('name'),
};
const values = (...args: string[]) => parseFlags(table, args).values;

test('parseFlags: every way to give a value', () => {
  for (const args of [
    ['--name', 'x'],
    ['--name=x'],
    ['-n', 'x'],
    ['-nx'],
    ['-n=x'],
    ['--nom', 'x'],
    ['-an', 'x'],
    ['-anx'],
  ]) {
    assert.equal(values(...args)['name'], 'x', args.join(' '));
  }
  assert.equal(values('--name=')['name'], '');
  assert.equal(values('--name', '--all')['name'], '--all');
});

test('parseFlags: switches need no value, and take one after =', () => {
  assert.equal(values('-a')['all'], true);
  assert.equal(values('--all=false')['all'], false);
  assert.equal(values('--proxy=0')['proxy'], false);
  assert.deepEqual(parseFlags(table, ['--all', 'false']).args, ['false']);
});

test('parseFlags: lists, maps and filters gather', () => {
  assert.deepEqual(values('-e', 'A=1', '--env=B')['env'], ['A=1', 'B']);
  assert.deepEqual(values('-o', 'a=1', '-o', 'b', '-o', 'a=2=3')['opt'], { a: '2=3', b: '' });
  assert.deepEqual(values('-f', 'Label = x', '-f', 'label=y', '-f', 'label=x')['filter'], {
    label: ['x', 'y'],
  });
});

test('parseFlags: arguments among the flags, after --, and before more flags', () => {
  assert.deepEqual(parseFlags(table, ['x', '-a', 'y', '--', '-n', 'z']).args, ['x', 'y', '-n', 'z']);
  const { args, given } = parseFlags(table, ['-a', 'image', '-n', 'z'], { interspersed: false });
  assert.deepEqual([args, [...given]], [['image', '-n', 'z'], ['all']]);
  assert.deepEqual(parseFlags(table, ['-']).args, ['-']);
});

test('parseFlags: mistakes in the words of docker', () => {
  const cases: [string[], string][] = [
    [['--nope'], 'unknown flag: --nope'],
    [['-ax'], "unknown shorthand flag: 'x' in -x"],
    [['-xa'], "unknown shorthand flag: 'x' in -xa"],
    [['--name'], 'flag needs an argument: --name'],
    [['-an'], "flag needs an argument: 'n' in -an"],
    [['--=x'], 'bad flag syntax: --=x'],
    [['---x'], 'bad flag syntax: ---x'],
    [
      ['--all=x'],
      'invalid argument "x" for "-a, --all" flag: strconv.ParseBool: parsing "x": invalid syntax',
    ],
    [
      ['-c', '70000'],
      'invalid argument "70000" for "-c, --count" flag: strconv.ParseUint: parsing "70000": value out of range',
    ],
    [['-m', '5q'], `invalid argument "5q" for "-m, --memory" flag: invalid suffix: 'q'`],
    [['-f', 'x'], 'invalid argument "x" for "-f, --filter" flag: bad format of filter (expected name=value)'],
  ];
  for (const [args, message] of cases)
    assert.throws(() => parseFlags(table, args), { name: 'FlagError', message });
});

test('parseFlags: --help and -h stop the reading', () => {
  assert.equal(parseFlags(table, ['-a', '--help', '--nope']).help, true);
  assert.equal(parseFlags(table, ['-h']).help, true);
});

test('parseFlags: any words either parse or are a FlagError', () => {
  const word = fc.oneof(
    fc.constantFrom('-a', '--name', '-n', '--', '-', '--help', '-c', '1', '--nom=x', '-e'),
    fc.string(),
  );
  fc.assert(
    fc.property(fc.array(word), fc.boolean(), (args, interspersed) => {
      try {
        parseFlags(table, args, { interspersed });
      } catch (error) {
        assert.ok(error instanceof FlagError);
      }
    }),
  );
});
