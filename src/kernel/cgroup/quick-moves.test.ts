import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mount } from '../mount.ts';
import { readMountInfo } from '../mountinfo.ts';
import { detectCgroups } from './layout.ts';
import { favorQuickMoves } from './quick-moves.ts';

test('favorQuickMoves: sets the option beside those that are set, and only once', () => {
  const layout = detectCgroups();
  const v2Mount = (): ReturnType<typeof readMountInfo>[number] | undefined =>
    readMountInfo().find(({ mountPoint }) => mountPoint === layout.v2);
  const before = v2Mount();
  const done = favorQuickMoves(layout);
  const after = v2Mount();
  try {
    assert.equal(done, after?.superOptions.includes('favordynmods') ?? false);
    for (const word of before?.superOptions ?? []) assert.ok(after?.superOptions.includes(word), word);
    assert.deepEqual(after?.options, before?.options);
    assert.equal(favorQuickMoves(layout), done);
  } finally {
    if (before !== undefined && done && !before.superOptions.includes('favordynmods')) {
      const options = [...before.options, ...before.superOptions].filter((word) => word !== 'rw');
      mount({ type: 'cgroup2', source: before.source, options: ['remount', ...options] }, before.mountPoint);
    }
  }
});
