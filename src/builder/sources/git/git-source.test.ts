import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { mount, unmount } from '#/kernel/mount.ts';
import { commitTime, gitDaemon, serveGit, TestRepository } from '#tests/git-server.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import { GitSource } from './git-source.ts';
import { type GitUrl, parseGitUrl } from './git-url.ts';
import type { GitWork } from './git-work.ts';

const noSsh = {
  has: () => Promise.resolve(false),
  connect: (): never => assert.fail('nobody has forwarded an agent'),
};
const work: GitWork = {
  secrets: { get: () => Promise.resolve(undefined) },
  ssh: noSsh,
  signal: new AbortController().signal,
};
const direct = { http: '', https: '', no: '' };

function open(scratch: ScratchDir): Promise<GitSource> {
  return GitSource.open({ root: scratch.join('cache'), proxies: direct });
}

function parse(text: string): GitUrl {
  const url = parseGitUrl(text);
  assert.ok(url !== undefined, text);
  return url;
}

function treesLeft(scratch: ScratchDir): string[] {
  return readdirSync(scratch.join('cache', 'trees'));
}

test('GitSource: gives the files of a branch, a tag, a commit and a directory', async () => {
  using scratch = scratchDir();
  const repository = new TestRepository(scratch.join('srv', 'r.git'));
  const first = repository.commit({ 'a/b/file': 'one', run: '#!', link: '->a/b' });
  repository.git('tag', '-a', 'v1', '-m', 'v1');
  repository.git('update-index', '--chmod=+x', 'run');
  const second = repository.commit({ 'a/b/file': 'two' });
  repository.git('update-ref', 'refs/pull/7/head', first);
  await using server = await serveGit(scratch.join('srv'));
  const source = await open(scratch);
  const remote = `${server.url}/r.git/.git`;
  for (const [what, commit, content] of [
    ['', second, 'two'],
    ['#main', second, 'two'],
    ['#v1', first, 'one'],
    ['#refs/tags/v1', first, 'one'],
    [`#${first}`, first, 'one'],
    ['?ref=pull/7/head', first, 'one'],
    [`?branch=main&checksum=${second.slice(0, 10)}`, second, 'two'],
  ] as const) {
    const resolved = await source.resolve(parse(remote + what), work);
    assert.equal(resolved.commit, commit, what);
    await using tree = await source.checkout(resolved, work);
    assert.equal(readFileSync(join(tree.root, 'a/b/file'), 'utf8'), content, what);
    assert.equal(readlinkSync(join(tree.root, 'link')), 'a/b');
    const { mode, mtimeMs, uid } = lstatSync(join(tree.root, 'a/b/file'));
    assert.deepEqual([mode & 0o777, mtimeMs / 1000, uid], [0o644, commitTime, 0]);
    assert.ok(!existsSync(join(tree.root, '.git')));
  }
  const part = await source.resolve(parse(`${remote}#main:a/b`), work);
  {
    await using tree = await source.checkout(part, work);
    assert.deepEqual(readdirSync(tree.root), ['file']);
  }
  assert.deepEqual(treesLeft(scratch), []);
  await assert.rejects(source.resolve(parse(`${remote}#nope`), work), /does not contain ref nope$/);
  await assert.rejects(
    source.resolve(parse(`${remote}?ref=main&checksum=0000000`), work),
    /expected checksum to match 0000000/,
  );
  const missing = await source.resolve(parse(`${remote}#main:a/c`), work);
  await assert.rejects(source.checkout(missing, work), { kind: 'notFound' });
  const unknown = await source.resolve(parse(`${remote}#${'1'.repeat(40)}`), work);
  await assert.rejects(source.checkout(unknown, work), /1{40}/);
  assert.deepEqual(treesLeft(scratch), []);
});

test('GitSource: fetches no more than the commit, and that once', async () => {
  using scratch = scratchDir();
  const repository = new TestRepository(scratch.join('srv', 'r.git'));
  for (const text of ['1', '2', '3']) repository.commit({ file: text });
  const packs: string[] = [];
  await using server = await serveGit(scratch.join('srv'), {
    onRequest: ({ method, url = '' }) => void packs.push(`${method} ${url.replace(/.*git\//, '')}`),
  });
  const source = await open(scratch);
  const resolved = await source.resolve(parse(`${server.url}/r.git/.git`), work);
  for (let time = 0; time < 2; time += 1) {
    await using _tree = await source.checkout(resolved, work);
    const [name = ''] = readdirSync(scratch.join('cache', 'repositories'));
    const count = execFileSync('/usr/bin/git', ['rev-list', '--count', resolved.commit], {
      cwd: scratch.join('cache', 'repositories', name),
      encoding: 'utf8',
    });
    assert.equal(count.trim(), '1');
    packs.length = time === 0 ? 0 : packs.length;
  }
  assert.deepEqual(packs, []);
  const [kept] = await source.kept();
  assert.equal(kept?.description, `git source for ${server.url}/r.git/.git`);
  assert.ok(kept.size > 0 && !kept.inUse);
  assert.equal(await source.forget('../trees'), false);
  assert.equal(await source.forget(kept.id), true);
  assert.deepEqual(await source.kept(), []);
  assert.deepEqual(readdirSync(scratch.join('cache', 'repositories')), []);
});

test('GitSource: gets an old commit from a server that only gives out whole branches', async () => {
  using scratch = scratchDir();
  const repository = new TestRepository(scratch.join('srv', 'r.git'));
  const first = repository.commit({ file: 'first' });
  repository.commit({ file: 'second' });
  using _daemon = await gitDaemon(scratch.join('srv'));
  const source = await open(scratch);
  for (const ref of ['main', first]) {
    const resolved = await source.resolve(parse(`git://127.0.0.1/r.git#${ref}`), work);
    await using tree = await source.checkout(resolved, work);
    assert.equal(readFileSync(join(tree.root, 'file'), 'utf8'), ref === first ? 'first' : 'second');
  }
});

test('GitSource: keeps the repository with keepGitDir, in a state that git likes', async () => {
  using scratch = scratchDir();
  const repository = new TestRepository(scratch.join('srv', 'r.git'));
  repository.commit({ 'd/file': 'x' });
  repository.git('tag', 'v1');
  await using server = await serveGit(scratch.join('srv'));
  const source = await open(scratch);
  for (const [ref, head] of [
    ['main', 'main'],
    ['v1', ''],
  ] as const) {
    const resolved = await source.resolve(parse(`${server.url}/r.git/.git#${ref}`), work);
    await using tree = await source.checkout(resolved, { ...work, keepGitDir: true });
    const git = (...args: string[]): string =>
      execFileSync('/usr/bin/git', args, { cwd: tree.root, encoding: 'utf8' }).trim();
    assert.equal(git('rev-parse', 'HEAD'), resolved.commit);
    assert.equal(git('branch', '--show-current'), head);
    assert.equal(git('status', '--porcelain'), '');
    assert.equal(git('remote', 'get-url', 'origin'), `${server.url}/r.git/.git`);
  }
  const part = await source.resolve(parse(`${server.url}/r.git/.git#main:d`), work);
  await using tree = await source.checkout(part, { ...work, keepGitDir: true });
  assert.deepEqual(readdirSync(tree.root), ['file']);
});

test('GitSource: brings submodules, of submodules too, unless the URL does without', async () => {
  using scratch = scratchDir();
  const inner = new TestRepository(scratch.join('srv', 'inner'));
  const innerCommit = inner.commit({ deep: 'inner' });
  const middle = new TestRepository(scratch.join('srv', 'middle'));
  middle.git('update-index', '--add', '--cacheinfo', `160000,${innerCommit},in`);
  mkdirSync(join(middle.path, 'in'));
  middle.commit({ '.gitmodules': '[submodule "i"]\npath = in\nurl = ../../inner/.git\n', m: 'm' });
  const outer = new TestRepository(scratch.join('srv', 'outer'));
  await using server = await serveGit(scratch.join('srv'));
  outer.commit({
    '.gitmodules': `[submodule "x y"]\n\tpath = lib/mid\n\turl = ${server.url}/middle/.git\n`,
    top: 't',
  });
  outer.git('update-index', '--add', '--cacheinfo', `160000,${middle.git('rev-parse', 'HEAD')},lib/mid`);
  outer.git('commit', '--quiet', '-m', 'with');
  const source = await open(scratch);
  const remote = `${server.url}/outer/.git`;
  {
    await using tree = await source.checkout(await source.resolve(parse(remote), work), work);
    assert.equal(readFileSync(join(tree.root, 'lib/mid/in/deep'), 'utf8'), 'inner');
  }
  {
    await using tree = await source.checkout(
      await source.resolve(parse(`${remote}#main:lib/mid`), work),
      work,
    );
    assert.deepEqual(readdirSync(tree.root).toSorted(), ['.gitmodules', 'in', 'm']);
  }
  await using tree = await source.checkout(
    await source.resolve(parse(`${remote}?submodules=false`), work),
    work,
  );
  assert.deepEqual(readdirSync(join(tree.root, 'lib/mid')), []);
});

test('GitSource: sends secrets to the host that they are for', async () => {
  using scratch = scratchDir();
  new TestRepository(scratch.join('srv', 'r.git')).commit({ file: 'x' });
  const token = `Basic ${Buffer.from('x-access-token:t0ken').toString('base64')}`;
  await using server = await serveGit(scratch.join('srv'), { authorization: token });
  const source = await open(scratch);
  const url = parse(`${server.url}/r.git/.git`);
  await assert.rejects(
    source.resolve(url, work),
    /could not read Username|Authentication failed|terminal prompts disabled/,
  );
  for (const name of ['GIT_AUTH_TOKEN', `GIT_AUTH_TOKEN.${new URL(server.url).host}`]) {
    const get = (id: string): Promise<Buffer | undefined> =>
      Promise.resolve(id === name ? Buffer.from('t0ken\n') : undefined);
    const allowed = { ...work, secrets: { get } };
    await using tree = await source.checkout(await source.resolve(url, allowed), allowed);
    assert.equal(readFileSync(join(tree.root, 'file'), 'utf8'), 'x');
  }
  const own = parse(`${server.url.replace('//', '//x-access-token:t0ken@')}/r.git/.git`);
  assert.equal((await source.resolve(own, work)).commit.length, 40);
  const grep = spawnSync('/bin/grep', ['-rlE', 't0ken|eC1hY2Nlc3M', scratch.join('cache')], {
    encoding: 'utf8',
  });
  assert.equal(grep.stdout, '');
});

test('GitSource: a directory that is a link, or leads through one, is no directory', async () => {
  using scratch = scratchDir();
  const repository = new TestRepository(scratch.join('srv', 'r.git'));
  repository.commit({ out: '->/etc', up: '->../..', 'd/f': 'x', to: '->d' });
  await using server = await serveGit(scratch.join('srv'));
  const source = await open(scratch);
  for (const subdir of ['out', 'up', 'to', 'out/ssl', 'to/.', 'd/f']) {
    const resolved = await source.resolve(parse(`${server.url}/r.git/.git#main:${subdir}`), work);
    await assert.rejects(source.checkout(resolved, work), { kind: 'notFound' }, subdir);
  }
  assert.deepEqual(treesLeft(scratch), []);
});

test('GitSource: refuses trees that git itself would never make', async () => {
  for (const build of [
    (r: TestRepository) => [{ mode: '40000', name: '.git', id: r.git('rev-parse', 'HEAD^{tree}') }],
    (r: TestRepository) => [{ mode: '40000', name: '..', id: r.git('rev-parse', 'HEAD^{tree}') }],
    (r: TestRepository) => [
      { mode: '120000', name: 'sub', id: r.blob('/etc') },
      { mode: '40000', name: 'sub', id: r.git('rev-parse', 'HEAD^{tree}') },
    ],
    (r: TestRepository) => [{ mode: '100644', name: 'a/../../b', id: r.blob('x') }],
  ]) {
    using scratch = scratchDir();
    const repository = new TestRepository(scratch.join('srv', 'r.git'));
    repository.commit({ config: 'x' });
    repository.commitRaw(build(repository));
    await using server = await serveGit(scratch.join('srv'));
    const source = await open(scratch);
    const resolved = await source.resolve(parse(`${server.url}/r.git/.git`), work);
    await assert.rejects(source.checkout(resolved, work), { kind: 'unavailable' });
    assert.deepEqual(treesLeft(scratch), []);
  }
});

test('GitSource: a submodule leads neither to files of this machine nor out of the tree', async () => {
  for (const modules of [
    'path = sub\nurl = /srv/secret',
    'path = sub\nurl = file:///etc',
    'path = sub\nurl = "ext::sh -c touch% /tmp/x"',
    'path = ../sub\nurl = https://127.0.0.1/x',
  ]) {
    using scratch = scratchDir();
    const repository = new TestRepository(scratch.join('srv', 'r.git'));
    const commit = repository.commit({ '.gitmodules': `[submodule "s"]\n${modules}\n` });
    repository.git('update-index', '--add', '--cacheinfo', `160000,${commit},sub`);
    repository.git('commit', '--quiet', '-m', 'x');
    await using server = await serveGit(scratch.join('srv'));
    const source = await open(scratch);
    const resolved = await source.resolve(parse(`${server.url}/r.git/.git`), work);
    await assert.rejects(source.checkout(resolved, work), /submodule|gitmodules|invalid git URL/i, modules);
    assert.deepEqual(treesLeft(scratch), []);
  }
});

test('GitSource: a client that leaves ends git, and what follows finds everything in order', async () => {
  using scratch = scratchDir();
  new TestRepository(scratch.join('srv', 'r.git')).commit({ file: 'x' });
  const leave = new AbortController();
  let isHanging = true;
  await using server = await serveGit(scratch.join('srv'), {
    onRequest: async ({ method }) => {
      if (method !== 'POST' || !isHanging) return;
      leave.abort(new Error('gone'));
      await new Promise(() => {});
    },
  });
  const source = await open(scratch);
  const url = parse(`${server.url}/r.git/.git`);
  await assert.rejects(source.resolve(url, { ...work, signal: leave.signal }), /^Error: gone$/);
  isHanging = false;
  const resolved = await source.resolve(url, work);
  await using tree = await source.checkout(resolved, work);
  assert.equal(readFileSync(join(tree.root, 'file'), 'utf8'), 'x');
});

const noProgram = existsSync('/usr/bin/ssh') ? false : 'this machine has no ssh';

test('GitSource: speaks ssh with the agent of the client alone', { skip: noProgram }, async () => {
  using scratch = scratchDir();
  new TestRepository(scratch.join('srv', 'r')).commit({ file: 'x' });
  // In the place of ssh, something that tells how it was called and does what it was asked for.
  const script = scratch.join('ssh');
  const asked = scratch.join('asked');
  const lines = [
    '#!/bin/sh',
    `printf '%s\\n' "$@" "agent: $SSH_AUTH_SOCK" >>'${asked}'`,
    'for last; do :; done',
    'exec sh -c "$last"',
  ];
  writeFileSync(script, `${lines.join('\n')}\n`, { mode: 0o755 });
  mount({ type: 'bind', source: script, options: ['bind'] }, '/usr/bin/ssh');
  try {
    const source = await open(scratch);
    const url = parse(`ssh://git@host.example:2222${scratch.join('srv', 'r')}`);
    const ssh = { has: () => Promise.resolve(true), connect: noSsh.connect };
    const resolved = await source.resolve(url, { ...work, ssh });
    await using tree = await source.checkout(resolved, { ...work, ssh });
    assert.equal(readFileSync(join(tree.root, 'file'), 'utf8'), 'x');
    const words = readFileSync(asked, 'utf8').split('\n');
    for (const word of [
      '-F',
      '/dev/null',
      'BatchMode=yes',
      'IdentityFile=none',
      '-p',
      '2222',
      'git@host.example',
    ]) {
      assert.ok(words.includes(word), word);
    }
    assert.ok(words.includes(`UserKnownHostsFile="${scratch.join('cache', 'known_hosts')}"`));
    const agents = words.filter((word) => word.startsWith('agent: '));
    assert.ok(
      agents.length >= 2 && agents.every((word) => word.startsWith(`agent: ${scratch.join('cache')}/`)),
    );
    // The socket goes with the work.
    assert.deepEqual(
      readdirSync(scratch.join('cache')).filter((name) => name.endsWith('.sock')),
      [],
    );
  } finally {
    unmount('/usr/bin/ssh', { detach: true });
  }
});

test('GitSource: what a daemon that died has left does not stay', async () => {
  using scratch = scratchDir();
  new TestRepository(scratch.join('srv', 'r.git')).commit({ file: 'x' });
  await using server = await serveGit(scratch.join('srv'));
  const url = parse(`${server.url}/r.git/.git`);
  const first = await open(scratch);
  const resolved = await first.resolve(url, work);
  await using tree = await first.checkout(resolved, work);
  assert.ok(existsSync(tree.root));
  const repositories = scratch.join('cache', 'repositories');
  const [name = ''] = readdirSync(repositories);
  writeFileSync(join(repositories, name, 'shallow.lock'), '');
  writeFileSync(join(repositories, name, 'objects/pack/tmp_pack_x'), '');
  mkdirSync(join(repositories, 'f'.repeat(64)));
  const second = await open(scratch);
  assert.deepEqual(readdirSync(repositories), [name]);
  assert.deepEqual(treesLeft(scratch), []);
  await using again = await second.checkout(resolved, work);
  assert.equal(readFileSync(join(again.root, 'file'), 'utf8'), 'x');
  assert.ok(!existsSync(join(repositories, name, 'objects/pack/tmp_pack_x')));
});
