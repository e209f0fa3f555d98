import assert from 'node:assert/strict';
import { mkdirSync, statSync } from 'node:fs';
import { test } from 'node:test';
import { lgetxattr } from '#/kernel/files.ts';
import { directory, file, link } from '#/tar/tar-samples.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { treeOf, unpack } from './extract-samples.ts';

const second = 1_000_000_000n;

test('extractTar: overlay whiteouts hide what is below, whichever order the archive has', async () => {
  using scratch = scratchDir();
  await unpack(
    scratch.path,
    [
      file('.wh.gone'),
      directory('opaque'),
      file('opaque/.wh..wh..opq'),
      file('opaque/own', '1'),
      file('.wh.before'),
      directory('before'),
      directory('after'),
      file('after/own', '2'),
      file('.wh.after'),
      file('same', '3'),
      file('.wh.same'),
      file('implied/.wh.x'),
      file('.wh..wh.plnk', 'aufs'),
    ],
    { whiteouts: 'overlay' },
  );
  assert.deepEqual(treeOf(scratch.path), {
    gone: 'device 0',
    opaque: 'directory',
    'opaque/own': '1',
    before: 'directory',
    after: 'directory',
    'after/own': '2',
    same: '3',
    implied: 'directory',
    'implied/x': 'device 0',
  });
  const opaque = (name: string): string | undefined =>
    lgetxattr(scratch.join(name), 'trusted.overlay.opaque')?.toString();
  assert.deepEqual(['opaque', 'before', 'after', 'implied'].map(opaque), ['y', 'y', 'y', undefined]);
});

test('extractTar: applied whiteouts delete what was there, never what the archive brings', async () => {
  using scratch = scratchDir();
  const lower = ['gone/deep/file', 'opaque/old', 'opaque/sub/old', 'mixed/old', 'mixed/dir/old', 'both'];
  await unpack(
    scratch.path,
    lower.map((path) => file(path, 'lower')),
  );
  await unpack(
    scratch.path,
    [
      file('.wh.gone'),
      file('opaque/sub/own', '1'),
      file('opaque/.wh..wh..opq'),
      file('mixed/dir/own', '2'),
      file('.wh.mixed'),
      file('both', '3'),
      file('.wh.both'),
      file('.wh.never-there'),
    ],
    { whiteouts: 'apply' },
  );
  assert.deepEqual(treeOf(scratch.path), {
    opaque: 'directory',
    'opaque/sub': 'directory',
    'opaque/sub/own': '1',
    mixed: 'directory',
    'mixed/dir': 'directory',
    'mixed/dir/own': '2',
    both: '3',
  });
});

test('extractTar: what an archive takes for granted comes from the lower layers', async () => {
  using scratch = scratchDir();
  const [near, far, root] = ['near', 'far', 'root'].map((name) => scratch.join(name)) as [
    string,
    string,
    string,
  ];
  for (const path of [near, far, root]) mkdirSync(path);
  await unpack(far, [
    directory('etc', { mode: 0o750, uid: 5, gid: 6, mtime: 9n * second }),
    file('etc/conf', 'shared', { mode: 0o640, uid: 8 }),
    file('hidden', 'x'),
  ]);
  await unpack(near, [file('.wh.hidden')], { whiteouts: 'overlay' });
  const options = { whiteouts: 'overlay', lowers: [near, far] } as const;
  await unpack(root, [file('etc/new', 'n'), link('hardlink', 'copy', 'etc/conf')], options);
  const etc = statSync(`${root}/etc`);
  assert.deepEqual([etc.mode & 0o777, etc.uid, etc.gid], [0o750, 5, 6]);
  assert.deepEqual(treeOf(root), { copy: 'shared', etc: 'directory', 'etc/conf': 'shared', 'etc/new': 'n' });
  assert.deepEqual(
    [statSync(`${root}/copy`).ino, statSync(`${root}/copy`).uid],
    [statSync(`${root}/etc/conf`).ino, 8],
  );
  await assert.rejects(unpack(root, [link('hardlink', 'l', 'hidden')], options), {
    kind: 'invalid',
    message: /not in the archive before it/,
  });
});
