import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  binarySize,
  formatGoDuration,
  humanDuration,
  humanSize,
  parseBinarySize,
  parseGoDuration,
} from './units.ts';

test('humanSize: decimal units, significant digits', () => {
  const sizes = [0, 1, 999, 1000, 1024, 1_980_000, 123_456_789, 5e12];
  assert.deepEqual(
    sizes.map((size) => humanSize(size, 3)),
    ['0B', '1B', '999B', '1kB', '1.02kB', '1.98MB', '123MB', '5TB'],
  );
  assert.equal(humanSize(1_982_464), '1.982MB');
  assert.equal(humanSize(999_999, 3), '1e+03kB');
});

test('binarySize: binary units, four digits', () => {
  assert.deepEqual([0, 1023, 1024, 1_572_864, 2 ** 40].map(binarySize), [
    '0B',
    '1023B',
    '1KiB',
    '1.5MiB',
    '1TiB',
  ]);
});

test('parseBinarySize: numbers with units', () => {
  const texts = ['0', '42', '1k', '1kb', '1KiB', '1.5G', '32 mb', '3b', '.5k', '1T'];
  const bytes = [0, 42, 1024, 1024, 1024, 1_610_612_736, 33_554_432, 3, 512, 2 ** 40];
  assert.deepEqual(texts.map(parseBinarySize), bytes);
});

test('parseBinarySize: names what is wrong', () => {
  const messages: Record<string, string> = {
    '': "invalid size: ''",
    m: "invalid size: 'm'",
    '-1': "invalid size: '-1'",
    '5x': "invalid suffix: 'x'",
    '5kk': "invalid suffix: 'kk'",
    '5bb': "invalid suffix: 'bb'",
    '1.2.3k': 'strconv.ParseFloat: parsing "1.2.3": invalid syntax',
  };
  for (const [text, message] of Object.entries(messages)) {
    assert.throws(() => parseBinarySize(text), { kind: 'invalid', message });
  }
});

test('humanDuration: rounds as people speak', () => {
  const second = 1000;
  const hour = 3600 * second;
  const cases: [number, string][] = [
    [450, 'Less than a second'],
    [second, '1 second'],
    [47 * second, '47 seconds'],
    [60 * second, 'About a minute'],
    [35 * 60 * second, '35 minutes'],
    [hour, 'About an hour'],
    [1.6 * hour, '2 hours'],
    [47 * hour, '47 hours'],
    [13 * 24 * hour, '13 days'],
    [30 * 24 * hour, '4 weeks'],
    [100 * 24 * hour, '3 months'],
    [1000 * 24 * hour, '2 years'],
  ];
  for (const [time, words] of cases) assert.equal(humanDuration(time), words);
});

test('parseGoDuration: reads what formatGoDuration writes', () => {
  const cases: [string, number][] = [
    ['0s', 0],
    ['1ns', 1],
    ['1.5µs', 1500],
    ['300ms', 3e8],
    ['1.5s', 15e8],
    ['2m0s', 120e9],
    ['1h0m0.5s', 3600.5e9],
    ['-30s', -30e9],
  ];
  for (const [text, value] of cases) {
    assert.equal(formatGoDuration(value), text);
    assert.equal(parseGoDuration(text), value);
  }
  assert.equal(parseGoDuration('1h'), 3600e9);
  assert.throws(() => parseGoDuration('5'), { message: 'time: missing unit in duration "5"' });
  assert.throws(() => parseGoDuration('x'), { message: 'time: invalid duration "x"' });
  assert.throws(() => parseGoDuration('5x'), { message: 'time: unknown unit "x" in duration "5x"' });
});
