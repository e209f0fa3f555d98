import assert from 'node:assert/strict';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import fc from 'fast-check';
import { bring, entryOf, expected, found, type Sample, send, storeLab } from '#tests/context-lab.ts';
import { ContextUpdate, type UpdatedTree } from './context-update.ts';

const { signal } = new AbortController();

const first: readonly Sample[] = [
  { path: 'a', kind: 'directory', mode: 0o750, uid: 5 },
  { path: 'a/b', kind: 'directory' },
  { path: 'a/b/deep', content: 'deep' },
  { path: 'a/file', content: 'file', mode: 0o4755, gid: 7 },
  { path: 'a/link', kind: 'symlink', linkPath: '../../../etc/passwd' },
  { path: 'big', content: 'b'.repeat(3_000_000) },
  { path: 'empty' },
  { path: 'fifo', kind: 'fifo', mode: 0o600 },
  { path: 'name-again', kind: 'hardlink', linkPath: 'a/file' },
];

test('ContextStore: takes a tree, and the next time only what has changed', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  const versions: unknown[] = [];
  {
    const { tree, wanted } = await bring(store, first);
    versions.push(tree.version);
    assert.deepEqual(wanted, ['a/b/deep', 'a/file', 'big', 'empty']);
    assert.deepEqual(found(tree.root), expected(first));
    assert.equal(statSync(join(tree.root, 'a/file')).ino, statSync(join(tree.root, 'name-again')).ino);
    await tree[Symbol.asyncDispose]();
  }
  const again = await bring(store, first);
  assert.deepEqual(again.wanted, []);
  assert.deepEqual(versions, [again.tree.version]);
  assert.deepEqual(found(again.tree.root), expected(first));
  await again.tree[Symbol.asyncDispose]();
  const second: readonly Sample[] = [
    { path: 'a', kind: 'directory', mode: 0o700 },
    { path: 'a/b', kind: 'symlink', linkPath: '/' },
    { path: 'a/file', content: 'FILE', mtime: 5n },
    { path: 'a/link', content: 'no link any more' },
    { path: 'big', kind: 'directory' },
    { path: 'big/inside', content: 'i' },
    { path: 'name-again', kind: 'hardlink', linkPath: 'a/file' },
  ];
  const changed = await bring(store, second);
  assert.deepEqual(changed.wanted, ['a/file', 'a/link', 'big/inside']);
  assert.notEqual(changed.tree.version, versions[0]);
  assert.deepEqual(found(changed.tree.root), expected(second));
  await changed.tree[Symbol.asyncDispose]();
  // Neither mode nor owner is changed in place: the file may have names elsewhere.
  const third = await bring(store, [
    { path: 'a', kind: 'directory', mode: 0o700 },
    { path: 'a/file', content: 'FILE', mtime: 5n, mode: 0o600 },
  ]);
  assert.deepEqual(third.wanted, ['a/file']);
  await third.tree[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(lab.root).length, 1);
});

test('ContextStore: files that have names elsewhere are never written to', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  const { tree } = await bring(store, [{ path: 'f', content: 'old' }]);
  const elsewhere = `${lab.root}-elsewhere`;
  linkSync(join(tree.root, 'f'), elsewhere);
  await tree[Symbol.asyncDispose]();
  const changed = await bring(store, [{ path: 'f', content: 'new', mode: 0o600, uid: 9 }]);
  assert.equal(readFileSync(join(changed.tree.root, 'f'), 'utf8'), 'new');
  const { mode, uid } = statSync(elsewhere);
  assert.deepEqual([readFileSync(elsewhere, 'utf8'), mode & 0o777, uid], ['old', 0o644, 0]);
  await changed.tree[Symbol.asyncDispose]();
});

test('ContextStore: a tree belongs to one user; others with the same key get their own, and one of both is kept', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  const [one, two] = [await bring(store, first), await bring(store, [{ path: 'x', content: 'two' }])];
  assert.notEqual(one.tree.root, two.tree.root);
  assert.deepEqual(found(one.tree.root), expected(first));
  const other = await bring(store, [{ path: 'x', content: 'other' }], 'other key');
  assert.deepEqual(other.wanted, ['x']);
  await one.tree[Symbol.asyncDispose]();
  await two.tree[Symbol.asyncDispose]();
  await other.tree[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(lab.root).length, 2);
  const again = await bring(store, [{ path: 'x', content: 'two' }]);
  assert.deepEqual(again.wanted, []);
  assert.equal(await store.prune(), 5, 'what is in use stays');
  await again.tree[Symbol.asyncDispose]();
  assert.equal(await store.prune(), 3);
  assert.deepEqual(readdirSync(lab.root), []);
});

test('ContextStore: keeps to its budget, the trees that were used last', async () => {
  await using lab = storeLab();
  const store = await lab.open(250);
  for (const key of ['a', 'b', 'c']) {
    const { tree } = await bring(store, [{ path: 'f', content: key.repeat(100) }], key);
    await tree[Symbol.asyncDispose]();
  }
  assert.equal(store.bytes, 200);
  const again = await bring(store, [{ path: 'f', content: 'c'.repeat(100) }], 'c');
  assert.deepEqual(again.wanted, []);
  await again.tree[Symbol.asyncDispose]();
  assert.deepEqual((await bring(store, [{ path: 'f', content: 'a'.repeat(100) }], 'a')).wanted, ['f']);
});

test('ContextStore.open: finds complete trees again, and removes what is incomplete or from before a power cut', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  for (const key of ['complete', 'cut']) {
    const { tree } = await bring(store, first, key);
    await tree[Symbol.asyncDispose]();
  }
  const [cut] = readdirSync(lab.root)
    .filter((name) => existsSync(join(lab.root, name, 'index')))
    .slice(1);
  const index = join(lab.root, cut ?? '', 'index');
  writeFileSync(index, readFileSync(index, 'utf8').replace(/"boot":"[^"]*"/, '"boot":"another"'));
  mkdirSync(join(lab.root, 'strange'));
  // This one is being changed when the daemon dies.
  const update = await store.update('incomplete', { signal });
  await send(update, [{ path: 'f', content: 'x'.repeat(3_000_000) }]);
  const names = readdirSync(lab.root);
  assert.equal(names.length, 4);
  const after = await lab.open();
  assert.equal(readdirSync(lab.root).length, 1);
  const keys = [];
  for (const key of ['complete', 'cut']) {
    const { tree, wanted } = await bring(after, first, key);
    if (wanted.length === 0) keys.push(key);
    assert.deepEqual(found(tree.root), expected(first));
    await tree[Symbol.asyncDispose]();
  }
  assert.equal(keys.length, 1);
});

test('ContextUpdate: what has come before a client went is not sent again, and nothing else is left', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  const old = await bring(store, [
    { path: 'd', kind: 'directory' },
    { path: 'd/kept', content: 'kept' },
    { path: 'd/other', content: 'other' },
    { path: 'z', content: 'old' },
  ]);
  await old.tree[Symbol.asyncDispose]();
  const wish: readonly Sample[] = [
    { path: 'big', content: 'b'.repeat(2_500_000) },
    { path: 'd', content: 'a file now' },
    { path: 'small', content: 'small' },
    { path: 'z', content: 'new', mtime: 7n },
  ];
  {
    await using update = await store.update('key', { signal });
    assert.deepEqual(
      wish.map((sample) => update.entry(entryOf(sample))),
      [true, true, true, true],
    );
    await update.write('big', Buffer.alloc(2_000_000, 'b'));
    await update.write('small', Buffer.from('small'));
    await update.end('small');
    await assert.rejects(update.finish(), { kind: 'invalid', message: /content of "big" .* is missing/ });
    assert.throws(() => update.write('none', Buffer.from('x')), { kind: 'invalid' });
  }
  const { tree, wanted } = await bring(store, wish);
  assert.deepEqual(wanted, ['big', 'd', 'z']);
  assert.deepEqual(found(tree.root), expected(wish));
  await tree[Symbol.asyncDispose]();
  {
    await using update = await store.update('key', { signal });
    update.entry(entryOf({ path: 'big', content: 'other' }));
  }
  const last = await bring(store, [{ path: 'd', content: 'a file now' }]);
  assert.deepEqual(last.wanted, []);
  assert.deepEqual(found(last.tree.root), expected([{ path: 'd', content: 'a file now' }]));
  await last.tree[Symbol.asyncDispose]();
});

test('ContextUpdate: refuses trees that cannot be', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  const outside = `${lab.root}-outside`;
  writeFileSync(outside, 'kept');
  const directory: Sample = { path: 'd', kind: 'directory' };
  const link: Sample = { path: 'l', kind: 'symlink', linkPath: '/' };
  const cases: readonly (readonly [samples: Sample[], message: RegExp])[] = [
    [[{ path: '../x' }], /component "\.\."/],
    [[directory, { path: 'd/../../x' }], /component "\.\."/],
    [[{ path: '/etc/x' }], /not relative/],
    [[directory, { path: 'd//x' }], /empty component/],
    [[directory, { path: 'd/' }], /empty component/],
    [[{ path: './x' }], /component "\."/],
    [[{ path: '' }], /no name/],
    [[{ path: 'a\0b' }], /NUL/],
    [[{ path: 'n'.repeat(256) }], /too long/],
    [[{ path: 'n/'.repeat(2100) }], /too long/],
    [[directory, directory], /comes twice/],
    [[{ path: 'f' }, { path: 'f/x' }], /no directory of it/],
    [[link, { path: 'l/x' }], /no directory of it/],
    [[{ path: 'd/x' }], /no directory of it/],
    [[{ path: 'h', kind: 'hardlink', linkPath: '../outside' }], /no file that came before/],
    [[link, { path: 'h', kind: 'hardlink', linkPath: 'l' }], /no file that came before/],
    [[{ path: 'h', kind: 'hardlink', linkPath: 'later' }, { path: 'later' }], /no file that came before/],
    [[{ path: 'l', kind: 'symlink', linkPath: '' }], /impossible place/],
    [[{ path: 'x', mode: 0o100644 }], /impossible permissions/],
    [[{ path: 'x', uid: -1 }], /impossible owner/],
    [[{ path: 'x', size: -1 }], /impossible size/],
    [[{ path: 'x', size: 0.5 }], /impossible size/],
    [[{ path: 'x', kind: 'device' }], /is a device/],
    [[{ path: 'x', mtime: 2n ** 70n }], /impossible time/],
  ];
  for (const [samples, message] of cases) {
    await using update = await store.update('hostile', { signal });
    assert.throws(
      () => {
        for (const sample of samples) update.entry(entryOf(sample));
      },
      { kind: 'invalid', message },
      String(message),
    );
  }
  // Links that a tree may have lead nowhere else when the next tree has directories in their place, and the other way round.
  const trees: readonly (readonly Sample[])[] = [
    [
      { path: 'd', kind: 'symlink', linkPath: `${lab.root}-outside` },
      { path: 'e', kind: 'symlink', linkPath: '..' },
    ],
    [
      directory,
      { path: 'd/f', content: 'x' },
      { path: 'e', kind: 'directory' },
      { path: 'e/f', content: 'y' },
    ],
    [
      { path: 'd', kind: 'symlink', linkPath: '/etc' },
      { path: 'e', content: 'file' },
    ],
    [{ path: 'e', kind: 'directory' }],
  ];
  for (const samples of trees) {
    const { tree } = await bring(store, samples, 'hostile');
    assert.deepEqual(found(tree.root), expected(samples));
    await tree[Symbol.asyncDispose]();
  }
  assert.equal(readFileSync(outside, 'utf8'), 'kept');
});

test('ContextUpdate: a disk that fails takes the tree with it, and nothing else', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  const { tree } = await bring(store, first);
  const { root } = tree;
  await tree[Symbol.asyncDispose]();
  {
    await using update = await store.update('key', { signal });
    rmSync(join(root, 'a/b'), { recursive: true });
    await assert.rejects(
      send(update, [...first.slice(0, 2), { path: 'a/b/zz', content: 'new' }]).then(() => update.finish()),
      { kind: 'internal', message: /Cannot store "a\/b\/zz" of the build context: ENOENT/ },
    );
  }
  assert.deepEqual(readdirSync(lab.root), []);
  const again = await bring(store, first);
  assert.deepEqual(found(again.tree.root), expected(first));
  await again.tree[Symbol.asyncDispose]();
});

/** Trees of a few names, so that they often change their kind. */
const trees = fc.array(
  fc.record({
    names: fc.array(fc.constantFrom('a', 'b', 'c.d'), { minLength: 1, maxLength: 3 }),
    kind: fc.constantFrom<NonNullable<Sample['kind']>>(
      'file',
      'file',
      'directory',
      'symlink',
      'hardlink',
      'fifo',
    ),
    content: fc.constantFrom('', '1', '2', 'long'.repeat(100)),
    mode: fc.constantFrom(0o644, 0o600, 0o4755),
    mtime: fc.constantFrom(1n, 1_700_000_000n * 10n ** 9n),
  }),
  { maxLength: 12 },
);

/** Makes a tree that can be of what was thrown together. */
function treeOf(parts: typeof trees extends fc.Arbitrary<infer T> ? T : never): Sample[] {
  const samples = new Map<string, Sample>();
  for (const { names, kind, content, mode, mtime } of parts) {
    const path = names.join('/');
    const parents = names.slice(0, -1).map((_, i) => names.slice(0, i + 1).join('/'));
    if (
      samples.has(path) ||
      parents.some((parent) => (samples.get(parent)?.kind ?? 'directory') !== 'directory')
    )
      continue;
    for (const parent of parents)
      if (!samples.has(parent)) samples.set(parent, { path: parent, kind: 'directory', mtime });
    if (kind === 'file') samples.set(path, { path, kind, content, mode, mtime });
    else if (kind === 'symlink')
      samples.set(path, { path, kind, linkPath: content === '' ? '../..' : content, mtime });
    else if (kind !== 'hardlink') samples.set(path, { path, kind, mode, mtime });
    else {
      const file = [...samples.values()].find((sample) => sample.kind === 'file');
      if (file !== undefined) samples.set(path, { path, kind, linkPath: file.path });
    }
  }
  // Further names come after the first; directories before what is in them.
  const order = ({ path, kind }: Sample): string =>
    `${kind === 'hardlink' ? 1 : 0}${path.replaceAll('/', '\0')}`;
  return [...samples.values()].toSorted((a, b) => (order(a) < order(b) ? -1 : 1));
}

test('ContextStore: whatever comes after whatever, the tree is what was sent last, and its digest that of its files', async () => {
  await using lab = storeLab();
  const store = await lab.open();
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(trees, fc.boolean()), { minLength: 1, maxLength: 5 }),
      async (series) => {
        for (const [parts, goesAway] of series) {
          const samples = treeOf(parts);
          if (goesAway) {
            await using update = await store.update('key', { signal });
            for (const sample of samples) {
              if (!update.entry(entryOf(sample)) || sample.mode === 0o600) continue;
              await update.write(sample.path, Buffer.from(sample.content ?? ''));
              await update.end(sample.path);
            }
            continue;
          }
          const { tree } = await bring(store, samples);
          assert.deepEqual(found(tree.root), expected(samples));
          const request = { root: tree.root, paths: [''] };
          assert.equal(
            await lab.digests.digest({ ...request, tree: 'owned' }),
            await lab.digests.digest({ ...request, tree: 'passing' }),
          );
          await tree[Symbol.asyncDispose]();
        }
      },
    ),
    { numRuns: 60 },
  );
});

test('ContextUpdate: what the disk refuses is told, whatever else comes after it', async () => {
  const tree: UpdatedTree = {
    known: new Map(),
    changing: () => {},
    apply: () => Promise.reject(new Error('disk full')),
    keep: () => Promise.reject(new Error('not to be kept')),
    discard: () => Promise.resolve(),
  };
  await using update = new ContextUpdate(tree, { maxEntries: 10_000 });
  const told = (async () => {
    for (let n = 0; n < 2000; n += 1) {
      update.entry(entryOf({ path: `f${n}` }));
      await update.end(`f${n}`);
    }
    return update.finish();
  })();
  await assert.rejects(told, /disk full/);
});
