import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { type WorkSlot, WorkSlots } from './work-slots.ts';

/** Slots, and who has got one so far. */
function counting(limit: number, most: number): { slots: WorkSlots; got: WorkSlot[]; ask: () => void } {
  const slots = new WorkSlots({ limit, most });
  const got: WorkSlot[] = [];
  const ask = (): void => void slots.acquire().then((slot) => got.push(slot));
  return { slots, got, ask };
}

test('WorkSlots: so many at work at once, those that rest do not count', async () => {
  const { got, ask } = counting(1, 3);
  for (let n = 0; n < 4; n += 1) ask();
  await turn();
  assert.equal(got.length, 1);
  got[0]?.rest(true);
  got[0]?.rest(true);
  await turn();
  assert.equal(got.length, 2);
  // Both are at work now: more than there should be, until one ends.
  got[0]?.rest(false);
  got[1]?.[Symbol.dispose]();
  await turn();
  assert.equal(got.length, 2);
  got[0]?.[Symbol.dispose]();
  got[0]?.[Symbol.dispose]();
  got[0]?.rest(true);
  await turn();
  assert.equal(got.length, 3);
});

test('WorkSlots: however many rest, there are not more than the most', async () => {
  const { got, ask } = counting(1, 3);
  for (let n = 0; n < 5; n += 1) ask();
  for (let n = 0; n < 5; n += 1) {
    await turn();
    got.at(-1)?.rest(true);
  }
  assert.equal(got.length, 3);
  got[0]?.[Symbol.dispose]();
  await turn();
  assert.equal(got.length, 4);
});

test('WorkSlots: who leaves while waiting takes none', async () => {
  const { slots, got, ask } = counting(1, 1);
  ask();
  const leave = new AbortController();
  const left = slots.acquire(leave.signal);
  ask();
  leave.abort(new Error('left'));
  await assert.rejects(left, /left/);
  got[0]?.[Symbol.dispose]();
  await turn();
  assert.equal(got.length, 2);
  await assert.rejects(slots.acquire(leave.signal), /left/);
});
