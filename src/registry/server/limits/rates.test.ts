import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Rates } from './rates.ts';

test('Rates: a burst at once, then as many as are refilled, each key by itself', () => {
  let now = 0;
  const rates = new Rates({ perSecond: 2, burst: 3 }, () => now);
  assert.deepEqual(
    [1, 2, 3, 4].map(() => rates.take('a')),
    [0, 0, 0, 0.5],
  );
  assert.equal(rates.wait('a'), 0.5);
  assert.equal(rates.take('b'), 0);
  now = 500;
  assert.equal(rates.take('a'), 0);
  assert.equal(rates.take('a'), 0.5);
  now = 1_000_000;
  assert.deepEqual(
    [1, 2, 3, 4].map(() => rates.take('a')),
    [0, 0, 0, 0.5],
  );
});

test('Rates: in no window are there more than the burst and what is refilled; who waits as told is let in', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 20 }),
      fc.integer({ min: 1, max: 50 }),
      fc.array(fc.integer({ min: 0, max: 2000 }), { maxLength: 200 }),
      (burst, perSecond, pauses) => {
        let now = 0;
        const rates = new Rates({ burst, perSecond }, () => now);
        const times: number[] = [];
        for (const pause of pauses) {
          now += pause;
          const wait = rates.take('k');
          if (wait === 0) times.push(now);
          else {
            now += wait * 1000;
            assert.equal(rates.take('k'), 0, 'waiting as told must be enough');
            times.push(now);
          }
        }
        for (let from = 0; from < times.length; from += 1) {
          for (let to = from; to < times.length; to += 1) {
            const seconds = ((times[to] ?? 0) - (times[from] ?? 0)) / 1000;
            assert.ok(to - from + 1 <= burst + seconds * perSecond + 1e-6);
          }
        }
      },
    ),
    { numRuns: 50 },
  );
});

test('Rates: forgets keys that are full again, and never remembers too many', () => {
  let now = 0;
  const rates = new Rates({ perSecond: 1, burst: 10 }, () => now);
  for (let n = 0; n < 60_000; n += 1) rates.take(`key ${n}`);
  assert.equal(rates.size, 50_000);
  now = 10_000;
  rates.take('one');
  assert.equal(rates.size, 1);
});
