import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { lgetxattr } from '#/kernel/files.ts';
import { type Mount, mount, unmount } from '#/kernel/mount.ts';
import { Database } from '#/state/db.ts';
import { directory, file, link, pieces, readAll, tarOf } from '#/tar/tar-samples.ts';
import type { TarInput } from '#/tar/tar-writer.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { extractTar } from '../archive/extract.ts';
import { packTree } from '../archive/pack-tree.ts';
import type { Snapshotter } from './snapshotter.ts';

type Open = (options: { root: string; db: Database }) => Promise<Snapshotter>;

/** A snapshotter in a directory of its own, as a daemon would have it. */
interface Place extends Disposable {
  readonly scratch: ScratchDir;
  readonly root: string;
  /** Opens it again, as the next daemon does. */
  open(): Promise<Snapshotter>;
}

function place(open: Open): Place {
  const scratch = scratchDir();
  const db = new Database(scratch.join('state.db'));
  const root = scratch.join('snapshots');
  return {
    scratch,
    root,
    open: () => open({ root, db }),
    [Symbol.dispose]() {
      db.close();
      scratch[Symbol.dispose]();
    },
  };
}

/** Shows mounts at a fresh directory while `use` runs. */
function mounted<T>({ scratch }: Place, mounts: readonly Mount[], use: (path: string) => T): T {
  const target = scratch.join('target');
  mkdirSync(target, { recursive: true });
  for (const one of mounts) mount(one, target);
  try {
    return use(target);
  } finally {
    for (const _ of mounts) unmount(target);
  }
}

async function addLayer(
  snapshots: Snapshotter,
  name: string,
  { parent, entries = [], archive }: { parent?: string; entries?: TarInput[]; archive?: Buffer },
): Promise<void> {
  await snapshots.prepare(`making ${name}`, parent);
  await extractTar(pieces(archive ?? (await tarOf(...entries))), snapshots.layerTarget(`making ${name}`));
  await snapshots.commit(`making ${name}`, name);
}

/** What is visible, by path; text of files. */
function shown(path: string): Record<string, string> {
  const names = readdirSync(path, { recursive: true, encoding: 'utf8' }).sort();
  return Object.fromEntries(
    names.map((name) => [
      name,
      lstatSync(join(path, name)).isFile() ? readFileSync(join(path, name), 'utf8') : '',
    ]),
  );
}

const capability = Buffer.from('0100000200040000000000000000000000000000', 'hex');

const base = [
  directory('./', { mode: 0o751, uid: 3 }),
  directory('etc', { mode: 0o750, gid: 5 }),
  file('etc/conf', 'base'),
  file('etc/gone', 'base'),
  directory('opaque'),
  file('opaque/old', 'base'),
  file('replaced/by/file', 'base'),
  file('ping', 'program', { mode: 0o755, xattrs: new Map([['security.capability', capability]]) }),
  link('hardlink', 'ping-again', 'ping'),
];

const top = [
  file('etc/.wh.gone'),
  file('etc/new', 'top'),
  directory('opaque'),
  file('opaque/.wh..wh..opq'),
  file('opaque/own', 'top'),
  file('replaced', 'top'),
  link('hardlink', 'conf-again', 'etc/conf'),
];

const merged = {
  'conf-again': 'base',
  etc: '',
  'etc/conf': 'base',
  'etc/new': 'top',
  opaque: '',
  'opaque/own': 'top',
  ping: 'program',
  'ping-again': 'program',
  replaced: 'top',
};

async function withImage(where: Place): Promise<Snapshotter> {
  const snapshots = await where.open();
  await addLayer(snapshots, 'base', { entries: base });
  await addLayer(snapshots, 'top', { parent: 'base', entries: top });
  return snapshots;
}

/** What every snapshotter must do: see the comment of `Snapshotter`. */
export function snapshotterContract(name: string, open: Open): void {
  test(`${name}: a snapshot without a parent is empty and writable`, async () => {
    using where = place(open);
    const snapshots = await where.open();
    const mounts = await snapshots.prepare('a');
    mounted(where, mounts, (path) => {
      assert.deepEqual(readdirSync(path), []);
      assert.equal(statSync(path).mode & 0o7777, 0o755);
      writeFileSync(`${path}/file`, 'x');
    });
    mounted(where, snapshots.mounts('a'), (path) => assert.deepEqual(shown(path), { file: 'x' }));
  });

  test(`${name}: layers lie over each other, with their whiteouts`, async () => {
    using where = place(open);
    const snapshots = await withImage(where);
    const mounts = await snapshots.prepare('c', 'top');
    mounted(where, mounts, (path) => {
      assert.deepEqual(shown(path), merged);
      assert.deepEqual([statSync(path).mode & 0o7777, statSync(path).uid], [0o751, 3]);
      assert.deepEqual([statSync(`${path}/etc`).mode & 0o7777, statSync(`${path}/etc`).gid], [0o750, 5]);
      assert.equal(statSync(`${path}/ping`).ino, statSync(`${path}/ping-again`).ino);
      assert.deepEqual(lgetxattr(`${path}/ping`, 'security.capability'), capability);
    });
  });

  test(`${name}: what is written to a snapshot does not reach its parents or siblings`, async () => {
    using where = place(open);
    const snapshots = await withImage(where);
    mounted(where, await snapshots.prepare('c', 'top'), (path) => {
      writeFileSync(`${path}/etc/conf`, 'changed');
      rmSync(`${path}/opaque`, { recursive: true });
      chownSync(path, 9, 9);
      chmodSync(path, 0o700);
    });
    mounted(where, await snapshots.prepare('d', 'top'), (path) => {
      assert.deepEqual(shown(path), merged);
      assert.equal(statSync(path).uid, 3);
    });
    mounted(where, snapshots.mounts('c'), (path) => {
      assert.equal(readFileSync(`${path}/etc/conf`, 'utf8'), 'changed');
      assert.deepEqual([existsSync(`${path}/opaque`), statSync(path).uid], [false, 9]);
    });
  });

  test(`${name}: a view is for reading only`, async () => {
    using where = place(open);
    const snapshots = await withImage(where);
    for (const [key, parent] of [
      ['v', 'top'],
      ['w', 'base'],
      ['x', undefined],
    ] as const) {
      mounted(where, await snapshots.view(key, parent), (path) => {
        assert.equal(Object.keys(shown(path)).length > 0, parent !== undefined);
        assert.throws(() => writeFileSync(`${path}/file`, 'x'), { code: 'EROFS' });
      });
    }
    await assert.rejects(snapshots.commit('v', 'n'), { kind: 'conflict' });
  });

  test(`${name}: a committed snapshot can be a parent, under its new name only`, async () => {
    using where = place(open);
    const snapshots = await where.open();
    mounted(where, await snapshots.prepare('a'), (path) => writeFileSync(`${path}/file`, 'x'));
    await assert.rejects(snapshots.prepare('b', 'a'), { kind: 'conflict' });
    await snapshots.commit('a', 'layer');
    assert.deepEqual([snapshots.exists('a'), snapshots.exists('layer')], [false, true]);
    mounted(where, await snapshots.prepare('b', 'layer'), (path) =>
      assert.deepEqual(shown(path), { file: 'x' }),
    );
    assert.deepEqual(snapshots.list(), [
      { name: 'layer', kind: 'committed' },
      { name: 'b', kind: 'active' },
    ]);
  });

  test(`${name}: rebase puts what was made without a parent on top of one, or is refused`, async () => {
    using where = place(open);
    const snapshots = await where.open();
    await addLayer(snapshots, 'base', { entries: [file('a', 'base'), file('b', 'base')] });
    await snapshots.prepare('alone');
    writeFileSync(`${snapshots.upperDir('alone')}/b`, 'upper');
    if (!snapshots.canRebase) {
      assert.throws(() => snapshots.rebase('alone', 'base'), { kind: 'conflict' });
      return;
    }
    assert.throws(() => snapshots.rebase('alone', 'nobody'), { kind: 'notFound' });
    assert.throws(() => snapshots.rebase('alone', 'alone'), { kind: 'conflict' });
    snapshots.rebase('alone', 'base');
    assert.throws(() => snapshots.rebase('alone', 'base'), { kind: 'conflict' });
    await assert.rejects(snapshots.remove('base'), { kind: 'conflict' });
    await snapshots.commit('alone', 'both');
    mounted(where, await snapshots.prepare('c', 'both'), (path) => {
      assert.deepEqual(shown(path), { a: 'base', b: 'upper' });
    });
  });

  test(`${name}: names are taken once, unknown ones are notFound`, async () => {
    using where = place(open);
    const snapshots = await where.open();
    await snapshots.prepare('a');
    await snapshots.prepare('b');
    await assert.rejects(snapshots.prepare('a'), { kind: 'conflict' });
    await assert.rejects(snapshots.view('a'), { kind: 'conflict' });
    await snapshots.commit('a', 'layer');
    await assert.rejects(snapshots.commit('b', 'layer'), { kind: 'conflict' });
    await assert.rejects(snapshots.prepare('c', 'unknown'), { kind: 'notFound' });
    await assert.rejects(snapshots.commit('unknown', 'n'), { kind: 'notFound' });
    await assert.rejects(snapshots.remove('unknown'), { kind: 'notFound' });
    await assert.rejects(snapshots.usage('unknown'), { kind: 'notFound' });
    assert.throws(() => snapshots.mounts('unknown'), { kind: 'notFound' });
  });

  test(`${name}: a snapshot goes when nothing builds on it, with its directory`, async () => {
    using where = place(open);
    const snapshots = await withImage(where);
    await snapshots.prepare('c', 'top');
    assert.ok(snapshots.hasChildren('top') && !snapshots.hasChildren('c'));
    await assert.rejects(snapshots.remove('top'), { kind: 'conflict' });
    for (const key of ['c', 'top', 'base']) await snapshots.remove(key);
    assert.deepEqual([snapshots.list(), readdirSync(where.root)], [[], []]);
  });

  test(`${name}: the archive of what a snapshot changed makes the snapshot again, and says nothing else`, async () => {
    using where = place(open);
    const snapshots = await withImage(where);
    mounted(where, await snapshots.prepare('c', 'top'), (path) => {
      writeFileSync(`${path}/etc/conf`, 'changed');
      rmSync(`${path}/opaque`, { recursive: true });
      mkdirSync(`${path}/opaque/in`, { recursive: true });
      writeFileSync(`${path}/opaque/in/fresh`, 'c');
      rmSync(`${path}/replaced`);
      mkdirSync(`${path}/new/deep`, { recursive: true });
      writeFileSync(`${path}/new/deep/file`, 'c');
      writeFileSync(`${path}/passing`, '');
      rmSync(`${path}/passing`);
      chmodSync(`${path}/ping`, 0o700);
      utimesSync(`${path}/new/deep`, 2_000_000_000, 2_000_000_000);
    });
    const archive = packTree(snapshots.packSource('c'), { newest: 1_900_000_000 });
    const bytes = Buffer.concat(await Array.fromAsync(archive));
    const entries = await readAll(bytes);
    assert.deepEqual(
      entries.map(({ kind, path, content }) => [kind, path, content.toString()]),
      [
        // Both names of one file.
        ...(snapshots.driver === 'vfs' ? [['file', 'conf-again', 'changed']] : []),
        ['directory', 'etc/', ''],
        [
          snapshots.driver === 'vfs' ? 'hardlink' : 'file',
          'etc/conf',
          snapshots.driver === 'vfs' ? '' : 'changed',
        ],
        ['directory', 'new/', ''],
        ['directory', 'new/deep/', ''],
        ['file', 'new/deep/file', 'c'],
        ['directory', 'opaque/', ''],
        ['directory', 'opaque/in/', ''],
        ['file', 'opaque/in/fresh', 'c'],
        ['file', 'opaque/.wh.own', ''],
        ['file', 'ping', 'program'],
        ...(snapshots.driver === 'vfs' ? [['hardlink', 'ping-again', '']] : []),
        ['file', '.wh.replaced', ''],
      ],
    );
    assert.equal(entries.find(({ path }) => path === 'new/deep/')?.mtime, 1_900_000_000_000_000_000n);
    await snapshots.commit('c', 'built');
    await addLayer(snapshots, 'again', { parent: 'top', archive: bytes });
    const views = ['built', 'again'].map(async (parent) =>
      mounted(where, await snapshots.view(`view ${parent}`, parent), shown),
    );
    const [built, again] = await Promise.all(views);
    assert.deepEqual(again, built);
    assert.equal(again?.['opaque/in/fresh'], 'c');
    const repacked = packTree(snapshots.packSource('again'), { newest: 1_900_000_000 });
    assert.deepEqual(Buffer.concat(await Array.fromAsync(repacked)), bytes);
  });

  test(`${name}: usage counts disk space, a file with several names once`, async () => {
    using where = place(open);
    const snapshots = await where.open();
    const content = 'x'.repeat(100_000);
    await addLayer(snapshots, 'layer', { entries: [file('a', content), link('hardlink', 'b', 'a')] });
    const { bytes, inodes } = await snapshots.usage('layer');
    assert.ok(bytes >= 100_000 && bytes < 150_000, String(bytes));
    assert.equal(inodes, 2);
    assert.deepEqual(await snapshots.usage('layer'), { bytes, inodes });
    const mounts = await snapshots.prepare('c');
    mounted(where, mounts, (path) => writeFileSync(`${path}/new`, content));
    assert.ok((await snapshots.usage('c')).bytes >= 100_000);
  });

  test(`${name}: survives the end of a daemon, and finishes what it left`, async () => {
    using where = place(open);
    const before = await withImage(where);
    mounted(where, await before.prepare('c', 'top'), (path) => writeFileSync(`${path}/own`, 'kept'));
    await before.prepare('lost');
    const [lost] = readdirSync(where.root).filter((id) => before.upperDir('lost').includes(`/${id}/`));
    rmSync(join(where.root, lost ?? 'none'), { recursive: true });
    mkdirSync(join(where.root, 'zzz', 'diff'), { recursive: true });

    const after = await where.open();
    assert.equal(existsSync(join(where.root, 'zzz')), false);
    assert.deepEqual([after.exists('lost'), after.exists('c')], [false, true]);
    mounted(where, after.mounts('c'), (path) => assert.deepEqual(shown(path), { ...merged, own: 'kept' }));
  });

  test(`${name}: a failure while preparing leaves neither row nor directory`, async () => {
    using where = place(open);
    const snapshots = await withImage(where);
    const names = readdirSync(where.root);
    const baseDirectory = join(where.root, names[0] ?? '');
    const topDirectory = join(where.root, names[1] ?? '');
    rmSync(join(topDirectory, 'diff'), { recursive: true });
    assert.ok(existsSync(baseDirectory));
    await assert.rejects(snapshots.prepare('c', 'top'), { code: 'ENOENT' });
    assert.equal(snapshots.exists('c'), false);
    assert.deepEqual(readdirSync(where.root), names);
  });

  test(`${name}: 130 layers are no problem`, async () => {
    using where = place(open);
    const snapshots = await where.open();
    for (let i = 0; i < 130; i++) {
      const parent = i === 0 ? {} : { parent: `layer${i - 1}` };
      await addLayer(snapshots, `layer${i}`, {
        ...parent,
        entries: [file(`f${i}`, String(i)), file('same', String(i))],
      });
    }
    mounted(where, await snapshots.prepare('c', 'layer129'), (path) => {
      assert.equal(readFileSync(`${path}/same`, 'utf8'), '129');
      assert.equal(readdirSync(path).length, 131);
      writeFileSync(`${path}/same`, 'changed');
    });
  });
}
