import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { KeyedLocks } from './locks.ts';

test('KeyedLocks: holders of one key run one after the other, in order of asking', async () => {
  const locks = new KeyedLocks();
  const log: string[] = [];
  const work = async (name: string): Promise<void> => {
    using _held = await locks.acquire('k');
    log.push(`${name}+`);
    await turn();
    log.push(`${name}-`);
  };
  await Promise.all([work('a'), work('b'), work('c')]);
  assert.deepEqual(log, ['a+', 'a-', 'b+', 'b-', 'c+', 'c-']);
  assert.equal(locks.isHeld('k'), false);
});

test('KeyedLocks: other keys do not wait', async () => {
  const locks = new KeyedLocks();
  using _a = await locks.acquire('a');
  using _b = await locks.acquire('b');
  assert.ok(locks.isHeld('a') && locks.isHeld('b'));
});

test('KeyedLocks: a holder that throws releases', async () => {
  const locks = new KeyedLocks();
  await assert.rejects(async () => {
    using _held = await locks.acquire('k');
    throw new Error('boom');
  });
  using _again = await locks.acquire('k');
  assert.ok(locks.isHeld('k'));
});

test('KeyedLocks: whoever is told to stop waits no longer, and holds nobody up', async () => {
  const locks = new KeyedLocks();
  const stop = new AbortController();
  const first = await locks.acquire('k');
  const second = locks.acquireUnless('k', stop.signal);
  const third = locks.acquire('k');
  stop.abort(new Error('enough'));
  await assert.rejects(second, /^Error: enough$/);
  first[Symbol.dispose]();
  (await third)[Symbol.dispose]();
  assert.equal(locks.isHeld('k'), false);
});
