import assert from 'node:assert/strict';
import { before, test } from 'node:test';
import { GoTime } from './go-values.ts';
import { asctime, localNanoseconds, localRfc3339, localTime } from './times.ts';

before(() => {
  process.env['TZ'] = 'UTC';
});

test('localTime, localRfc3339, localNanoseconds: as Go prints times', () => {
  assert.equal(localTime(1_700_000_000), '2023-11-14 22:13:20 +0000 UTC');
  assert.equal(localRfc3339(1_700_000_000), '2023-11-14T22:13:20Z');
  assert.equal(localNanoseconds(1_700_000_000_000_000_012n), '2023-11-14T22:13:20.000000012Z');
});

test('asctime: an RFC 3339 time in words, other texts as they are', () => {
  assert.equal(asctime('2025-05-30T12:07:04.000000000+00:00'), 'Fri May 30 12:07:04 2025');
  assert.equal(asctime('2025-05-03T12:07:04Z'), 'Sat May  3 12:07:04 2025');
  assert.equal(asctime('yesterday'), 'yesterday');
});

test('GoTime: drops trailing zeros of the fraction only', () => {
  assert.equal(String(new GoTime('2025-05-30T12:07:00Z')), '2025-05-30 12:07:00 +0000 UTC');
  assert.equal(String(new GoTime('2025-05-30T12:07:00.120Z')), '2025-05-30 12:07:00.12 +0000 UTC');
  assert.equal(String(new GoTime('2025-05-30T12:07:00.5+02:00')), '2025-05-30 12:07:00.5 +0200 +0200');
});
