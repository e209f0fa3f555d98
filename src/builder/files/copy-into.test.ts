import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  closeSync,
  linkSync,
  lstatSync,
  openSync,
  readFileSync,
  statSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lgetxattr, lsetxattr, mkfifo } from '#/kernel/files.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import type { DriverName } from '#/storage/snapshots/snapshotter.ts';
import { Lab, shown, type Tree } from '#tests/copy-lab.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { type CopyRequest, copyInto } from './copy-into.ts';
import { openFileThreads } from './file-threads.ts';

const source: Tree = {
  f: '1',
  s: 's',
  'd/sub/file': '2',
  'd/txt.txt': 't',
  'd/inner': '->sub/file',
  'd/away': '->/etc/passwd',
  ld: '->d',
  lf: '->f',
  loop: '->loop',
  out: '->../../../etc',
  'x/f/': '',
};

const image: Tree = {
  'etc/passwd': 'image',
  'app/old': 'old',
  'app/sub/kept': 'kept',
  link: '->app',
  up: '->../../../../app',
  absolute: '->/app/sub',
  nowhere: '->/made/later',
  round: '->round',
  file: 'file',
};

const drivers: readonly DriverName[] = ['overlay2', 'vfs'];

for (const driver of drivers) {
  test(`copyInto: on ${driver}, puts files and directories where Docker puts them`, async () => {
    await using lab = await Lab.open(driver, { source, image });
    const cases: readonly (readonly [paths: string[], destination: string, more: Tree])[] = [
      [['f'], '/a', { a: '1' }],
      [['f'], '/a/', { 'a/': '', 'a/f': '1' }],
      [['f'], '/a/.', { 'a/': '', 'a/f': '1' }],
      [['f'], '/', { f: '1' }],
      [['f'], '/app', { 'app/f': '1' }],
      [['f', 's'], '/a', { a: 's' }],
      [['f'], '/file', { file: '1' }],
      [
        ['d'],
        '/a',
        {
          'a/': '',
          'a/away': '->/etc/passwd',
          'a/inner': '->sub/file',
          'a/sub/': '',
          'a/sub/file': '2',
          'a/txt.txt': 't',
        },
      ],
      [['d/sub'], '/app', { 'app/file': '2' }],
      [
        ['d'],
        '/app/',
        { 'app/away': '->/etc/passwd', 'app/inner': '->sub/file', 'app/sub/file': '2', 'app/txt.txt': 't' },
      ],
      [['x'], '/q/w', { 'q/': '', 'q/w/': '', 'q/w/f/': '' }],
      // Links of the source are followed where they are named, inside of it.
      [['lf'], '/a/', { 'a/': '', 'a/lf': '1' }],
      [['ld/sub'], '/a', { 'a/': '', 'a/file': '2' }],
      [['/f'], '/a', { a: '1' }],
      [['f/'], '/a/', { 'a/': '', 'a/f': '1' }],
      [['./f/.'], '/a/', { 'a/': '', 'a/f': '1' }],
      [['d/../f'], '/a/', { 'a/': '', 'a/f': '1' }],
      [['d/sub/'], '/a', { 'a/': '', 'a/file': '2' }],
      [['./d/sub/.'], '/a', { 'a/': '', 'a/file': '2' }],
      [['d/inner'], '/a', { a: '2' }],
      // Links of the image are, too.
      [['f'], '/link/', { 'app/f': '1' }],
      [['f'], '/up/x', { 'app/x': '1' }],
      [['d/sub'], '/absolute', { 'app/sub/file': '2' }],
      [['f'], '/nowhere', { 'made/': '', 'made/later': '1' }],
      [['f'], '/nowhere/', { 'made/': '', 'made/later/': '', 'made/later/f': '1' }],
      [['f'], '/app/../../../b', { b: '1' }],
    ];
    for (const [paths, destination, more] of cases) {
      const seen = await lab.copy([{ paths, destination }]);
      const wanted = { ...(await lab.copy([])), ...more };
      assert.deepEqual(seen, wanted, `${paths.join(' ')} to ${destination}`);
    }
  });

  test(`copyInto: on ${driver}, refuses what Docker refuses`, async () => {
    await using lab = await Lab.open(driver, { source, image });
    const cases: readonly (readonly [paths: string[], destination: string, message: string])[] = [
      [['none'], '/a', '"/none": not found'],
      [['d/none'], '/a', '"/d/none": not found'],
      [['f/x'], '/a', '"/f/x": not found'],
      [['d/away'], '/a', '"/d/away": not found'],
      [['out'], '/a', '"/out": not found'],
      [['n'.repeat(300)], '/a', `"${'n'.repeat(200)}": file name too long`],
      [['f'], `/${'n/'.repeat(3000)}`, `"/${'n/'.repeat(99)}n": file name too long`],
      [['loop'], '/a', 'too many links in "loop"'],
      [['f'], '/round/', 'too many links in "/round/"'],
      [['d'], '/file', 'cannot copy to non-directory: /file'],
      [['d'], '/file/', 'mkdir /file: not a directory'],
      [['s'], '/file/y', 'mkdir /file: not a directory'],
      [['x'], '/app/old/y', 'mkdir /app/old: not a directory'],
    ];
    for (const [paths, destination, message] of cases) {
      await assert.rejects(lab.copy([{ paths, destination }]), { name: 'EngineError', message }, message);
    }
    await assert.rejects(
      lab.copy([
        { paths: ['f'], destination: '/q/sub' },
        { paths: ['d'], destination: '/q' },
      ]),
      {
        message: 'cannot copy to non-directory: /q/sub',
      },
    );
    await assert.rejects(
      lab.copy([
        { paths: ['x/f'], destination: '/q/f' },
        { paths: ['f'], destination: '/q/' },
      ]),
      {
        message: 'cannot replace to directory /q/f with file',
      },
    );
    // The same with what the image has.
    await using other = await Lab.open(driver, { source: { 'a/app': 'file', 'b/file/x': '' }, image });
    await assert.rejects(other.copy([{ paths: ['a'], destination: '/' }]), {
      message: 'cannot replace to directory /app with file',
    });
    await assert.rejects(other.copy([{ paths: ['b'], destination: '/' }]), {
      message: 'cannot copy to non-directory: /file',
    });
  });

  test(`copyInto: on ${driver}, keeps or changes attributes as it is told`, async () => {
    await using lab = await Lab.open(driver, { source, image });
    const at = (name: string): string => join(lab.source, name);
    chownSync(at('f'), 5, 6);
    chmodSync(at('f'), 0o6751);
    lsetxattr(at('f'), 'user.note', Buffer.from('n'));
    chmodSync(at('d/sub'), 0o2750);
    linkSync(at('d/txt.txt'), at('d/again'));
    mkfifo(at('d/fifo'), 0o640);
    const fd = openSync(at('d/sparse'), 'w');
    writeSync(fd, 'middle', 2 ** 30);
    closeSync(fd);
    truncateSync(at('d/sparse'), 2 ** 31);
    for (const name of ['f', 'd/sub/file', 'd/sub', 'd']) utimesSync(at(name), 1_500_000_000, 1_600_000_000);
    const facts = (root: string, name: string): unknown[] => {
      const { uid, gid, mode, mtimeMs } = lstatSync(join(root, name));
      return [uid, gid, (mode & 0o7777).toString(8), mtimeMs / 1000];
    };
    await lab.copy([{ paths: ['f', 'd'], destination: '/new/dir/' }], (root) => {
      assert.deepEqual(facts(root, 'new/dir/f'), [5, 6, '6751', 1_600_000_000]);
      assert.equal(lgetxattr(join(root, 'new/dir/f'), 'user.note')?.toString(), 'n');
      assert.deepEqual(facts(root, 'new/dir/sub'), [0, 0, '2750', 1_600_000_000]);
      assert.deepEqual(facts(root, 'new/dir/sub/file').slice(3), [1_600_000_000]);
      assert.deepEqual(facts(root, 'new/dir').slice(0, 3), [0, 0, '755']);
      assert.equal(statSync(join(root, 'new/dir/txt.txt')).ino, statSync(join(root, 'new/dir/again')).ino);
      assert.ok(lstatSync(join(root, 'new/dir/fifo')).isFIFO());
      const sparse = statSync(join(root, 'new/dir/sparse'));
      assert.deepEqual([sparse.size, sparse.blocks < 100], [2 ** 31, true]);
    });
    const owner = { uid: 100_000, gid: 7 };
    const request = {
      paths: ['d'],
      destination: '/new/dir',
      owner,
      mode: 'u=rwX,go=',
      time: 1_700_000_000n * 10n ** 9n,
    };
    await lab.copy([request], (root) => {
      assert.deepEqual(facts(root, 'new'), [100_000, 7, '755', 1_700_000_000]);
      assert.deepEqual(facts(root, 'new/dir/sub'), [100_000, 7, '700', 1_700_000_000]);
      assert.deepEqual(facts(root, 'new/dir/sub/file'), [100_000, 7, '600', 1_700_000_000]);
      assert.deepEqual(
        facts(root, 'new/dir/inner').filter((_, i) => i !== 2),
        [100_000, 7, 1_700_000_000],
      );
    });
    // A directory that is there keeps its attributes where it is named, and gets new ones where it is inside.
    await lab.copy([{ paths: ['d'], destination: '/app', owner, mode: '700' }], (root) => {
      assert.deepEqual(facts(root, 'app').slice(0, 3), [0, 0, '755']);
      assert.deepEqual(facts(root, 'app/sub').slice(0, 3), [100_000, 7, '700']);
      assert.equal(readFileSync(join(root, 'app/sub/kept'), 'utf8'), 'kept');
    });
    await assert.rejects(lab.copy([{ paths: ['f'], destination: '/a', mode: '9' }]), { kind: 'invalid' });
  });

  test(`copyInto: on ${driver}, leaves out what is excluded and makes parents`, async () => {
    const tree = { 'a/b/c/1.txt': '1', 'a/b/c/2.md': '2', 'a/b/3.txt': '3', 'a/4.txt': '4' };
    await using lab = await Lab.open(driver, { source: tree, image: { 'x/': '', 'y/': '' } });
    chmodSync(join(lab.source, 'a/b'), 0o711);
    const copied = async (request: Partial<CopyRequest> & Pick<CopyRequest, 'paths'>): Promise<string[]> =>
      Object.keys(await lab.copy([{ destination: '/o/', ...request }])).filter((name) =>
        name.startsWith('o/'),
      );
    assert.deepEqual(await copied({ paths: ['a'], excludes: ['**/*.txt'] }), [
      'o/',
      'o/b/',
      'o/b/c/',
      'o/b/c/2.md',
    ]);
    assert.deepEqual(await copied({ paths: ['a'], excludes: ['b', '!b/c/1.txt'] }), [
      'o/',
      'o/4.txt',
      'o/b/',
      'o/b/c/',
      'o/b/c/1.txt',
    ]);
    assert.deepEqual(await copied({ paths: ['a/4.txt', 'a/b/c/2.md'], excludes: ['*.txt'] }), [
      'o/',
      'o/2.md',
    ]);
    assert.deepEqual(await copied({ paths: ['a/b/c/1.txt', 'a/4.txt'], parents: true }), [
      'o/',
      'o/a/',
      'o/a/4.txt',
      'o/a/b/',
      'o/a/b/c/',
      'o/a/b/c/1.txt',
    ]);
    assert.deepEqual(await copied({ paths: ['a/./b/c'], parents: true, destination: '/o' }), [
      'o/',
      'o/b/',
      'o/b/c/',
      'o/b/c/1.txt',
      'o/b/c/2.md',
    ]);
    await lab.copy([{ paths: ['a/b/3.txt'], parents: true, destination: '/' }], (root) => {
      assert.equal(lstatSync(join(root, 'a/b')).mode & 0o777, 0o711);
    });
  });
}

test('copyInto: files of a shared source become further names, if nothing about them is to change', async () => {
  await using lab = await Lab.open('overlay2', { source, image });
  const { snapshots } = lab.storage;
  const ino = statSync(join(lab.source, 'd/sub/file')).ino;
  const inodes = async (request: Partial<CopyRequest>): Promise<{ shared: boolean; seen: Tree }> => {
    const key = `build-shared-${Object.keys(request).join('-')}`;
    const mounts = await snapshots.prepare(key, 'image-1');
    const target = snapshots.layerTarget(key);
    const shared = { source: { root: lab.source, isShared: true }, paths: ['d'], destination: '/app' };
    await copyInto({ target, ...shared, ...request });
    using scratch = scratchDir();
    for (const one of mounts) mount(one, scratch.path);
    try {
      // A container that changes the file changes its own.
      writeFileSync(join(scratch.path, 'app/sub/kept'), 'changed');
      return {
        shared: statSync(join(target.root, 'app/sub/file')).ino === ino,
        seen: shown(scratch.path),
      };
    } finally {
      unmount(scratch.path);
    }
  };
  const plain = await inodes({});
  assert.equal(plain.shared, true);
  for (const change of [{ mode: '600' }, { owner: { uid: 1, gid: 0 } }, { time: 5n }]) {
    const other = await inodes(change as Partial<CopyRequest>).catch((error: unknown) => error);
    assert.ok(!(other instanceof Error), String(other));
    assert.deepEqual(other, { shared: false, seen: plain.seen });
  }
  assert.equal((await inodes({ mode: '644', owner: { uid: 0, gid: 0 } })).shared, true);
  assert.equal(readFileSync(join(lab.source, 'd/sub/file'), 'utf8'), '2');
});

test('copyInto: in a thread, tells errors as such and can be aborted', async () => {
  await using lab = await Lab.open('overlay2', { source, image });
  await using threads = openFileThreads();
  const { snapshots } = lab.storage;
  await snapshots.prepare('build-t', 'image-1');
  const request = { target: snapshots.layerTarget('build-t'), source: { root: lab.source, isShared: false } };
  assert.deepEqual(await threads.run('copy', { ...request, paths: ['d'], destination: '/t' }), {
    files: 4,
    bytes: 2,
    given: [],
  });
  await assert.rejects(threads.run('copy', { ...request, paths: ['none'], destination: '/t' }), {
    kind: 'notFound',
  });
  for (let i = 0; i < 2000; i += 1) writeFileSync(join(lab.source, `x/f/${i}`), Buffer.alloc(10_000));
  const stop = new AbortController();
  const reason = new Error('enough');
  const aborted = threads.run(
    'copy',
    { ...request, paths: ['x'], destination: '/u' },
    { signal: stop.signal },
  );
  stop.abort(reason);
  await assert.rejects(aborted, reason);
  assert.deepEqual(await threads.run('copy', { ...request, paths: ['f'], destination: '/t' }), {
    files: 1,
    bytes: 1,
    given: [],
  });
});
