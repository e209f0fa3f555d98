import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Database } from '#/state/db.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { openOverlay2 } from './overlay2.ts';
import { snapshotterContract } from './snapshotter.contract.ts';

snapshotterContract('overlay2', openOverlay2);

test('overlay2: mounts say what an upper directory of others must not decide', async () => {
  using scratch = scratchDir();
  using db = new Database(':memory:');
  const snapshots = await openOverlay2({ root: scratch.path, db });
  await snapshots.prepare('a');
  await snapshots.commit('a', 'layer');
  const [mount] = await snapshots.prepare('b', 'layer');
  assert.deepEqual(mount, {
    type: 'overlay',
    source: 'overlay',
    options: [
      'index=off',
      'metacopy=off',
      'redirect_dir=nofollow',
      `lowerdir=${scratch.join('1/diff')}`,
      `upperdir=${scratch.join('2/diff')}`,
      `workdir=${scratch.join('2/work')}`,
    ],
  });
});

test('overlay2: a path that mount options cannot express is refused', async () => {
  using db = new Database(':memory:');
  await assert.rejects(openOverlay2({ root: '/var/lib/with:colon', db }), { kind: 'invalid' });
});
