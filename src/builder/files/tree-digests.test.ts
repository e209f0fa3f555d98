import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  linkSync,
  mkdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { test } from 'node:test';
import { AT_FDCWD, fstatat } from '#/kernel/at.ts';
import { lsetxattr, mkfifo } from '#/kernel/files.ts';
import type { Digest } from '#/oci/digest.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { removeTree } from '#/storage/tree/remove-tree.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { copyInto } from './copy-into.ts';
import { DigestCache } from './digest-cache.ts';
import { type FileThreads, openFileThreads } from './file-threads.ts';
import { type DigestRequest, TreeDigests } from './tree-digests.ts';

interface Lab extends AsyncDisposable {
  readonly scratch: ScratchDir;
  readonly threads: FileThreads;
  readonly digests: TreeDigests;
  readonly digest: (request?: Partial<DigestRequest>) => Promise<Digest>;
}

function openLab(): Lab {
  const scratch = scratchDir();
  const threads = openFileThreads();
  const digests = new TreeDigests(threads);
  mkdirSync(scratch.join('d/e'), { recursive: true });
  writeFileSync(scratch.join('d/file'), 'content');
  writeFileSync(scratch.join('d/e/1.txt'), '1');
  writeFileSync(scratch.join('other'), 'other');
  symlinkSync('file', scratch.join('d/link'));
  symlinkSync('d', scratch.join('ld'));
  return {
    scratch,
    threads,
    digests,
    digest: (request) => digests.digest({ root: scratch.path, paths: ['d'], tree: 'other', ...request }),
    [Symbol.asyncDispose]: async () => {
      await threads[Symbol.asyncDispose]();
      scratch[Symbol.dispose]();
    },
  };
}

test('TreeDigests: the digest depends on all that a copy would have, and on nothing else', async () => {
  await using lab = openLab();
  const { path } = lab.scratch;
  const join = (name: string): string => lab.scratch.join(name);
  const before = await lab.digest();
  const changes: readonly (readonly [what: string, change: () => void])[] = [
    ['content', () => writeFileSync(join('d/file'), 'CONTENT')],
    ['length', () => writeFileSync(join('d/file'), 'longer content')],
    ['mode', () => chmodSync(join('d/file'), 0o600)],
    ['mode of a directory', () => chmodSync(join('d/e'), 0o700)],
    ['owner', () => chownSync(join('d/file'), 1, 0)],
    ['group', () => chownSync(join('d/file'), 0, 1)],
    ['name', () => renameSync(join('d/file'), join('d/elif'))],
    ['place', () => renameSync(join('d/file'), join('d/e/file'))],
    ['new file', () => writeFileSync(join('d/new'), '')],
    ['new directory', () => mkdirSync(join('d/new'))],
    ['new FIFO', () => mkfifo(join('d/new'), 0o644)],
    ['less', () => rmSync(join('d/e/1.txt'))],
    ['attribute', () => lsetxattr(join('d/file'), 'user.a', Buffer.from('1'))],
    ['attribute of a directory', () => lsetxattr(join('d/e'), 'user.a', Buffer.from('1'))],
    ['target', () => (rmSync(join('d/link')), symlinkSync('other', join('d/link')))],
    ['kind', () => (rmSync(join('d/link')), writeFileSync(join('d/link'), 'content'))],
  ];
  const seen = new Set([before]);
  for (const [what, change] of changes) {
    await using changed = openLab();
    assert.equal(await changed.digest(), before);
    // The same change, there.
    const moved = { ...lab.scratch };
    renameSync(moved.path, `${moved.path}.away`);
    renameSync(changed.scratch.path, moved.path);
    change();
    const after = await lab.digest();
    assert.ok(!seen.has(after), what);
    seen.add(after);
    renameSync(moved.path, changed.scratch.path);
    renameSync(`${moved.path}.away`, moved.path);
  }
  utimesSync(join('d/file'), 1, 2);
  utimesSync(join('d/e'), 3, 4);
  linkSync(join('d/file'), join('again'));
  writeFileSync(join('other'), 'something else');
  chmodSync(join('d'), 0o700);
  assert.equal(await lab.digest(), before);
  assert.notEqual(await lab.digest({ withDirectories: true }), before);
  assert.ok(path.startsWith('/'));
});

test('TreeDigests: paths, excludes and links count as a copy takes them', async () => {
  await using lab = openLab();
  const { digest } = lab;
  const whole = await digest();
  assert.notEqual(await digest({ paths: ['d', 'other'] }), await digest({ paths: ['other', 'd'] }));
  assert.notEqual(await digest({ paths: ['d/e'] }), whole);
  const without = await digest({ excludes: ['**/*.txt'] });
  writeFileSync(lab.scratch.join('d/e/1.txt'), 'changed');
  assert.equal(await digest({ excludes: ['**/*.txt'] }), without);
  assert.notEqual(await digest(), whole);
  const linked = await digest({ paths: ['ld'] });
  writeFileSync(lab.scratch.join('d/file'), 'changed too');
  assert.notEqual(await digest({ paths: ['ld'] }), linked);
  await assert.rejects(digest({ paths: ['d/none'] }), { kind: 'notFound', message: '"/d/none": not found' });
  symlinkSync('../../../etc', lab.scratch.join('out'));
  await assert.rejects(digest({ paths: ['out/passwd'] }), { kind: 'notFound' });
});

test('TreeDigests: files that are known are not read; what is owned is known until it is told otherwise', async () => {
  await using lab = openLab();
  const file = lab.scratch.join('d/file');
  const [other, owned] = [await lab.digest(), await lab.digest({ tree: 'owned' })];
  assert.equal(owned, other);
  utimesSync(file, 5, 5);
  await lab.digest();
  await lab.digest({ tree: 'owned' });
  writeFileSync(file, 'CONTENT');
  utimesSync(file, 5, 5);
  assert.equal(await lab.digest({ tree: 'owned' }), owned, 'nothing says that it was changed');
  const changed = await lab.digest();
  assert.notEqual(changed, other, 'the time of change says it');
  writeFileSync(file, 'Content');
  utimesSync(file, 5, 5);
  lab.digests.forget(fstatat(AT_FDCWD, file));
  assert.ok(![owned, changed].includes(await lab.digest({ tree: 'owned' })));
  const passing = await lab.digest({ tree: 'passing' });
  assert.equal(passing, await lab.digest());
});

test('TreeDigests: large trees are read in threads, with the same result, and can be aborted', async () => {
  await using lab = openLab();
  for (let i = 0; i < 300; i += 1) writeFileSync(lab.scratch.join(`d/e/${i}`), Buffer.alloc(20_000, i));
  writeFileSync(lab.scratch.join('d/big'), Buffer.alloc(3_000_000, 'big'));
  const stop = new AbortController();
  const aborted = lab.digests.digest(
    { root: lab.scratch.path, paths: [''], tree: 'passing' },
    { signal: stop.signal },
  );
  const reason = new Error('enough');
  stop.abort(reason);
  await assert.rejects(aborted, reason);
  const whole = await lab.digest();
  assert.equal(await lab.digest(), whole);
  assert.equal(await lab.digest({ tree: 'passing' }), whole);
  // One is read without a thread now.
  writeFileSync(lab.scratch.join('d/e/7'), 'x');
  assert.equal(await lab.digest(), await lab.digest({ tree: 'passing' }));
});

test('TreeDigests, copyInto: trees that are deeper than any files are refused', async () => {
  await using lab = openLab();
  const script = `import os, sys
os.chdir(sys.argv[1])
for i in range(3000):
    os.mkdir('directory'); os.chdir('directory')`;
  execFileSync('python3', ['-c', script, lab.scratch.join('d/e')]);
  await assert.rejects(lab.digest(), { kind: 'invalid', message: /too deep/ });
  mkdirSync(lab.scratch.join('target'));
  const target = { root: lab.scratch.join('target'), lowers: [] };
  const source = { root: lab.scratch.join('d'), isShared: false };
  const copying = copyInto({ target, source, paths: [''], destination: '/' });
  await assert.rejects(copying, { kind: 'invalid', message: /too deep/ });
  using top = Directory.open(lab.scratch.path);
  await removeTree(top, 'd');
  await removeTree(top, 'target');
});

test('DigestCache: is bounded, and forgets', () => {
  const cache = new DigestCache(3);
  const stat = (ino: number, changes: object = {}) => ({
    dev: { major: 8, minor: 1 },
    ino: BigInt(ino),
    size: 5,
    mtime: 1n,
    ctime: 1n,
    ...changes,
  });
  const digest = (n: number): Buffer => Buffer.alloc(32, n);
  for (let n = 1; n <= 4; n += 1) cache.set(stat(n), digest(n));
  assert.equal(cache.get(stat(1), false), undefined);
  assert.deepEqual(cache.get(stat(4), false), digest(4));
  for (const change of [{ size: 6 }, { mtime: 2n }, { ctime: 2n }]) {
    assert.equal(cache.get(stat(4, change), false), undefined);
  }
  assert.deepEqual(cache.get(stat(4, { ctime: 2n }), true), digest(4));
  cache.set(stat(4, { size: 6 }), digest(9));
  assert.deepEqual(cache.get(stat(4, { size: 6 }), false), digest(9));
  cache.forget(stat(4));
  assert.equal(cache.get(stat(4, { size: 6 }), true), undefined);
  cache.set(stat(5), digest(5));
  assert.deepEqual(
    [2, 3, 5].map((n) => cache.get(stat(n), false)?.[0]),
    [undefined, 3, 5],
  );
});
