import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { unlessAborted } from './abort.ts';

test('unlessAborted: gives the result or the failure of the work, or the reason of the abort', async () => {
  const controller = new AbortController();
  const { signal } = controller;
  assert.equal(await unlessAborted(Promise.resolve(1), signal), 1);
  await assert.rejects(unlessAborted(Promise.reject(new Error('failed')), signal), /failed/);
  const never = Promise.withResolvers<void>();
  const waiting = unlessAborted(never.promise, signal);
  controller.abort(new Error('left'));
  await assert.rejects(waiting, /left/);
  await assert.rejects(unlessAborted(Promise.resolve(1), signal), /left/);
  never.reject(new Error('too late'));
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});
