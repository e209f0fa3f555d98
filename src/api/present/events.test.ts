import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { EngineEvent } from '#/engine/events.ts';
import { eventFilter, presentEvent } from './events.ts';

function event(
  type: EngineEvent['type'],
  action: string,
  attributes: Record<string, string> = {},
): EngineEvent {
  return { type, action, actor: { id: 'abcdef', attributes }, timeNano: 1795266330251628695n };
}

const start = event('container', 'start', { name: 'web', image: 'busybox:1', env: 'test' });
const exec = event('container', 'exec_create: sh -c true', { name: 'web', image: 'busybox:1' });
const pull = event('image', 'tag', { name: 'busybox:1' });
const connect = event('network', 'connect', { name: 'bridge', container: 'abcdef' });
const all = [start, exec, pull, connect];

test('presentEvent: containers and images also have the fields of old clients', () => {
  const { timeNano, time, status, id, from } = presentEvent(start);
  assert.deepEqual(
    [timeNano, time, status, id, from],
    [1795266330251628695n, 1795266330, 'start', 'abcdef', 'busybox:1'],
  );
  assert.ok(!('status' in presentEvent(connect)));
});

test('eventFilter: by each name', () => {
  const chosen = (filters: Record<string, string[]>): EngineEvent[] =>
    all.filter(eventFilter(new Map(Object.entries(filters))));
  assert.deepEqual(chosen({}), all);
  assert.deepEqual(chosen({ type: ['image', 'network'] }), [pull, connect]);
  assert.deepEqual(chosen({ event: ['start'] }), [start]);
  assert.deepEqual(chosen({ event: ['exec_create'] }), [exec]);
  assert.deepEqual(chosen({ container: ['web'] }), [start, exec]);
  assert.deepEqual(chosen({ container: ['abc'] }), [start, exec]);
  assert.deepEqual(chosen({ network: ['bridge'] }), [connect]);
  assert.deepEqual(chosen({ image: ['busybox'] }), [start, exec, pull]);
  assert.deepEqual(chosen({ label: ['env=test'] }), [start]);
  assert.deepEqual(chosen({ label: ['env', 'name'] }), [start]);
  assert.deepEqual(chosen({ type: ['container'], event: ['start'], label: ['env=prod'] }), []);
  assert.deepEqual(chosen({ service: ['x'] }), []);
  assert.deepEqual(chosen({ nonsense: ['x'] }), all);
});
