import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDetachKeys } from './detach-keys.ts';

test('parseDetachKeys: control keys and characters', () => {
  assert.deepEqual([...(parseDetachKeys('ctrl-p,ctrl-q') ?? [])], [16, 17]);
  assert.deepEqual([...(parseDetachKeys('a,CTRL-@,ctrl-_') ?? [])], [97, 0, 31]);
  assert.equal(parseDetachKeys(''), undefined);
  for (const wrong of ['foo', 'ctrl-', 'ctrl-1', 'a,,b', 'ü']) {
    assert.throws(() => parseDetachKeys(wrong), {
      kind: 'invalid',
      message: `Invalid escape keys (${wrong}) provided`,
    });
  }
});
