import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '#/base/errors.ts';
import { allCapabilities, heldCapabilities, resolveCapabilities } from './capabilities.ts';

const all = new Set(allCapabilities);
const none = { privileged: false, add: [], drop: [] };

test("resolveCapabilities: the default are Docker's fourteen", () => {
  assert.equal(resolveCapabilities(none, all).length, 14);
});

test('resolveCapabilities: adds and drops by any spelling', () => {
  const request = { privileged: false, add: ['net_admin', 'CAP_SYS_TIME'], drop: ['Chown'] };
  const names = resolveCapabilities(request, all);
  assert.deepEqual(
    [names.includes('CAP_NET_ADMIN'), names.includes('CAP_SYS_TIME'), names.includes('CAP_CHOWN')],
    [true, true, false],
  );
});

test('resolveCapabilities: ALL on either side', () => {
  const only = resolveCapabilities({ privileged: false, add: ['KILL'], drop: ['ALL'] }, all);
  assert.deepEqual(only, ['CAP_KILL']);
  const allBut = resolveCapabilities({ privileged: false, add: ['ALL'], drop: ['SYS_ADMIN'] }, all);
  assert.equal(allBut.length, allCapabilities.length - 1);
  assert.ok(!allBut.includes('CAP_SYS_ADMIN'));
});

test('resolveCapabilities: nobody gets what the daemon does not hold', () => {
  const held = new Set(['CAP_KILL']);
  assert.deepEqual(resolveCapabilities({ ...none, privileged: true }, held), ['CAP_KILL']);
});

test('resolveCapabilities: unknown names are invalid', () => {
  assert.throws(
    () => resolveCapabilities({ ...none, add: ['FLY'] }, all),
    (error) => isKind(error, 'invalid') && /invalid capability: "FLY"/.test(error.message),
  );
});

test('heldCapabilities: reads the bounding set of this process', () => {
  const held = heldCapabilities();
  assert.ok(held.has('CAP_CHOWN') && [...held].every((name) => all.has(name)));
});
