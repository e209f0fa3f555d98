import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { parseTimestamp } from './timestamps.ts';

const now = 1_700_000_000_000;

before(() => {
  process.env['TZ'] = 'UTC';
});

test('parseTimestamp: durations, seconds and RFC 3339 with or without its parts', () => {
  const cases: Record<string, string> = {
    '10m': '1699999400.000000000',
    '1.5s': '1699999998.500000000',
    '1577836800': '1577836800.000000000',
    '1577836800.5': '1577836800.500000000',
    '2020-01-01': '1577836800.000000000',
    '2020-01-01T10': '1577872800.000000000',
    '2020-01-01T00:00:00.000000012Z': '1577836800.000000012',
    '2020-01-01T02:00:00+02:00': '1577836800.000000000',
    '2020-01-01T00:00Z': '1577836800.000000000',
    '0': '0',
  };
  for (const [text, seconds] of Object.entries(cases)) assert.equal(parseTimestamp(text, now), seconds, text);
});

test('parseTimestamp: refuses what is neither', () => {
  for (const text of ['x', '5 m', '2020-13-01', '2020-01-01 10:00']) {
    assert.throws(() => parseTimestamp(text, now), {
      message: `failed to parse value as time or duration: "${text}"`,
    });
  }
});
