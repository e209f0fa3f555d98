import assert from 'node:assert/strict';
import { test } from 'node:test';
import { goMode, kindOf, unixPermissions } from './file-mode.ts';

test('goMode, kindOf, unixPermissions: come back to where they began', () => {
  for (const kind of ['file', 'directory', 'symlink', 'fifo', 'socket', 'device'] as const) {
    for (const permissions of [0o644, 0o7777, 0o4755, 0o1777, 0]) {
      const mode = goMode(kind, permissions);
      assert.ok(mode >= 0 && mode < 2 ** 32);
      assert.deepEqual([kindOf(mode), unixPermissions(mode)], [kind, permissions]);
    }
  }
});

test('kindOf: knows the modes that Go sends', () => {
  assert.equal(kindOf(2147484141), 'directory');
  assert.equal(unixPermissions(2147484141), 0o755);
  assert.equal(kindOf(134218239), 'symlink');
  assert.equal(kindOf(420), 'file');
  assert.equal(kindOf(1 << 19), undefined);
});
