import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nowNano, nowText, rfc3339Nano } from './time.ts';

test('nowNano: strictly increasing and close to Date', () => {
  let before = nowNano();
  for (let n = 0; n < 10_000; n += 1) {
    const now = nowNano();
    assert.ok(now > before);
    before = now;
  }
  assert.ok(Math.abs(Number(before / 1_000_000n) - Date.now()) < 1000);
});

test('rfc3339Nano: nine digits, UTC', () => {
  assert.equal(rfc3339Nano(1_000_000_001n), '1970-01-01T00:00:01.000000001Z');
  assert.equal(rfc3339Nano(1_795_266_521_494_001_140n), '2026-11-21T13:08:41.494001140Z');
  assert.match(nowText(), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z$/);
});
