import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Slots } from './slots.ts';

const never = new AbortController().signal;

test('Slots: gives so many at once, the next ones in order', async () => {
  const slots = new Slots(() => 2);
  const order: number[] = [];
  const held = [await slots.acquire({ signal: never }), await slots.acquire({ signal: never })];
  const later = [3, 4].map(async (n) => {
    const slot = await slots.acquire({ signal: never, onWait: () => order.push(-n) });
    order.push(n);
    return slot;
  });
  await Promise.resolve();
  assert.deepEqual(order, [-3, -4]);
  held[0]?.[Symbol.dispose]();
  held[0]?.[Symbol.dispose]();
  const third = await later[0];
  assert.deepEqual(order, [-3, -4, 3]);
  third?.[Symbol.dispose]();
  await later[1];
  assert.deepEqual(order, [-3, -4, 3, 4]);
});

test('Slots: who leaves the queue takes no slot; 0 is no limit', async () => {
  let limit = 1;
  const slots = new Slots(() => limit);
  const first = await slots.acquire({ signal: never });
  const stop = new AbortController();
  const left = slots.acquire({ signal: stop.signal });
  stop.abort(new Error('gone'));
  await assert.rejects(left, /gone/);
  await assert.rejects(slots.acquire({ signal: stop.signal }), /gone/);
  first[Symbol.dispose]();
  await slots.acquire({ signal: never });
  limit = 0;
  await slots.acquire({ signal: never });
  await slots.acquire({ signal: never });
});
