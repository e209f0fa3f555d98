import assert from 'node:assert/strict';
import { test } from 'node:test';
import { activatedSockets, selectSockets } from './activation.ts';

test('activatedSockets: only what is meant for this process, and nothing is left for children', () => {
  const env = { LISTEN_PID: '1', LISTEN_FDS: '1', LISTEN_FDNAMES: 'x', PATH: '/bin' };
  assert.deepEqual(activatedSockets(env), []);
  assert.deepEqual(env, { PATH: '/bin' });
  assert.deepEqual(activatedSockets({}), []);
});

test('selectSockets: all, by name, by number', () => {
  const sockets = [
    { fd: 3, name: 'api' },
    { fd: 4, name: 'extra' },
  ];
  assert.deepEqual(selectSockets(sockets, ''), sockets);
  assert.deepEqual(selectSockets(sockets, '*'), sockets);
  assert.deepEqual(selectSockets(sockets, 'extra'), [{ fd: 4, name: 'extra' }]);
  assert.deepEqual(selectSockets(sockets, '3'), [{ fd: 3, name: 'api' }]);
  assert.throws(() => selectSockets(sockets, 'x'), /no socket called "x"/);
  assert.throws(() => selectSockets([], ''), /no sockets found via socket activation/);
});
