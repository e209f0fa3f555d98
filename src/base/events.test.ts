import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Broadcaster } from './events.ts';

test('Broadcaster: every subscriber gets every value in order', async () => {
  const events = new Broadcaster<number>();
  const stop = new AbortController();
  const readers = [events.subscribe({ signal: stop.signal }), events.subscribe({ signal: stop.signal })];
  for (const n of [1, 2, 3]) events.publish(n);
  stop.abort();
  for (const reader of readers) assert.deepEqual(await Array.fromAsync(reader), [1, 2, 3]);
  assert.equal(events.size, 0);
});

test('Broadcaster: a reader that waits is woken by a value and ended by abort', async () => {
  const events = new Broadcaster<string>();
  const stop = new AbortController();
  const reader = events.subscribe({ signal: stop.signal });
  const first = reader.next();
  events.publish('a');
  assert.equal((await first).value, 'a');
  const second = reader.next();
  stop.abort();
  assert.equal((await second).done, true);
});

test('Broadcaster: a reader that falls behind gets what was queued and then an error', async () => {
  const events = new Broadcaster<number>(2);
  const reader = events.subscribe({ signal: new AbortController().signal });
  for (const n of [1, 2, 3]) events.publish(n);
  assert.equal((await reader.next()).value, 1);
  assert.equal((await reader.next()).value, 2);
  await assert.rejects(reader.next(), /fell too far behind/);
  assert.equal(events.size, 0);
});

test('Broadcaster: leaving a loop ends the subscription', async () => {
  const events = new Broadcaster<number>();
  const reader = events.subscribe({ signal: new AbortController().signal });
  events.publish(1);
  for await (const n of reader) {
    assert.equal(n, 1);
    break;
  }
  assert.equal(events.size, 0);
});
