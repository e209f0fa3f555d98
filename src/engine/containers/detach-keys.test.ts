import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { DetachKeys } from './detach-keys.ts';

test('DetachKeys: ctrl-p ctrl-q leaves, also when typed apart', () => {
  const keys = new DetachKeys(undefined);
  assert.deepEqual(keys.pass(Buffer.from('ab\x10')), {
    data: new Uint8Array(Buffer.from('ab')),
    detached: false,
  });
  assert.deepEqual(keys.pass(Buffer.from('\x11cd')), { data: new Uint8Array(0), detached: true });
});

test('DetachKeys: a beginning that turns out to be none is passed on', () => {
  const keys = new DetachKeys(Buffer.from('aab'));
  assert.equal(Buffer.from(keys.pass(Buffer.from('aac')).data).toString(), 'aac');
  assert.equal(new DetachKeys(Buffer.from('z')).pass(Buffer.from('xz')).detached, true);
});

test('DetachKeys: without the first key everything passes unchanged, however it is cut', () => {
  const bytes = fc.uint8Array().map((data) => data.filter((byte) => byte !== 16));
  fc.assert(
    fc.property(fc.array(bytes), (pieces) => {
      const keys = new DetachKeys(undefined);
      const passed = pieces.map((piece) => keys.pass(piece));
      assert.ok(passed.every(({ detached }) => !detached));
      assert.deepEqual(Buffer.concat(passed.map(({ data }) => data)), Buffer.concat(pieces));
    }),
  );
});
