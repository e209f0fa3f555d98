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
import { lgetxattr, lsetxattr } from '#/kernel/files.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { byteString } from '../byte-string.ts';
import { type ExtractOptions, extractTar } from './extract.ts';
import { fileHeader } from './tar-entry.ts';
import { directory, file, link, pieces, tarOf } from './tar-samples.ts';
import type { TarInput } from './tar-writer.ts';

/** Unpacks entries into `root`. */
async function unpack(
  root: string,
  entries: readonly TarInput[],
  options: Partial<ExtractOptions> = {},
): Promise<void> {
  await extractTar(pieces(await tarOf(...entries)), { root, whiteouts: 'none', ...options });
}

/** Every path in a tree with what it is: text of files, targets of links. */
function treeOf(root: string): Record<string, string> {
  const tree: Record<string, string> = {};
  for (const name of readdirSync(root, { recursive: true, encoding: 'utf8' }).sort()) {
    const stat = lstatSync(`${root}/${name}`);
    if (stat.isFile()) tree[name] = readFileSync(`${root}/${name}`, 'utf8');
    else if (stat.isSymbolicLink()) tree[name] = `-> ${readlinkSync(`${root}/${name}`)}`;
    else if (stat.isCharacterDevice()) tree[name] = `device ${stat.rdev}`;
    else tree[name] = stat.isDirectory() ? 'directory' : 'other';
  }
  return tree;
}

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
