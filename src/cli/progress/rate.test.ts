import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RateMeter } from './rate.ts';

test('RateMeter: the growth of the last seconds', () => {
  const meter = new RateMeter();
  assert.equal(meter.rate(0), undefined);
  meter.add(1000, 0);
  meter.add(1100, 100);
  // Too early to tell.
  assert.equal(meter.rate(100), undefined);
  meter.add(2000, 1000);
  assert.equal(meter.rate(1000), 1000);
  for (let second = 2; second <= 20; second += 1) meter.add(2000 + (second - 1) * 50, second * 1000);
  assert.equal(meter.rate(20_000), 50);
});

test('RateMeter: falls when nothing comes, starts again when the amount does', () => {
  const meter = new RateMeter();
  meter.add(0, 0);
  meter.add(1000, 1000);
  assert.equal(meter.rate(4000), 250);
  meter.add(10, 4000);
  assert.equal(meter.rate(4000), undefined);
  meter.add(110, 5000);
  assert.equal(meter.rate(5000), 100);
});
