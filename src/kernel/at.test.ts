import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  constants,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import * as at from './at.ts';

let dir: string;
let root: number;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'at-'));
  root = at.openat2(at.AT_FDCWD, dir, { flags: at.O_PATH | constants.O_DIRECTORY });
});

afterEach(() => {
  at.close(root);
  rmSync(dir, { recursive: true });
});

const inRoot = { flags: constants.O_RDONLY, resolve: at.RESOLVE_IN_ROOT };

function target(fd: number): string {
  const path = readlinkSync(`/proc/self/fd/${fd}`);
  at.close(fd);
  return path;
}

test('openat2: inside a root, absolute paths, links and dots stay there', () => {
  mkdirSync(join(dir, 'etc'));
  writeFileSync(join(dir, 'etc/passwd'), 'inside');
  symlinkSync('/etc', join(dir, 'absolute'));
  symlinkSync('../../../../etc/passwd', join(dir, 'etc/up'));
  for (const path of [
    '/etc/passwd',
    'etc/passwd',
    '../../etc/passwd',
    'absolute/passwd',
    'etc/up',
    '/absolute/up',
  ]) {
    assert.equal(target(at.openat2(root, path, inRoot)), join(dir, 'etc/passwd'), path);
  }
});

test('openat2: the resolve flags refuse what they name', () => {
  symlinkSync('/etc', join(dir, 'link'));
  symlinkSync('/proc/self/exe', join(dir, 'magic'));
  const open = (path: string, resolve: number): number =>
    at.openat2(root, path, { flags: at.O_PATH, resolve });
  assert.throws(() => open('link/passwd', at.RESOLVE_BENEATH), {
    code: 'EXDEV',
    syscall: 'openat2',
    path: 'link/passwd',
  });
  assert.throws(() => open('..', at.RESOLVE_BENEATH), { code: 'EXDEV' });
  assert.throws(() => open('link', at.RESOLVE_NO_SYMLINKS), { code: 'ELOOP' });
  assert.throws(() => open('magic', at.RESOLVE_NO_MAGICLINKS), { code: 'ELOOP' });
  assert.throws(() => open('/proc', at.RESOLVE_NO_XDEV), { code: 'EXDEV' });
});

test('openat2: creates files with a mode, closes them on exec and reports wrong flags', () => {
  const fd = at.openat2(root, 'new', {
    flags: constants.O_CREAT | constants.O_EXCL | constants.O_WRONLY,
    mode: 0o640,
  });
  assert.match(readFileSync(`/proc/self/fdinfo/${fd}`, 'utf8'), /flags:\s+02\d{6}\n/);
  at.close(fd);
  assert.equal(lstatSync(join(dir, 'new')).mode & 0o777, 0o640 & ~process.umask());
  assert.throws(() => at.openat2(root, 'new', { flags: constants.O_CREAT | constants.O_EXCL, mode: 0o600 }), {
    code: 'EEXIST',
  });
  assert.throws(() => at.openat2(root, 'x', { flags: 0, resolve: 0x8000 }), { code: 'EINVAL' });
  assert.throws(() => at.openat2(root, 'a\0b', { flags: 0 }), { code: 'ERR_INVALID_ARG_VALUE' });
  assert.throws(() => at.openat2(root, 'x'.repeat(5000), { flags: 0 }), { code: 'ENAMETOOLONG' });
  assert.throws(() => at.openat2(root, 'y'.repeat(256), { flags: 0 }), { code: 'ENAMETOOLONG' });
});

test('openat2: a tree that is renamed all the time is still resolved, and never outside', async () => {
  mkdirSync(join(dir, 'in/deep'), { recursive: true });
  mkdirSync(join(dir, 'away'));
  const renamer = spawn('sh', ['-c', 'while :; do mv in/deep away/deep; mv away/deep in/deep; done'], {
    cwd: dir,
  });
  await new Promise((resolve) => renamer.once('spawn', resolve));
  for (let round = 0; round < 3000; round++) {
    try {
      const path = target(
        at.openat2(root, 'in/deep/../../..', { flags: at.O_PATH, resolve: at.RESOLVE_IN_ROOT }),
      );
      assert.equal(path, dir);
    } catch (error) {
      assert.match(String(error), /ENOENT/);
    }
  }
  renamer.kill('SIGKILL');
  await new Promise((resolve) => renamer.once('exit', resolve));
});

test('close: throws EBADF for what is not open', () => {
  const fd = openSync(dir, 'r');
  at.close(fd);
  assert.throws(() => at.close(fd), { code: 'EBADF', syscall: 'close' });
});

test('mkdirat, mknodat, symlinkat, linkat, renameat2, unlinkat: change the tree below the descriptor', () => {
  at.mkdirat(root, 'd', 0o700);
  at.mknodat(root, 'd/fifo', { mode: constants.S_IFIFO | 0o600 });
  at.symlinkat('nowhere', root, 'd/link');
  at.linkat({ dirfd: root, path: 'd/link' }, { dirfd: root, path: 'd/again' });
  assert.equal(lstatSync(join(dir, 'd/link')).nlink, 2);
  assert.ok(lstatSync(join(dir, 'd/fifo')).isFIFO());
  assert.equal(at.readlinkat(root, 'd/again').toString(), 'nowhere');
  at.renameat2({ dirfd: root, path: 'd/fifo' }, { dirfd: root, path: 'd/pipe' }, at.RENAME_NOREPLACE);
  assert.throws(
    () => at.renameat2({ dirfd: root, path: 'd/pipe' }, { dirfd: root, path: 'd/link' }, at.RENAME_NOREPLACE),
    { code: 'EEXIST', path: 'd/link' },
  );
  at.renameat2({ dirfd: root, path: 'd/pipe' }, { dirfd: root, path: 'd/link' }, at.RENAME_EXCHANGE);
  assert.ok(lstatSync(join(dir, 'd/link')).isFIFO());
  for (const name of readdirSync(join(dir, 'd'))) at.unlinkat(root, `d/${name}`);
  assert.throws(() => at.unlinkat(root, 'd'), { code: /EISDIR|EPERM/ });
  at.unlinkat(root, 'd', at.AT_REMOVEDIR);
  assert.equal(existsSync(join(dir, 'd')), false);
  assert.throws(() => at.unlinkat(root, 'd'), { code: 'ENOENT', syscall: 'unlinkat', path: 'd' });
});

test('at: file names that are not UTF-8 pass unchanged', () => {
  const name = Buffer.from([0x66, 0xff, 0xfe, 0x67]);
  at.mkdirat(root, name, 0o755);
  at.symlinkat(name, root, 'link');
  assert.deepEqual(at.readlinkat(root, 'link'), name);
  assert.deepEqual(
    readdirSync(dir, { encoding: 'buffer' }).filter((entry) => entry[0] === 0x66),
    [name],
  );
  at.unlinkat(root, name, at.AT_REMOVEDIR);
});

test('readlinkat: targets of every length', () => {
  for (const length of [1, 255, 256, 257, 4095]) {
    symlinkSync('t'.repeat(length), join(dir, `link${length}`));
    assert.equal(at.readlinkat(root, `link${length}`).length, length);
  }
});

test('fchownat, fchmodat, utimensat: work on the file itself, links included, and on an open one', () => {
  writeFileSync(join(dir, 'file'), '');
  symlinkSync('file', join(dir, 'link'));
  const [atime, mtime] = [1_700_000_000_123_456_789n, -1n];
  for (const path of ['file', 'link']) {
    at.fchownat(root, path, { uid: 65534, gid: 12345 });
    at.utimensat(root, path, { atime, mtime });
    const stat = lstatSync(join(dir, path), { bigint: true });
    assert.deepEqual([stat.uid, stat.gid, stat.atimeNs, stat.mtimeNs], [65534n, 12345n, atime, mtime], path);
  }
  at.fchownat(root, 'file', { uid: -1, gid: 7 });
  at.utimensat(root, 'file', { atime: 'omit', mtime: 0n });
  const file = at.fstatat(root, 'file');
  assert.deepEqual([file.uid, file.gid, file.atime, file.mtime], [65534, 7, atime, 0n]);
  at.fchmodat(root, 'file', 0o4711);
  assert.equal(at.fstatat(root, 'file').mode, constants.S_IFREG | 0o4711);
  assert.throws(() => at.fchmodat(root, 'link', 0o600), { code: 'ENOTSUP' });
  const open = at.openat2(root, 'link', { flags: at.O_PATH | constants.O_NOFOLLOW });
  at.fchownat(open, '', { uid: 1, gid: 1 });
  at.utimensat(open, '', { atime: 5n, mtime: 6n });
  const link = at.fstatat(open, '');
  assert.deepEqual([link.uid, link.mtime, link.mode & constants.S_IFMT], [1, 6n, constants.S_IFLNK]);
  assert.equal(at.readlinkat(open, '').toString(), 'file');
  at.close(open);
});

test('attributesOf, futimens: of an open file', () => {
  writeFileSync(join(dir, 'opened'), '');
  at.fchownat(root, 'opened', { uid: 70_000, gid: 12 });
  at.fchmodat(root, 'opened', 0o2755);
  const open = at.openat2(root, 'opened', { flags: constants.O_WRONLY });
  at.futimens(open, { atime: -5n, mtime: 1_700_000_000_123_456_789n });
  const mode = constants.S_IFREG | 0o2755;
  assert.deepEqual(at.attributesOf(open), { uid: 70_000, gid: 12, mode });
  const { atime, mtime } = at.fstatat(root, 'opened');
  assert.deepEqual([atime, mtime], [-5n, 1_700_000_000_123_456_789n]);
  at.close(open);
  assert.throws(() => at.attributesOf(open), { code: 'EBADF' });
  assert.throws(() => at.futimens(open, { atime: 0n, mtime: 0n }), { code: 'EBADF' });
});

test('fchmodat: an open place, also of a file without permission bits', () => {
  writeFileSync(join(dir, 'file'), '', { mode: 0 });
  const open = at.openat2(root, 'file', { flags: at.O_PATH });
  at.fchmodat(open, '', 0o640);
  assert.equal(at.fstatat(open, '').mode & 0o7777, 0o640);
  at.close(open);
});

test('fstatat: agrees with node:fs', () => {
  writeFileSync(join(dir, 'file'), 'x'.repeat(5000));
  linkSync(join(dir, 'file'), join(dir, 'second'));
  at.mknodat(root, 'device', { mode: constants.S_IFCHR | 0o600, device: (0x123n << 8n) | 0x45n });
  for (const path of ['file', 'device', '.']) {
    const [ours, theirs] = [at.fstatat(root, path), lstatSync(join(dir, path), { bigint: true })];
    assert.deepEqual(
      [ours.mode, ours.nlink, ours.size, ours.blocks, ours.uid, ours.gid].map(BigInt),
      [theirs.mode, theirs.nlink, theirs.size, theirs.blocks, theirs.uid, theirs.gid],
      path,
    );
    assert.deepEqual(
      [ours.ino, ours.atime, ours.mtime, ours.ctime],
      [theirs.ino, theirs.atimeNs, theirs.mtimeNs, theirs.ctimeNs],
      path,
    );
  }
  assert.deepEqual(at.fstatat(root, 'device').rdev, { major: 0x123, minor: 0x45 });
  assert.equal(at.fstatat(root, 'file').mountRoot, false);
  assert.equal(at.fstatat(at.AT_FDCWD, '/').mountRoot, true);
  assert.throws(() => at.fstatat(root, 'none'), { code: 'ENOENT', syscall: 'statx', path: 'none' });
});

test('linkat: gives an unnamed file a name', () => {
  const fd = at.openat2(root, '.', { flags: at.O_TMPFILE | constants.O_WRONLY, mode: 0o600 });
  at.linkat(
    { dirfd: at.AT_FDCWD, path: `/proc/self/fd/${fd}` },
    { dirfd: root, path: 'named' },
    at.AT_SYMLINK_FOLLOW,
  );
  at.close(fd);
  assert.ok(existsSync(join(dir, 'named')));
});
