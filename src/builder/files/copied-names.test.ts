import assert from 'node:assert/strict';
import { linkSync, statSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import type { DriverName } from '#/storage/snapshots/snapshotter.ts';
import { Lab } from '#tests/copy-lab.ts';
import { type CopyRequest, copyInto } from './copy-into.ts';

const source = { 'd/f': '1', 'd/sub/g': '2', one: 'x', again: '->one' };

for (const driver of ['overlay2', 'vfs'] satisfies readonly DriverName[]) {
  for (const isShared of [true, false]) {
    const how = `on ${driver}, from a ${isShared ? 'shared' : 'passing'} source`;

    test(`copyInto: ${how}, names of one file stay that within a directory, and nowhere else`, async () => {
      await using lab = await Lab.open(driver, { source, image: { a: '', b: '' } });
      const at = (name: string): string => join(lab.source, name);
      linkSync(at('d/f'), at('d/sub/twin'));
      linkSync(at('d/f'), at('top'));
      const wish: Pick<CopyRequest, 'destination' | 'source'> = {
        destination: '/o/',
        source: { root: lab.source, isShared },
      };
      const { snapshots } = lab.storage;
      await snapshots.prepare('build-names', 'image-1');
      const target = snapshots.layerTarget('build-names');
      const { given } = await copyInto({ ...wish, target, paths: ['d', 'top', 'one', 'again'] });
      await copyInto({ ...wish, target, paths: ['d/f'], destination: '/o/later', given });
      const inode = (name: string): number => statSync(join(target.root, 'o', name)).ino;
      assert.equal(inode('sub/twin'), inode('f'));
      const own = ['f', 'top', 'one', 'again', 'later', 'sub/g'].map(inode);
      assert.equal(new Set(own).size, own.length, 'a write to one would change another');
    });
  }

  test(`copyInto: on ${driver}, a directory that gets the contents of another has its time`, async () => {
    const image = { 'etc/passwd': '', 'var/x': '' };
    await using lab = await Lab.open(driver, { source, image });
    utimesSync(join(lab.source, 'd'), 1_500_000_000, 1_600_000_000);
    utimesSync(lab.source, 1_500_000_000, 1_600_000_000);
    const requests = ['/new/', '/etc', '/deep/er'].map((destination) => ({ paths: ['d'], destination }));
    await lab.copy([...requests, { paths: ['.'], destination: '/var' }], (root) => {
      const time = (name: string): number => statSync(join(root, name)).mtimeMs / 1000;
      assert.deepEqual(['new', 'etc', 'deep/er'].map(time), [1_600_000_000, 1_600_000_000, 1_600_000_000]);
      assert.ok(time('deep') > 1_600_000_000);
      assert.ok(time('var') > 1_600_000_000);
    });
    await lab.copy([{ paths: ['d'], destination: '/etc', time: 5n * 10n ** 9n }], (root) => {
      assert.equal(statSync(join(root, 'etc')).mtimeMs, 5000);
    });
  });
}
