import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Restarts } from './restarts.ts';

test('Restarts.hold: a container stays held until the last of several restarts by request is over', () => {
  const restarts = new Restarts(() => Promise.resolve());
  const [first, second] = [restarts.hold('a'), restarts.hold('a')];
  first[Symbol.dispose]();
  assert.deepEqual([restarts.isHeld('a'), restarts.isHeld('b')], [true, false]);
  second[Symbol.dispose]();
  assert.equal(restarts.isHeld('a'), false);
});
