import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  mkdirSync,
  openSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { test } from 'node:test';
import { lgetxattr, lsetxattr, makedev, mkfifo, mknod } from '#/kernel/files.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { packTree } from '../archive/pack-tree.ts';
import { copyTree } from './copy-tree.ts';

test('copyTree: the copy is the same in everything', async () => {
  using scratch = scratchDir();
  const [from, to] = [scratch.join('from'), scratch.join('to')];
  mkdirSync(`${from}/a/b`, { recursive: true });
  mkdirSync(to);
  writeFileSync(`${from}/a/file`, Buffer.alloc(1_500_000, 'data'), { mode: 0o640 });
  chownSync(`${from}/a/file`, 1000, 1001);
  chmodSync(`${from}/a/file`, 0o6755);
  lsetxattr(`${from}/a/file`, 'user.note', Buffer.from('n'));
  linkSync(`${from}/a/file`, `${from}/a/b/again`);
  symlinkSync('nowhere', `${from}/a/link`);
  mkfifo(`${from}/fifo`, 0o600);
  mknod(`${from}/device`, 0o020000 | 0o666, makedev(1, 3));
  writeFileSync(Buffer.from(`${from}/latin\xe9`, 'latin1'), '');
  const sparse = openSync(`${from}/sparse`, 'w');
  writeSync(sparse, 'middle', 5 * 2 ** 30);
  closeSync(sparse);
  truncateSync(`${from}/sparse`, 9 * 2 ** 30);
  chownSync(from, 7, 8);
  utimesSync(`${from}/a`, 1_500_000_000, 1_500_000_000);
  await copyTree(from, to);
  assert.deepEqual(await Array.fromAsync(packTree(to)), await Array.fromAsync(packTree(from)));
  assert.deepEqual([statSync(to).uid, statSync(to).gid], [7, 8]);
  assert.equal(statSync(`${to}/a/b/again`).ino, statSync(`${to}/a/file`).ino);
  assert.equal(lgetxattr(`${to}/a/file`, 'user.note')?.toString(), 'n');
  assert.ok(statSync(`${to}/sparse`).blocks < 100);
  assert.equal(statSync(`${to}/a`).mtimeMs, 1_500_000_000_000);
});
