import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chownSync,
  lchownSync,
  linkSync,
  mkdirSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { lgetxattr, lsetxattr, makedev, mkfifo, mknod } from '#/kernel/files.ts';
import { readAll, type WholeEntry } from '#/tar/tar-samples.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { extractTar } from './extract.ts';
import type { PackSource } from './pack-source.ts';
import { packTree } from './pack-tree.ts';

async function packed(source: string | PackSource): Promise<WholeEntry[]> {
  return readAll(Buffer.concat(await Array.fromAsync(packTree(source))));
}

const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

function makeTree(root: string): void {
  mkdirSync(`${root}/b/sub`, { recursive: true });
  mkdirSync(`${root}/a`, { mode: 0o700 });
  writeFileSync(`${root}/b/file`, 'hello', { mode: 0o750 });
  chownSync(`${root}/b/file`, 1000, 2_500_000);
  lsetxattr(`${root}/b/file`, 'security.capability', capability);
  utimesSync(`${root}/b/file`, 1_600_000_000.75, 1_600_000_000.75);
  linkSync(`${root}/b/file`, `${root}/b/sub/again`);
  symlinkSync('/absolute', `${root}/b/link`);
  lchownSync(`${root}/b/link`, 5, 6);
  writeFileSync(Buffer.from(`${root}/latin\xe9`, 'latin1'), '');
  writeFileSync(`${root}/sparse`, 'start');
  truncateSync(`${root}/sparse`, 9 * 2 ** 30);
  mkfifo(`${root}/fifo`, 0o600);
  mknod(`${root}/device`, 0o060000 | 0o600, makedev(259, 70000));
}

test('packTree: has everything of a tree, sorted, except sockets', async () => {
  using scratch = scratchDir();
  makeTree(scratch.path);
  const server = createServer().listen(scratch.join('socket'));
  await once(server, 'listening');
  const entries = await packed(scratch.path);
  server.close();
  assert.deepEqual(
    entries.map(({ kind, path }) => `${kind} ${path}`),
    [
      'directory a/',
      'directory b/',
      'file b/file',
      'symlink b/link',
      'directory b/sub/',
      'hardlink b/sub/again',
      'block device',
      'fifo fifo',
      'file latin\xe9',
      'file sparse',
    ],
  );
  const [a, , file, link, , again, device, , , sparse] = entries;
  assert.equal(a?.mode, 0o700);
  assert.deepEqual(
    [file?.mode, file?.uid, file?.gid, file?.content.toString()],
    [0o750, 1000, 2_500_000, 'hello'],
  );
  assert.equal(file?.mtime, 1_600_000_000_000_000_000n);
  assert.deepEqual([...(file?.xattrs ?? [])], [['security.capability', capability]]);
  assert.deepEqual([link?.linkPath, link?.uid, link?.gid], ['/absolute', 5, 6]);
  assert.equal(again?.linkPath, 'b/file');
  assert.deepEqual([device?.devMajor, device?.devMinor], [259, 70000]);
  assert.deepEqual([sparse?.size, sparse?.sparse?.length, sparse?.sparse?.[0]?.offset], [9 * 2 ** 30, 1, 0]);
  assert.ok(sparse?.content.toString().startsWith('start\0'));
});

test('packTree: equal trees give equal archives, unpacking gives the tree again', async () => {
  using scratch = scratchDir();
  const [one, two] = [scratch.join('one'), scratch.join('two')];
  mkdirSync(one);
  mkdirSync(two);
  makeTree(one);
  await extractTar(packTree(one), { root: two, whiteouts: 'none' });
  // Times finer than seconds are cut off at the first way through.
  assert.deepEqual(await Array.fromAsync(packTree(two)), await Array.fromAsync(packTree(one)));
  assert.deepEqual(lgetxattr(`${two}/b/sub/again`, 'security.capability'), capability);
});

test('packTree: whiteouts of an upper directory become those of archives, and come back', async () => {
  using scratch = scratchDir();
  const upper = scratch.join('upper');
  mkdirSync(`${upper}/opaque`, { recursive: true });
  mknod(`${upper}/opaque/gone`, 0o020000);
  writeFileSync(`${upper}/opaque/own`, '1');
  lsetxattr(`${upper}/opaque`, 'trusted.overlay.opaque', Buffer.from('y'));
  lsetxattr(`${upper}/opaque`, 'trusted.overlay.origin', Buffer.from('not for others'));
  const entries = await packed({ kind: 'upper', path: upper });
  assert.deepEqual(
    entries.map(({ kind, path, size }) => [kind, path, size]),
    [
      ['directory', 'opaque/', 0],
      ['file', 'opaque/.wh..wh..opq', 0],
      ['file', 'opaque/.wh.gone', 0],
      ['file', 'opaque/own', 1],
    ],
  );
  assert.ok(entries.every((entry) => entry.xattrs.size === 0));
  const again = scratch.join('again');
  mkdirSync(again);
  await extractTar(packTree({ kind: 'upper', path: upper }), { root: again, whiteouts: 'overlay' });
  assert.deepEqual(
    await Array.fromAsync(packTree({ kind: 'upper', path: again })),
    await Array.fromAsync(packTree({ kind: 'upper', path: upper })),
  );
});

test('packTree: a file that shrinks or is replaced while it is read keeps its announced size', async () => {
  using scratch = scratchDir();
  writeFileSync(scratch.join('a'), Buffer.alloc(700_000, 'a'));
  writeFileSync(scratch.join('b'), 'text');
  const stream = packTree(scratch.path);
  const chunks: Buffer[] = [];
  for await (const chunk of stream) {
    if (chunks.length === 0) truncateSync(scratch.join('a'), 1000);
    chunks.push(chunk);
  }
  const [a, b] = await readAll(Buffer.concat(chunks));
  assert.deepEqual([a?.content.length, a?.content.at(-1), b?.content.toString()], [700_000, 0, 'text']);
});
