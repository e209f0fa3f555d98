import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { directory, file, link, tarOf } from '#/tar/tar-samples.ts';
import { Lab, shown } from '#tests/copy-lab.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { openFileThreads } from './file-threads.ts';
import { makeDirectories } from './make-directories.ts';
import { isArchive, unpackInto } from './unpack-into.ts';

const through = (program: string, bytes: Buffer): Buffer => execFileSync(program, ['-c'], { input: bytes });

test('isArchive: goes by what is in a file', async () => {
  using scratch = scratchDir();
  const archive = await tarOf(file('a', 'text'));
  const cases: readonly (readonly [name: string, content: Buffer, is: boolean])[] = [
    ['plain', archive, true],
    ['gzip.txt', gzipSync(archive), true],
    ['zstd', zstdCompressSync(archive), true],
    ['xz', through('xz', archive), true],
    ['bzip2', through('bzip2', archive), true],
    ['text.tar', Buffer.from('no archive '.repeat(100)), false],
    ['packed-text.tar.gz', gzipSync(Buffer.from('no archive '.repeat(100))), false],
    ['empty.tar', Buffer.alloc(0), false],
    ['zeros.tar', Buffer.alloc(10_240), false],
    ['damaged.tgz', Buffer.concat([Buffer.from([0x1f, 0x8b, 8]), Buffer.alloc(100, 'x')]), false],
    ['short.tar', archive.subarray(0, 300), false],
  ];
  for (const [name, content, is] of cases) {
    writeFileSync(scratch.join(name), content);
    assert.equal(await isArchive({ root: scratch.path, path: name }), is, name);
  }
  symlinkSync('plain', scratch.join('link'));
  symlinkSync('../../etc/passwd', scratch.join('away'));
  mkdirSync(scratch.join('d'));
  assert.equal(await isArchive({ root: scratch.path, path: '/link' }), true);
  assert.equal(await isArchive({ root: scratch.path, path: 'd' }), false);
  for (const path of ['none', 'away', 'plain/x']) {
    await assert.rejects(isArchive({ root: scratch.path, path }), { kind: 'notFound', message: /not found/ });
  }
});

test('unpackInto: unpacks through the links of the image, never out of it, with the owners of the archive', async () => {
  using scratch = scratchDir();
  await using threads = openFileThreads();
  const root = scratch.join('root');
  mkdirSync(join(root, 'usr/lib'), { recursive: true });
  symlinkSync('usr/lib', join(root, 'lib'));
  symlinkSync('/usr', join(root, 'up'));
  writeFileSync(join(root, 'usr/lib/old'), 'old');
  const archive = await tarOf(
    directory('./', { mode: 0o700, uid: 4 }),
    directory('lib', { mode: 0o755 }),
    file('lib/new', 'new', { uid: 5, gid: 6, mode: 0o4750 }),
    file('lib/old', 'changed'),
    file('.wh.usr', 'means nothing here'),
    link('symlink', 'abs', '/usr/lib'),
    file('abs/through', '1'),
  );
  writeFileSync(scratch.join('x.tar.xz'), through('xz', archive));
  const place = { root: scratch.path, path: 'x.tar.xz' };
  assert.equal((await threads.run('unpack', { archive: place, root, destination: '/' })).entries, 7);
  assert.deepEqual([statSync(root).mode & 0o777, statSync(root).uid], [0o755, 0]);
  assert.ok(!lstatSync(join(root, 'usr/lib')).isSymbolicLink());
  // The archive has a directory of that name: it takes the place of the link, as in Docker.
  assert.deepEqual(readFileSync(join(root, 'lib/new'), 'utf8'), 'new');
  const { uid, gid, mode } = statSync(join(root, 'lib/new'));
  assert.deepEqual([uid, gid, mode & 0o7777], [5, 6, 0o4750]);
  assert.equal(readFileSync(join(root, 'usr/lib/through'), 'utf8'), '1');
  assert.ok(existsSync(join(root, '.wh.usr')));
  writeFileSync(scratch.join('x.tar.xz'), gzipSync(await tarOf(file('lib/new', 'new'))));
  await unpackInto({ archive: place, root, destination: '/up/../up/local/x/', owner: { uid: 9, gid: 9 } });
  assert.deepEqual(
    [statSync(join(root, 'usr/local/x')).uid, statSync(join(root, 'usr/local/x/lib/new')).gid],
    [9, 9],
  );
  assert.equal(readFileSync(join(root, 'usr/local/x/lib/new'), 'utf8'), 'new');
});

test('unpackInto: hostile archives reach nothing outside of the destination', async () => {
  using scratch = scratchDir();
  const root = scratch.join('root');
  mkdirSync(root);
  writeFileSync(scratch.join('outside'), 'kept');
  const archives = [
    [file('../outside', 'bad')],
    [link('symlink', 'l', '../..'), file('l/outside', 'bad')],
    [link('symlink', 'l', scratch.path), file('l/outside', 'bad')],
    [link('hardlink', 'h', '../outside')],
    [link('symlink', 'l', '../outside'), link('hardlink', 'h', 'l'), file('h', 'bad')],
  ];
  for (const [index, entries] of archives.entries()) {
    writeFileSync(scratch.join('x.tar'), await tarOf(...entries));
    const archive = { root: scratch.path, path: 'x.tar' };
    await unpackInto({ archive, root, destination: `/d/${index}` }).catch((error: unknown) => {
      assert.ok(error instanceof Error && error.name === 'EngineError', String(error));
    });
    assert.equal(readFileSync(scratch.join('outside'), 'utf8'), 'kept');
    assert.ok(!existsSync(join(root, 'outside')));
  }
});

for (const driver of ['overlay2', 'vfs'] as const) {
  test(`makeDirectories: on ${driver}, makes what is missing, and says where it is`, async () => {
    const image = { 'app/sub/': '', link: '->app', file: 'x', nowhere: '->/a/b' };
    await using lab = await Lab.open(driver, { source: {}, image });
    const { snapshots } = lab.storage;
    await snapshots.prepare('build-x', 'image-1');
    const target = snapshots.layerTarget('build-x');
    const make = (path: string): string => makeDirectories({ target, path });
    assert.equal(make('/link/new/deep'), '/app/new/deep');
    assert.equal(make('/nowhere'), '/a/b');
    assert.equal(make('/'), '/');
    assert.equal(make('/link/sub'), '/app/sub');
    assert.throws(() => make('/file/x'), { kind: 'invalid', message: 'mkdir /file: not a directory' });
    const made = { 'a/': '', 'a/b/': '', 'app/': '', 'app/new/': '', 'app/new/deep/': '' };
    if (driver === 'overlay2') assert.deepEqual(shown(target.root), made);
    assert.equal(statSync(join(target.root, 'a/b')).mode & 0o777, 0o755);
  });
}
