import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { gzipSync, zstdCompressSync } from 'node:zlib';
import { directory, file, link, tarOf } from '#/tar/tar-samples.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { type ArchiveContext, ArchiveContexts } from './archive-contexts.ts';

const { signal } = new AbortController();

async function* chunks(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700);
}

const receive = (contexts: ArchiveContexts, bytes: Buffer): Promise<ArchiveContext> =>
  contexts.receive(chunks(bytes), { name: 'context', signal });

test('ArchiveContexts.receive: however the archive is compressed; nothing is left when it is disposed of', async () => {
  using dir = scratchDir();
  const contexts = await ArchiveContexts.open({ root: dir.join('contexts') });
  const plain = await tarOf(file('a/b', 'text'));
  const by = (program: string): Buffer => execFileSync(program, ['-c'], { input: plain });
  for (const bytes of [plain, gzipSync(plain), zstdCompressSync(plain), by('bzip2'), by('xz')]) {
    await using context = await receive(contexts, bytes);
    await using tree = await context.open();
    assert.equal(readFileSync(join(tree.root, 'a/b'), 'utf8'), 'text');
  }
  assert.deepEqual(readdirSync(dir.join('contexts')), ['empty']);
});

test('ArchiveContexts.receive: no bytes are an empty context, no archive is refused, and leaves nothing', async () => {
  using dir = scratchDir();
  const contexts = await ArchiveContexts.open({ root: dir.join('contexts') });
  await using empty = await receive(contexts, Buffer.alloc(0));
  await using tree = await empty.open();
  assert.deepEqual(readdirSync(tree.root), []);
  const broken = [
    Buffer.from('FROM busybox\n'),
    (await tarOf(file('a', 'x'.repeat(2000)))).subarray(0, 1000),
  ];
  for (const bytes of broken) {
    await assert.rejects(receive(contexts, bytes), { kind: 'invalid' });
  }
  const aborted = AbortSignal.abort(new Error('gone'));
  await assert.rejects(contexts.receive(chunks(await tarOf(file('a'))), { name: 'x', signal: aborted }), {
    message: 'gone',
  });
  assert.equal(readdirSync(dir.join('contexts')).length, 2);
});

test('ArchiveContexts.receive: whose the files are is up to who receives them', async () => {
  using dir = scratchDir();
  const contexts = await ArchiveContexts.open({ root: dir.join('contexts') });
  const archive = await tarOf(
    directory('d', { uid: 1000, gid: 100 }),
    file('d/f', '', { uid: 1000, gid: 100 }),
  );
  const owners = async (context: ArchiveContext): Promise<number[][]> => {
    await using tree = await context.open();
    return ['d', 'd/f'].map((path) => {
      const { uid, gid } = statSync(join(tree.root, path));
      return [uid, gid];
    });
  };
  await using kept = await receive(contexts, archive);
  assert.deepEqual(await owners(kept), [
    [1000, 100],
    [1000, 100],
  ]);
  const owner = { uid: 0, gid: 0 };
  await using changed = await contexts.receive(chunks(archive), { name: 'context', owner, signal });
  assert.deepEqual(await owners(changed), [
    [0, 0],
    [0, 0],
  ]);
});

test('ArchiveContexts.open: what a daemon that died has left is removed', async () => {
  using dir = scratchDir();
  mkdirSync(dir.join('contexts/old/deep'), { recursive: true });
  writeFileSync(dir.join('contexts/old/deep/file'), '');
  const { empty } = await ArchiveContexts.open({ root: dir.join('contexts') });
  assert.deepEqual(readdirSync(dir.join('contexts')), ['empty']);
  await using tree = await empty.open({ excludes: [] }, { signal, progress: () => {} });
  assert.deepEqual(readdirSync(tree.root), []);
});

test('ArchiveContext.read: links are followed inside the context and never out of it', async () => {
  using dir = scratchDir();
  writeFileSync(dir.join('outside'), 'secret');
  const contexts = await ArchiveContexts.open({ root: dir.join('contexts') });
  const archive = await tarOf(
    file('real/Dockerfile', 'FROM x'),
    link('symlink', 'Dockerfile', 'real/Dockerfile'),
    link('symlink', 'absolute', '/real/Dockerfile'),
    link('symlink', 'up', '../../outside'),
    link('symlink', 'loop', 'loop'),
    link('symlink', 'passwd', '/etc/passwd'),
  );
  await using context = await receive(contexts, archive);
  const read = (path: string): string | undefined => context.read(path, 100)?.toString();
  for (const path of ['real/Dockerfile', 'Dockerfile', 'absolute', '/Dockerfile', 'real/../Dockerfile']) {
    assert.equal(read(path), 'FROM x', path);
  }
  for (const path of ['up', 'passwd', 'nope', 'real', '../outside', '../../outside', 'real/Dockerfile/x']) {
    assert.equal(read(path), undefined, path);
  }
  assert.throws(() => read('loop'), { kind: 'invalid' });
  assert.throws(() => context.read('real/Dockerfile', 5), { kind: 'tooLarge' });
});

test('ArchiveContext.remove: a file, but nothing behind a link', async () => {
  using dir = scratchDir();
  mkdirSync(dir.join('outside'));
  writeFileSync(dir.join('outside/kept'), '');
  const contexts = await ArchiveContexts.open({ root: dir.join('contexts') });
  await using context = await receive(
    contexts,
    await tarOf(file('sub/gone'), file('sub/kept'), file('gone')),
  );
  await using tree = await context.open();
  symlinkSync(dir.join('outside'), join(tree.root, 'link'));
  for (const path of ['sub/gone', './gone', 'link/kept', '../contexts', 'nope/nope', '']) {
    await context.remove(path);
  }
  assert.deepEqual(readdirSync(tree.root).sort(), ['link', 'sub']);
  assert.deepEqual(readdirSync(join(tree.root, 'sub')), ['kept']);
  assert.deepEqual(readdirSync(dir.join('outside')), ['kept']);
});
