import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { IgnoreRules } from '#/dockerfile/ignore.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { localContext, localDockerfile } from './local-context.ts';
import { contentsOf, listLine } from './send-files.ts';
import { walkContext } from './walk.ts';

function tree(root: string, files: Readonly<Record<string, string>>): void {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(join(root, path, '..'), { recursive: true });
    writeFileSync(join(root, path), content);
  }
}

const paths = (root: string, patterns: readonly string[] = []): string[] =>
  [...walkContext(root, new IgnoreRules(patterns))].map(({ path }) => path);

test('walkContext: folders before what is in them, by the bytes of their names, links as they are', async () => {
  using dir = scratchDir();
  tree(dir.path, { 'b/x': '', 'b-/x': '', 'a/b/c': '', Z: '', é: '' });
  symlinkSync('/etc', join(dir.path, 'link'));
  symlinkSync('nowhere', join(dir.path, 'b/dangling'));
  execFileSync('mkfifo', [join(dir.path, 'fifo')]);
  const server = createServer().listen(join(dir.path, 'socket'));
  await new Promise((resolve) => server.once('listening', resolve));
  assert.deepEqual(paths(dir.path), [
    'Z',
    'a',
    'a/b',
    'a/b/c',
    'b',
    'b/dangling',
    'b/x',
    'b-',
    'b-/x',
    'fifo',
    'link',
    'é',
  ]);
  server.close();
});

test('walkContext: what is excluded is not there, and of its folders only those on the way to an exception', async () => {
  using dir = scratchDir();
  tree(dir.path, {
    'docs/a/keep.md': '',
    'docs/a/drop.txt': '',
    'docs/b/drop.txt': '',
    'node_modules/x/index.js': '',
    'src/main.ts': '',
  });
  assert.deepEqual(paths(dir.path, ['docs', 'node_modules', '!docs/**/*.md']), [
    'docs',
    'docs/a',
    'docs/a/keep.md',
    'src',
    'src/main.ts',
  ]);
  // What need not be looked at is not: a folder that nobody may read does not matter.
  chmodSync(join(dir.path, 'node_modules'), 0);
  assert.deepEqual(paths(dir.path, ['*', '!src']), ['src', 'src/main.ts']);
});

test('walkContext and contentsOf: what cannot be read is told by its path', async () => {
  using dir = scratchDir();
  assert.throws(() => paths(join(dir.path, 'missing')), {
    message: `cannot read the build context: scandir ${dir.path}/missing/: no such file or directory`,
  });
  tree(dir.path, { a: '' });
  const files = [...walkContext(dir.path, new IgnoreRules([]))];
  execFileSync('rm', [join(dir.path, 'a')]);
  assert.throws(() => [...contentsOf(files, () => {})], {
    message: `cannot send ${dir.path}/a of the build context: open ${dir.path}/a: no such file or directory`,
  });
  execFileSync('mknod', [join(dir.path, 'device'), 'c', '1', '3']);
  assert.throws(() => paths(dir.path), {
    message: `cannot read the build context: ${dir.path}/device is a device, which contexts do not have; leave it out by a line in .dockerignore`,
  });
  assert.deepEqual(paths(dir.path, ['device']), []);
  // Nobody is to be led elsewhere, or to wait, by what takes the place of a file.
  symlinkSync('/etc/hostname', join(dir.path, 'a'));
  assert.throws(() => [...contentsOf(files, () => {})], /cannot send/);
});

test('listLine: capabilities of programs only', () => {
  using dir = scratchDir();
  writeFileSync(dir.join('program'), '', { mode: 0o755 });
  writeFileSync(dir.join('text'), '');
  const read = (): Uint8Array => Buffer.from('caps');
  const entries = [...walkContext(dir.path, new IgnoreRules([]))].map(
    (file) => JSON.parse(listLine(file, read)) as { p: string; c?: string },
  );
  assert.deepEqual(
    entries.map(({ p, c }) => [p, c]),
    [
      ['program', Buffer.from('caps').toString('base64')],
      ['text', undefined],
    ],
  );
});

test('listLine: type, size, time and target', async () => {
  using dir = scratchDir();
  tree(dir.path, { file: 'four' });
  chmodSync(join(dir.path, 'file'), 0o4750);
  utimesSync(join(dir.path, 'file'), 1, 1.5);
  symlinkSync('to', join(dir.path, 'link'));
  const lines = [...walkContext(dir.path, new IgnoreRules([]))].map((file) => JSON.parse(listLine(file)));
  assert.deepEqual(lines[0], { p: 'file', m: 0o104750, s: 4, t: '1500000000' });
  assert.deepEqual({ ...lines[1], t: '' }, { p: 'link', m: 0o120777, t: '', l: 'to' });
});

/** Takes apart what `contentsOf` makes. */
function contents(chunks: Iterable<Buffer>): string[] {
  const all = Buffer.concat([...chunks]);
  const files: string[] = [];
  let pieces: Buffer[] = [];
  for (let at = 0; at < all.length; ) {
    const length = all.readUInt32BE(at);
    if (length === 0) files.push(Buffer.concat(pieces.splice(0)).toString());
    else pieces = [...pieces, all.subarray(at + 4, at + 4 + length)];
    at += 4 + length;
  }
  assert.deepEqual(pieces, []);
  return files;
}

test('contentsOf: files of any size come out as they are', async () => {
  using dir = scratchDir();
  const sizes = [0, 1, 262_132, 262_136, 262_140, 262_144, 700_000, 0, 5];
  const texts = sizes.map((size, index) => String.fromCharCode(97 + index).repeat(size));
  tree(dir.path, Object.fromEntries(texts.map((text, index) => [`f${index}`, text])));
  let sent = 0;
  const files = walkContext(dir.path, new IgnoreRules([]));
  const chunks = [...contentsOf(files, (bytes) => (sent += bytes))];
  assert.deepEqual(contents(chunks), texts);
  assert.equal(
    sent,
    sizes.reduce((sum, size) => sum + size),
  );
  assert.ok(chunks.length < 10);
});

test('localContext: the ignore file beside the Dockerfile counts alone, else the one of the context', async () => {
  using dir = scratchDir();
  tree(dir.path, {
    'context/.dockerignore': '# comment\n/one\n',
    'context/Dockerfile': '',
    'context/sub/Dockerfile': '',
    'context/sub/Dockerfile.dockerignore': 'two',
    'elsewhere/Dockerfile': 'FROM x',
    'elsewhere/Dockerfile.dockerignore': 'three',
  });
  const root = join(dir.path, 'context');
  const ignores = (dockerfile: string): string[] => {
    const { rules } = localContext(root, localDockerfile(root, dockerfile));
    return ['one', 'two', 'three'].filter((path) => rules.excludes(path));
  };
  assert.deepEqual(ignores(''), ['one']);
  assert.deepEqual(ignores(join(root, 'sub/Dockerfile')), ['two']);
  assert.deepEqual(ignores(join(dir.path, 'elsewhere/Dockerfile')), ['three']);
  assert.equal(localDockerfile(root, join(root, 'sub/Dockerfile')).name, 'sub/Dockerfile');
  const { name, content } = localDockerfile(root, join(dir.path, 'elsewhere/Dockerfile'));
  assert.deepEqual([name, content.toString()], ['Dockerfile', 'FROM x']);
  const missing = 'failed to read dockerfile: open Dockerfile: no such file or directory';
  const cases: [named: string, message: string][] = [
    ['', `${missing} (in "${dir.path}"; another one is named with --file)`],
    ['Dockerfile', `${missing}; paths of --file begin where you are: ${root}/Dockerfile`],
    [root, `failed to read dockerfile: read ${root}: is a directory`],
    [`${root}/nope/x`, `failed to read dockerfile: open ${root}/nope/x: no such file or directory`],
  ];
  for (const [named, message] of cases) {
    const folder = named === 'Dockerfile' ? root : dir.path;
    assert.throws(() => localDockerfile(folder, named), { message });
  }
  tree(dir.path, { 'lower/dockerfile': 'FROM lower' });
  assert.equal(localDockerfile(join(dir.path, 'lower'), '').name, 'dockerfile');
  tree(dir.path, { 'broken/.dockerignore': 'a\n[b\n', 'broken/Dockerfile': '' });
  assert.throws(() => localContext(join(dir.path, 'broken')), {
    message: `failed to read ${dir.path}/broken/.dockerignore: syntax error in pattern: "[b"`,
  });
});
