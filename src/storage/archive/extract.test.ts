import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  createReadStream,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { byteString } from '#/base/byte-string.ts';
import { lgetxattr, lsetxattr } from '#/kernel/files.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { directory, file, link, tarOf } from '#/tar/tar-samples.ts';
import type { TarInput } from '#/tar/tar-writer.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { extractTar } from './extract.ts';
import { treeOf, unpack } from './extract-samples.ts';

const second = 1_000_000_000n;

test('extractTar: owners, permissions, times, attributes, links and devices come out as they went in', async () => {
  using scratch = scratchDir();
  const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');
  const mtime = 1_600_000_000n * second + 123_456_789n;
  await unpack(scratch.path, [
    directory('./', { mode: 0o711, uid: 7, mtime: 5n * second }),
    directory('dir', { mode: 0o1770, uid: 1, gid: 2, mtime }),
    file('dir/program', 'text', {
      mode: 0o4755,
      uid: 1000,
      gid: 70000,
      mtime,
      xattrs: new Map([
        ['security.capability', capability],
        ['user.note', Buffer.from('n')],
      ]),
    }),
    link('hardlink', 'dir/again', 'dir/program'),
    { ...link('symlink', 'dir/link', '/etc/passwd'), uid: 3, mtime },
    { ...fileHeader('dir/null', 0), kind: 'char', mode: 0o666, devMajor: 1, devMinor: 3 },
    { ...fileHeader('dir/disk', 0), kind: 'block', mode: 0o660, devMajor: 259, devMinor: 70000 },
    { ...fileHeader('dir/fifo', 0), kind: 'fifo', mode: 0o622 },
    file(byteString('Főtanúsítvány'), 'unicode'),
  ]);
  const stat = (name: string): ReturnType<typeof lstatSync> =>
    lstatSync(scratch.join(name), { bigint: true });
  const program = statSync(scratch.join('dir/program'), { bigint: true });
  assert.deepEqual(
    [program.mode & 0o7777n, program.uid, program.gid, program.mtimeNs, program.nlink],
    [0o4755n, 1000n, 70000n, mtime, 2n],
  );
  assert.equal(stat('dir/again')?.ino, program.ino);
  assert.deepEqual(lgetxattr(scratch.join('dir/program'), 'security.capability'), capability);
  assert.equal(lgetxattr(scratch.join('dir/program'), 'user.note')?.toString(), 'n');
  const dir = statSync(scratch.join('dir'), { bigint: true });
  assert.deepEqual([dir.mode & 0o7777n, dir.uid, dir.gid, dir.mtimeNs], [0o1770n, 1n, 2n, mtime]);
  const top = statSync(scratch.path, { bigint: true });
  assert.deepEqual([top.mode & 0o7777n, top.uid, top.mtimeNs], [0o711n, 7n, 5n * second]);
  const symlink = lstatSync(scratch.join('dir/link'), { bigint: true });
  assert.deepEqual(
    [readlinkSync(scratch.join('dir/link')), symlink.uid, symlink.mtimeNs],
    ['/etc/passwd', 3n, mtime],
  );
  const shown = execFileSync('stat', ['-c', '%A %t,%T', 'null', 'disk', 'fifo'], {
    cwd: scratch.join('dir'),
  });
  assert.equal(shown.toString(), 'crw-rw-rw- 1,3\nbrw-rw---- 103,11170\nprw--w--w- 0,0\n');
  assert.equal(readFileSync(scratch.join('Főtanúsítvány'), 'utf8'), 'unicode');
});

test('extractTar: sparse files stay sparse, whatever their size', async () => {
  using scratch = scratchDir();
  const size = 20 * 2 ** 30;
  const runs = [
    { offset: 0, length: 3 },
    { offset: 12 * 2 ** 30, length: 5 },
  ];
  await unpack(scratch.path, [
    { ...file('big', 'abcdefgh'), size, sparse: runs },
    { ...fileHeader('hole', size), sparse: [], body: [] },
  ]);
  const { blocks, size: actual } = statSync(scratch.join('big'));
  assert.equal(actual, size);
  assert.ok(blocks < 100, `${blocks} blocks`);
  const stream = createReadStream(scratch.join('big'), { start: 12 * 2 ** 30, end: 12 * 2 ** 30 + 5 });
  assert.equal(Buffer.concat(await Array.fromAsync(stream)).toString(), 'defgh\0');
  assert.deepEqual([statSync(scratch.join('hole')).size, statSync(scratch.join('hole')).blocks], [size, 0]);
});

test('extractTar: a later entry replaces an earlier one, directories are merged', async () => {
  using scratch = scratchDir();
  await unpack(scratch.path, [
    directory('a'),
    file('a/kept', '1'),
    directory('a', { mode: 0o700 }),
    file('b', 'file'),
    directory('b'),
    file('b/inside', '2'),
    directory('c'),
    file('c/gone', '3'),
    file('c', 'file'),
    link('symlink', 'd', 'a'),
    directory('d'),
    file('d/new', '4'),
    file('e', 'old'),
    link('hardlink', 'f', 'e'),
    link('hardlink', 'e', 'f'),
    file('e', 'new'),
  ]);
  assert.deepEqual(treeOf(scratch.path), {
    a: 'directory',
    'a/kept': '1',
    b: 'directory',
    'b/inside': '2',
    c: 'file',
    d: 'directory',
    'd/new': '4',
    e: 'new',
    f: 'old',
  });
  assert.equal(statSync(scratch.join('a')).mode & 0o777, 0o700);
});

test('extractTar: attributes that steer overlayfs or the host are not taken from archives', async () => {
  using scratch = scratchDir();
  const names = [
    'trusted.overlay.redirect',
    'trusted.overlay.opaque',
    'trusted.overlay.metacopy',
    'user.overlay.opaque',
    'security.selinux',
    'trusted.kept',
  ];
  await unpack(scratch.path, [
    directory('d', { xattrs: new Map(names.map((name) => [name, Buffer.from('y')])) }),
  ]);
  assert.deepEqual(
    names.filter((name) => lgetxattr(scratch.join('d'), name) !== undefined),
    ['trusted.kept'],
  );
});

test('extractTar: what is in the directory already may be replaced, but links out of it are not followed', async () => {
  using scratch = scratchDir();
  mkdirSync(scratch.join('outside'));
  mkdirSync(scratch.join('root'));
  writeFileSync(scratch.join('outside/file'), 'safe');
  lsetxattr(scratch.join('outside'), 'user.mark', Buffer.from('1'));
  await unpack(scratch.join('root'), [
    link('symlink', 'in', '../outside'),
    link('symlink', 'abs', scratch.join('outside')),
  ]);
  // The links lead nowhere inside of the root.
  await assert.rejects(unpack(scratch.join('root'), [file('in/file', 'x')]), { kind: 'invalid' });
  await assert.rejects(unpack(scratch.join('root'), [file('abs/file', 'x')]), { kind: 'invalid' });
  await unpack(scratch.join('root'), [directory('in'), file('abs', 'file')]);
  assert.deepEqual(treeOf(scratch.join('root')), { abs: 'file', in: 'directory' });
  assert.deepEqual(treeOf(scratch.join('outside')), { file: 'safe' });
});

test('extractTar: where links lead to nothing, directories are made inside of the root, if that is asked for', async () => {
  using scratch = scratchDir();
  mkdirSync(scratch.join('root'));
  const entries = [
    link('symlink', 'up', '../../outside/x'),
    link('symlink', 'abs', scratch.join('outside')),
    link('symlink', 'lib', 'usr/lib'),
    link('symlink', 'chain', 'lib/more'),
    link('symlink', 'round', 'again'),
    link('symlink', 'again', 'round'),
    ...['up/f', 'abs/f', 'lib/f', 'chain/f'].map((path) => file(path, 'x')),
  ];
  await unpack(scratch.join('root'), entries, { makesLinkTargets: true });
  const tree = treeOf(scratch.join('root'));
  for (const path of ['outside/x/f', `${scratch.join('outside').slice(1)}/f`, 'usr/lib/f', 'usr/lib/more/f'])
    assert.equal(tree[path], 'x', path);
  await assert.rejects(unpack(scratch.join('root'), [file('round/f', 'x')], { makesLinkTargets: true }), {
    kind: 'invalid',
  });
  assert.deepEqual(readdirSync(scratch.path), ['root']);
});

test('extractTar: ".." in a name is taken as long as it stays inside', async () => {
  using scratch = scratchDir();
  await unpack(scratch.path, [file('a/../x', '1'), file('a/b/../../c/y', '2')]);
  assert.deepEqual(treeOf(scratch.path), { c: 'directory', 'c/y': '2', x: '1' });
});

test('extractTar: the root gets the attributes that the archive has for it, unless it is to keep its own', async () => {
  using scratch = scratchDir();
  const mode = (): number => statSync(scratch.path).mode & 0o777;
  await unpack(scratch.path, [directory('./', { mode: 0o711 })]);
  assert.equal(mode(), 0o711);
  await unpack(scratch.path, [directory('./', { mode: 0o700, uid: 5 })], { keepsRoot: true });
  assert.deepEqual([mode(), statSync(scratch.path).uid], [0o711, 0]);
});

test('extractTar: an aborted signal ends it with its reason', async () => {
  using scratch = scratchDir();
  const stop = new AbortController();
  async function* source(): AsyncGenerator<Uint8Array> {
    const archive = await tarOf(file('a', 'x'), file('b', 'x'));
    yield archive.subarray(0, 1024);
    stop.abort(new Error('enough'));
    yield archive.subarray(1024);
  }
  await assert.rejects(
    extractTar(source(), { root: scratch.path, whiteouts: 'none', signal: stop.signal }),
    /enough/,
  );
});

test('extractTar: content is bounded before it is written', async () => {
  using scratch = scratchDir();
  const entries = [file('a', 'x'.repeat(600)), file('b', 'x'.repeat(600))];
  await unpack(scratch.path, entries, { limits: { maxBytes: 1200 } });
  await assert.rejects(unpack(scratch.path, entries, { limits: { maxBytes: 1199 } }), { kind: 'tooLarge' });
});

test('extractTar: owners and permissions are right whatever the umask, the directory or its ACL make of new files', async () => {
  using scratch = scratchDir();
  // user::rwx, group::r-x, group 7:rwx, mask::rwx, other::---
  const acl = aclOf([
    [1, 7, -1],
    [4, 5, -1],
    [8, 7, 7],
    [16, 7, -1],
    [32, 0, -1],
  ]);
  const modes = [0, 0o400, 0o600, 0o644, 0o755, 0o777, 0o2755, 0o4711, 0o1666];
  const files = (folder: string): TarInput[] =>
    modes.flatMap((mode) =>
      [0, 9].map((id) => file(`${folder}/${mode}-${id}`, 'x', { mode, uid: id, gid: id, mtime: 3n })),
    );
  const umask = process.umask(0o077);
  try {
    await unpack(scratch.path, [
      directory('plain'),
      ...files('plain'),
      directory('setgid', { mode: 0o2775, gid: 5 }),
      ...files('setgid'),
      directory('acl', { xattrs: new Map([['system.posix_acl_default', acl]]) }),
      ...files('acl'),
    ]);
  } finally {
    process.umask(umask);
  }
  for (const folder of ['plain', 'setgid', 'acl']) {
    for (const mode of modes) {
      for (const id of [0, 9]) {
        const stat = statSync(scratch.join(`${folder}/${mode}-${id}`), { bigint: true });
        const found = [Number(stat.mode) & 0o7777, stat.uid, stat.gid, stat.mtimeNs];
        assert.deepEqual(found, [mode, BigInt(id), BigInt(id), 3n], `${folder}/${mode}-${id}`);
      }
    }
  }
});

/** A POSIX ACL as the kernel keeps it (linux/posix_acl_xattr.h): version 2, then tag, permissions and id of each entry. */
function aclOf(entries: readonly (readonly [tag: number, permissions: number, id: number])[]): Buffer {
  const acl = Buffer.alloc(4 + 8 * entries.length);
  acl.writeUInt32LE(2, 0);
  for (const [index, [tag, permissions, id]] of entries.entries()) {
    acl.writeUInt16LE(tag, 4 + 8 * index);
    acl.writeUInt16LE(permissions, 6 + 8 * index);
    acl.writeInt32LE(id, 8 + 8 * index);
  }
  return acl;
}
