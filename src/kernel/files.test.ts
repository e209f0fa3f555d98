import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  closeSync,
  constants,
  ftruncateSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import fc from 'fast-check';
import {
  fileSystemType,
  flock,
  lgetxattr,
  llistxattr,
  lremovexattr,
  lsetxattr,
  makedev,
  mkfifo,
  mknod,
  PR_SET_NO_NEW_PRIVS,
  prctl,
  reflink,
  seekData,
  seekHole,
  spreadChildren,
  syncfs,
} from './files.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'files-'));
});

afterEach(() => {
  rmSync(dir, { recursive: true });
});

test('mknod, mkfifo: make devices and FIFOs', () => {
  mknod(join(dir, 'null'), constants.S_IFCHR | 0o666, makedev(1, 3));
  const stat = lstatSync(join(dir, 'null'));
  assert.ok(stat.isCharacterDevice());
  assert.equal(stat.rdev, Number(makedev(1, 3)));
  assert.equal(readFileSync(join(dir, 'null')).length, 0, 'it is the null device');
  mkfifo(join(dir, 'fifo'), 0o600);
  assert.ok(lstatSync(join(dir, 'fifo')).isFIFO());
  assert.throws(() => mkfifo(join(dir, 'fifo'), 0o600), { code: 'EEXIST', syscall: 'mknodat' });
});

test('makedev: no two devices share a number, and the C library reads it back', () => {
  fc.assert(
    fc.property(fc.nat(0xfff), fc.nat(0xfffff), (major, minor) => {
      const device = makedev(major, minor);
      const back = [
        Number(((device >> 8n) & 0xfffn) | ((device >> 32n) & 0xfffff000n)),
        Number((device & 0xffn) | ((device >> 12n) & 0xffffff00n)),
      ];
      assert.deepEqual(back, [major, minor]);
    }),
  );
});

test('flock: excludes others, shares with sharers, ends with the descriptor', () => {
  const path = join(dir, 'lock');
  const [a, b] = [openSync(path, 'w'), openSync(path, 'w')];
  assert.equal(flock(a, { exclusive: true, wait: false }), true);
  assert.equal(flock(b, { exclusive: true, wait: false }), false);
  assert.equal(flock(b, { exclusive: false, wait: false }), false);
  assert.equal(flock(a, { exclusive: false, wait: false }), true);
  assert.equal(flock(b, { exclusive: false, wait: true }), true);
  closeSync(a);
  assert.equal(flock(b, { exclusive: true, wait: true }), true);
  closeSync(b);
  assert.throws(() => flock(b, { exclusive: true, wait: false }), { code: 'EBADF', syscall: 'flock' });
});

test('seekData, seekHole: find the parts of a sparse file', () => {
  const fd = openSync(join(dir, 'sparse'), 'w+');
  ftruncateSync(fd, 4 << 20);
  writeSync(fd, Buffer.alloc(65536, 1), 0, 65536, 1 << 20);
  assert.equal(seekData(fd, 0), 1 << 20);
  assert.equal(seekHole(fd, 1 << 20), (1 << 20) + 65536);
  assert.equal(seekData(fd, (1 << 20) + 65536), undefined);
  assert.equal(seekHole(fd, 2 << 20), 2 << 20);
  assert.equal(seekHole(fd, 5 << 20), undefined);
  closeSync(fd);
  assert.throws(() => seekData(fd, 0), { code: 'EBADF', syscall: 'lseek' });
});

test('syncfs: takes any descriptor of the file system', () => {
  const fd = openSync(dir, 'r');
  syncfs(fd);
  closeSync(fd);
  assert.throws(() => syncfs(fd), { code: 'EBADF', syscall: 'syncfs' });
});

test('prctl: reads and refuses', () => {
  const PR_GET_NO_NEW_PRIVS = 39;
  assert.equal(prctl(PR_GET_NO_NEW_PRIVS), 0);
  assert.throws(() => prctl(PR_SET_NO_NEW_PRIVS, 0), { code: 'EINVAL', syscall: 'prctl' });
});

test('reflink: shares data where the file system can, says no where it cannot, throws on mistakes', () => {
  writeFileSync(join(dir, 'from'), 'data');
  const [from, to] = [openSync(join(dir, 'from'), 'r'), openSync(join(dir, 'to'), 'w')];
  assert.equal(readFileSync(join(dir, 'to'), 'utf8'), reflink(to, from) ? 'data' : '');
  const proc = openSync('/proc/version', 'r');
  assert.equal(reflink(to, proc), false);
  for (const fd of [from, to, proc]) closeSync(fd);
  assert.throws(() => reflink(to, from), { code: 'EBADF' });
});

test('fileSystemType: uses the names that Docker reports', () => {
  assert.equal(fileSystemType('/proc'), 'proc');
  assert.equal(fileSystemType('/run'), 'tmpfs');
  assert.throws(() => fileSystemType(join(dir, 'none')), { code: 'ENOENT' });
});

test('xattrs: set, list, get and remove, of any bytes, also of symbolic links', () => {
  const [file, link] = [join(dir, 'file'), join(dir, 'link')];
  writeFileSync(file, '');
  symlinkSync('file', link);
  const value = Buffer.from([0, 1, 2, 255]);
  lsetxattr(file, 'user.bytes', value);
  lsetxattr(file, 'user.empty', Buffer.alloc(0));
  lsetxattr(link, 'trusted.link', Buffer.from('on the link'));
  assert.deepEqual(lgetxattr(file, 'user.bytes'), value);
  assert.deepEqual(lgetxattr(file, 'user.empty'), Buffer.alloc(0));
  assert.equal(lgetxattr(file, 'user.none'), undefined);
  assert.equal(lgetxattr(file, 'trusted.link'), undefined);
  assert.equal(lgetxattr(link, 'trusted.link')?.toString(), 'on the link');
  assert.deepEqual(
    llistxattr(file)
      .map(String)
      .filter((name) => name.startsWith('user.'))
      .toSorted(),
    ['user.bytes', 'user.empty'],
  );
  lremovexattr(file, 'user.bytes');
  assert.equal(lgetxattr(file, 'user.bytes'), undefined);
  assert.throws(() => lremovexattr(file, 'user.bytes'), {
    code: 'ENODATA',
    syscall: 'lremovexattr',
    path: file,
  });
  assert.throws(() => lsetxattr(link, 'user.x', value), { code: 'EPERM' });
  assert.throws(() => lgetxattr(join(dir, 'none'), 'user.x'), { code: 'ENOENT' });
  assert.throws(() => llistxattr(join(dir, 'none')), { code: 'ENOENT' });
  assert.deepEqual(llistxattr('/proc/version'), []);
});

test('xattrs: values and lists longer than the first buffer', () => {
  const file = join('/run', `xattr-${process.pid}`);
  writeFileSync(file, '');
  const value = Buffer.alloc(60_000, 7);
  lsetxattr(file, 'trusted.long', value);
  assert.deepEqual(lgetxattr(file, 'trusted.long'), value);
  const names = Array.from({ length: 50 }, (_, n) => `trusted.${'n'.repeat(40)}${n}`);
  for (const name of names) lsetxattr(file, name, Buffer.from(name));
  const listed = llistxattr(file).map(String);
  assert.deepEqual(
    names.filter((name) => !listed.includes(name)),
    [],
  );
  rmSync(file);
});

test('spreadChildren: sets the flag where there is one, and says where there is none', () => {
  const flagsOf = (path: string): string => execFileSync('lsattr', ['-d', path], { encoding: 'utf8' });
  const fd = openSync(dir, constants.O_RDONLY | constants.O_DIRECTORY);
  // Not every file system that the tests may run on knows it.
  if (spreadChildren(fd)) {
    assert.match(flagsOf(dir), /^\S*T/);
    assert.equal(spreadChildren(fd), true);
  } else assert.notEqual(fileSystemType(dir), 'extfs');
  closeSync(fd);
  const proc = openSync('/proc/self', constants.O_RDONLY | constants.O_DIRECTORY);
  assert.equal(spreadChildren(proc), false);
  closeSync(proc);
});
