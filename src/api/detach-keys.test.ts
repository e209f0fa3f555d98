import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseDetachKeys } from './detach-keys.ts';

test('parseDetachKeys: control keys and characters', () => {
  assert.deepEqual([...(parseDetachKeys('ctrl-p,ctrl-q', 'detach') ?? [])], [16, 17]);
  assert.deepEqual([...(parseDetachKeys('a,ctrl-@,ctrl-_', 'detach') ?? [])], [97, 0, 31]);
  assert.equal(parseDetachKeys('', 'detach'), undefined);
  for (const wrong of ['foo', 'ctrl-', 'ctrl-1', 'ctrl-A', 'a,,b', 'ü']) {
    assert.throws(() => parseDetachKeys(wrong, 'escape'), {
      kind: 'invalid',
      message: `Invalid escape keys (${wrong}) provided`,
    });
  }
});
