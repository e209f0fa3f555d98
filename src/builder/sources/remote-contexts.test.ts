import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { IgnoreRules } from '#/dockerfile/ignore.ts';
import { serveGit, TestRepository } from '#tests/git-server.ts';
import { tarOf } from '#tests/images.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';
import type { ContextTree } from '../request.ts';
import { GitSource } from './git/git-source.ts';
import { HttpSource } from './http/http-source.ts';
import { removeIgnored } from './ignored.ts';
import { RemoteContexts } from './remote-contexts.ts';

const proxies = { http: '', https: '', no: '' };
const access = {
  secrets: { get: () => Promise.resolve(undefined) },
  ssh: { has: () => Promise.resolve(false), connect: (): never => assert.fail('no agent') },
  dockerfile: 'Dockerfile',
  keepGitDir: false,
};
const control = { signal: new AbortController().signal, progress: () => {} };

async function openContexts(scratch: ScratchDir): Promise<RemoteContexts & { readonly stop: () => void }> {
  const git = await GitSource.open({ root: scratch.join('git'), proxies });
  const http = await HttpSource.open({ root: scratch.join('http'), proxies, userAgent: 'test/1' });
  const contexts = await RemoteContexts.open({ git, http, root: scratch.join('trees') });
  return Object.assign(contexts, { stop: () => http[Symbol.dispose]() });
}

async function serve(
  files: Readonly<Record<string, Buffer>>,
): Promise<{ readonly url: string; asked: number } & AsyncDisposable> {
  const server = createServer((request, response) => {
    served.asked += 1;
    response.end(files[request.url ?? ''] ?? '');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const served = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked: 0,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
  return served;
}

test('RemoteContexts: a repository is the same commit for a whole build, without what is ignored', async () => {
  using scratch = scratchDir();
  const repository = new TestRepository(scratch.join('srv', 'r.git'));
  repository.commit({ Dockerfile: 'one', 'a/keep': '', 'a/drop': '' });
  await using server = await serveGit(scratch.join('srv'));
  const contexts = await openContexts(scratch);
  const context = contexts.of(`${server.url}/r.git/.git#main`, access);
  assert.ok(context !== undefined);
  for (const excludes of [[], ['a/*', '!a/keep']]) {
    await using tree = await context.open({ excludes }, control);
    assert.equal(readFileSync(join(tree.root, 'Dockerfile'), 'utf8'), 'one');
    assert.deepEqual(readdirSync(join(tree.root, 'a')), excludes.length === 0 ? ['drop', 'keep'] : ['keep']);
    repository.commit({ Dockerfile: 'two' });
  }
  contexts.stop();
});

test('RemoteContexts: an archive is unpacked, anything else is a Dockerfile', async () => {
  using scratch = scratchDir();
  const archive = await tarOf({ Dockerfile: 'from archive', 'src/x': '1' });
  await using server = await serve({
    '/a.tar': archive,
    '/a.tar.gz': gzipSync(archive),
    '/text': Buffer.from('FROM scratch\n'),
  });
  const contexts = await openContexts(scratch);
  for (const [path, dockerfile, names] of [
    ['/a.tar', 'Dockerfile', ['Dockerfile', 'src']],
    ['/a.tar.gz', 'Dockerfile', ['Dockerfile', 'src']],
    ['/text', 'Dockerfile', ['Dockerfile']],
    ['/text', '../x/Other', ['x']],
  ] as const) {
    const context = contexts.of(server.url + path, { ...access, dockerfile });
    assert.ok(context !== undefined);
    const before = server.asked;
    for (let time = 0; time < 2; time += 1) {
      await using tree: ContextTree = await context.open({ excludes: [] }, control);
      assert.deepEqual(readdirSync(tree.root).toSorted(), names);
    }
    assert.equal(server.asked, before + 1);
  }
  assert.deepEqual(readdirSync(scratch.join('trees')), []);
  assert.deepEqual(readdirSync(scratch.join('http', 'open')), []);
  for (const text of ['.', '-', 'ftp://x/y', 'docker-image://a'])
    assert.equal(contexts.of(text, access), undefined);
  contexts.stop();
});

test('RemoteContexts: a damaged archive is refused and leaves nothing', async () => {
  using scratch = scratchDir();
  await using server = await serve({ '/a': gzipSync(await tarOf({ x: '1' })).subarray(0, 40) });
  const contexts = await openContexts(scratch);
  const context = contexts.of(`${server.url}/a`, access);
  await assert.rejects(async () => context?.open({ excludes: [] }, control), { kind: 'invalid' });
  assert.deepEqual(readdirSync(scratch.join('trees')), []);
  contexts.stop();
});

test('removeIgnored: keeps exceptions and follows no link', async () => {
  using scratch = scratchDir();
  using outside = scratchDir();
  writeFileSync(outside.join('precious'), '');
  for (const path of ['t/a/b/c', 't/a/b/d', 't/a/e', 't/n/m/x', 't/top.md', 't/README.md']) {
    mkdirSync(dirname(scratch.join(path)), { recursive: true });
    writeFileSync(scratch.join(path), '');
  }
  symlinkSync(outside.path, scratch.join('t/link'));
  await removeIgnored(scratch.join('t'), new IgnoreRules(['a', '!a/b/c', 'n', '*.md', '!README.md', 'link']));
  assert.deepEqual(readdirSync(scratch.join('t'), { recursive: true, encoding: 'utf8' }).toSorted(), [
    'README.md',
    'a',
    'a/b',
    'a/b/c',
  ]);
  assert.deepEqual(readdirSync(outside.path), ['precious']);
});
