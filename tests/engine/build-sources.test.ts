import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { digestOf } from '#/oci/digest.ts';
import { BuildBox } from '#tests/builds.ts';
import { serveGit, TestRepository } from '#tests/git-server.ts';
import { noSecrets, noSsh } from '#tests/steps.ts';

const box = await BuildBox.open();
after(() => box[Symbol.asyncDispose]());
const repository = new TestRepository(join(box.dir, 'srv', 'r.git'));
repository.commit({
  Dockerfile: 'FROM busybox\nCOPY . /src\nRUN find /src | sort',
  'app/main': 'x',
  'app/other': 'y',
  '.dockerignore': 'app/other\n',
});
const git = await serveGit(join(box.dir, 'srv'));
after(() => git[Symbol.asyncDispose]());
const url = `${git.url}/r.git/.git`;

let answer = 'one';
const web = createServer((_, response) => response.end(answer)).listen(0, '127.0.0.1');
await once(web, 'listening');
const page = `http://127.0.0.1:${(web.address() as AddressInfo).port}/page.html`;
after(() => web.close());

const access = { secrets: noSecrets, ssh: noSsh, dockerfile: 'Dockerfile', keepGitDir: false };

test('build sources: a repository is a context, without what it ignores', async () => {
  const context = box.engine.backend.builder.remoteContext(`${url}#main`, access);
  assert.ok(context !== undefined);
  const built = await box.build('', { context, dockerfile: { kind: 'file', context, path: 'Dockerfile' } });
  assert.equal(
    built.log,
    ['/src', '/src/.dockerignore', '/src/Dockerfile', '/src/app', '/src/app/main', ''].join('\n'),
  );
  const part = box.engine.backend.builder.remoteContext(`${url}#main:app`, access);
  assert.ok(part !== undefined);
  const again = await box.build('FROM busybox\nCOPY . /src\nRUN ls /src', { context: part });
  assert.equal(again.log, 'main\nother\n');
});

test('build sources: the Dockerfile may be written in lower case', async () => {
  repository.commit({ 'lower/dockerfile': 'FROM busybox\nRUN echo lower' });
  const context = box.engine.backend.builder.remoteContext(`${url}#main:lower`, access);
  assert.ok(context !== undefined);
  const built = (path: string) => box.build('', { context, dockerfile: { kind: 'file', context, path } });
  assert.equal((await built('Dockerfile')).log, 'lower\n');
  await assert.rejects(built('Otherfile'), /open Otherfile: no such file or directory/);
});

test('build sources: ADD takes a repository, and again only when its commit is another one', async () => {
  const dockerfile = `FROM busybox\nADD ${url}#main:app /app\nADD --keep-git-dir=true ${url} /all\nRUN cat /app/main; ls -A /all`;
  const first = await box.build(dockerfile);
  assert.equal(first.log, 'x.dockerignore\n.git\nDockerfile\napp\nlower\n');
  const again = await box.build(dockerfile);
  assert.equal(again.log, '');
  assert.equal(again.result.image, first.result.image);
  repository.commit({ 'app/main': 'changed' });
  assert.match((await box.build(dockerfile)).log, /^changed/);
});

test('build sources: ADD takes a file from the web, checks it, and sees that it changes', async () => {
  const dockerfile = `FROM busybox\nADD ${page} /there/\nRUN stat -c '%a %u' /there/page.html; cat /there/page.html`;
  assert.equal((await box.build(dockerfile)).log, '600 0\none');
  assert.equal((await box.build(dockerfile)).log, '');
  answer = 'two';
  assert.equal((await box.build(dockerfile)).log, '600 0\ntwo');
  const checked = (digest: string): string => `FROM busybox\nADD --checksum=${digest} ${page} /f\nRUN cat /f`;
  assert.equal((await box.build(checked(digestOf('two')))).log, 'two');
  await assert.rejects(box.build(checked(digestOf('three'))), /digest mismatch/);
});

test('build sources: what was fetched is listed with the cache, and pruned with it', async () => {
  const { builder } = box.engine.backend;
  const descriptions = (await builder.usage()).map(({ description }) => description);
  assert.ok(descriptions.includes(`git source for ${url}`));
  assert.ok(descriptions.includes(`http url ${page}`));
  const { removed } = await builder.prune({
    all: false,
    filters: new Map([['type', ['source.git.checkout']]]),
  });
  assert.deepEqual(
    removed.map(({ description }) => description),
    [`git source for ${url}`],
  );
  await builder.prune({ all: true, filters: new Map() });
  assert.deepEqual(await builder.usage(), []);
});
