import assert from 'node:assert/strict';
import { test } from 'node:test';
import { decodeEvent, encodeEvent } from './events.ts';

test('encodeEvent: nanoseconds stay exact both ways', () => {
  const event = {
    Type: 'container',
    Action: 'start',
    Actor: { ID: 'abc', Attributes: { tricky: '"timeNano":1}' } },
    scope: 'local',
    time: 1795266330,
    timeNano: 1795266330251628695n,
  };
  const text = encodeEvent(event);
  assert.match(text, /"timeNano":1795266330251628695\}$/);
  assert.deepEqual(decodeEvent(`${text}\n`), event);
});
