import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mount, unmount } from '#/kernel/mount.ts';
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

test('overlay2: the base shows where no layer has anything, and belongs to no layer', async () => {
  using scratch = scratchDir();
  using db = new Database(':memory:');
  const base = scratch.join('base');
  mkdirSync(join(base, 'etc'), { recursive: true });
  for (const name of ['a', 'b', 'c']) writeFileSync(join(base, 'etc', name), 'base');
  const snapshots = await openOverlay2({ root: scratch.join('s'), db, base });
  await snapshots.prepare('k');
  const etc = join(snapshots.layerTarget('k').root, 'etc');
  mkdirSync(etc);
  writeFileSync(join(etc, 'b'), 'layer');
  await snapshots.commit('k', 'layer');
  const [own] = await snapshots.prepare('own', 'layer');
  assert.ok(own !== undefined);
  const target = scratch.join('target');
  mkdirSync(target);
  mount(own, target);
  try {
    assert.deepEqual(readdirSync(join(target, 'etc')).toSorted(), ['a', 'b', 'c']);
    assert.equal(readFileSync(join(target, 'etc/a'), 'utf8'), 'base');
    assert.equal(readFileSync(join(target, 'etc/b'), 'utf8'), 'layer');
    assert.deepEqual(readdirSync(snapshots.upperDir('own')), []);
    writeFileSync(join(target, 'etc/a'), 'changed');
    rmSync(join(target, 'etc/c'));
  } finally {
    unmount(target, { detach: true });
  }
  assert.deepEqual(readdirSync(join(base, 'etc')), ['a', 'b', 'c']);
  assert.equal(readFileSync(join(base, 'etc/a'), 'utf8'), 'base');
  const [view] = await snapshots.view('view', 'layer');
  assert.deepEqual(view?.options, ['bind', 'ro']);
});

test('overlay2: a path that mount options cannot express is refused', async () => {
  using db = new Database(':memory:');
  await assert.rejects(openOverlay2({ root: '/var/lib/with:colon', db }), { kind: 'invalid' });
});
