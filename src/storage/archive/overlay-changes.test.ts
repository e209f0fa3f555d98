import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { mount, unmount } from '#/kernel/mount.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { overlayChanges } from './overlay-changes.ts';

test('overlayChanges: tells what was done in an overlay mount', async () => {
  using scratch = scratchDir();
  const [far, near, upper, work, merged] = ['far', 'near', 'upper', 'work', 'merged'].map((name) =>
    scratch.join(name),
  ) as [string, string, string, string, string];
  for (const path of [`${far}/etc`, `${far}/dir/sub`, `${near}/etc`, upper, work, merged])
    mkdirSync(path, { recursive: true });
  for (const path of [
    `${far}/etc/conf`,
    `${far}/dir/a`,
    `${far}/dir/sub/b`,
    `${near}/etc/old`,
    `${far}/mode`,
  ])
    writeFileSync(path, 'x');
  mount(
    {
      type: 'overlay',
      source: 'overlay',
      options: [`lowerdir=${near}:${far}`, `upperdir=${upper}`, `workdir=${work}`],
    },
    merged,
  );
  try {
    writeFileSync(`${merged}/etc/conf`, 'changed');
    writeFileSync(`${merged}/etc/new`, 'new');
    rmSync(`${merged}/etc/old`);
    chmodSync(`${merged}/mode`, 0o600);
    rmSync(`${merged}/dir`, { recursive: true });
    mkdirSync(`${merged}/dir`);
    writeFileSync(`${merged}/dir/a`, 'again');
    mkdirSync(`${merged}/fresh/deep`, { recursive: true });
    writeFileSync(`${merged}/gone`, 'x');
    rmSync(`${merged}/gone`);
  } finally {
    unmount(merged);
  }
  assert.deepEqual(
    (await overlayChanges(upper, [near, far])).map(({ kind, path }) => `${kind} ${path}`),
    [
      'modified dir',
      'deleted dir/sub',
      'modified dir/a',
      'modified etc',
      'modified etc/conf',
      'added etc/new',
      'deleted etc/old',
      'added fresh',
      'added fresh/deep',
      'modified mode',
    ],
  );
});
