import assert from 'node:assert/strict';
import { mkdirSync, readdirSync } from 'node:fs';
import { test } from 'node:test';
import { mount, unmount } from '#/kernel/mount.ts';
import { Database } from '#/state/db.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { openSnapshotter } from './open-snapshotter.ts';

test('openSnapshotter: takes overlay2 where it works, and what is asked for', async () => {
  using scratch = scratchDir();
  using db = new Database(':memory:');
  assert.equal((await openSnapshotter({ root: scratch.join('s'), db })).driver, 'overlay2');
  assert.equal((await openSnapshotter({ root: scratch.join('s'), db, driver: 'vfs' })).driver, 'vfs');
  assert.deepEqual(readdirSync(scratch.join('s')), ['overlay2', 'vfs']);
});

test('openSnapshotter: falls back to vfs where overlayfs cannot be, and says why it cannot', async () => {
  using scratch = scratchDir();
  using db = new Database(':memory:');
  for (const name of ['lower', 'upper', 'work', 'merged']) mkdirSync(scratch.join(name));
  const options = [
    `lowerdir=${scratch.join('lower')}`,
    `upperdir=${scratch.join('upper')}`,
    `workdir=${scratch.join('work')}`,
  ];
  mount({ type: 'overlay', source: 'overlay', options }, scratch.join('merged'));
  try {
    // An upper directory cannot be on an overlay itself.
    const root = scratch.join('merged/snapshots');
    assert.equal((await openSnapshotter({ root, db })).driver, 'vfs');
    await assert.rejects(openSnapshotter({ root, db, driver: 'overlay2' }), {
      kind: 'invalid',
      message: /EINVAL/,
    });
  } finally {
    unmount(scratch.join('merged'), { detach: true });
  }
});
