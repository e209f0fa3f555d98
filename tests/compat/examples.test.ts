/** The examples, built and run as their README says, from base images that were made on this machine. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { lookup } from 'node:dns/promises';
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type Ran, run, TestDaemon } from '#tests/daemon.ts';
import { fetchText, freePort } from '#tests/ports.ts';
import { until } from '#tests/until.ts';

const root = join(import.meta.dirname, '../..');
const bases = join(root, 'dist/example-images');
let daemon: TestDaemon;

before(async () => {
  daemon = await TestDaemon.start();
  if (!existsSync(join(bases, 'npm-cache'))) throw new Error('run scripts/setup --tests first');
  for (const name of ['gcc', 'python', 'node']) await ok('import', join(bases, `${name}.tar`), name);
});
after(() => daemon[Symbol.asyncDispose]());

function skiff(...args: readonly string[]): Promise<Ran> {
  return run(join(root, 'bin/skiff'), args, { env: { SKIFF_HOST: daemon.host } });
}

async function ok(...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await skiff(...args);
  assert.equal(code, 0, `skiff ${args.join(' ')}\n${stdout}${stderr}`);
  return stdout;
}

const example = (name: string): string => join(root, 'examples', name);

/** Runs a server of an image until it has answered `path`. */
async function answerOf(
  image: string,
  { port, path = '/' }: { port: number; path?: string },
): Promise<string> {
  const here = freePort();
  const id = (await ok('run', '-d', '-p', `127.0.0.1:${here}:${port}`, image)).trim();
  let answer: string | undefined;
  await until(
    async () => {
      answer = await fetchText(`http://127.0.0.1:${here}${path}`);
      return answer !== undefined;
    },
    { what: `${image} answers; it says ${(await skiff('logs', id)).stdout}` },
  );
  await ok('rm', '-f', id);
  return answer ?? '';
}

test('examples/c-program: two stages give an image with a single file', async () => {
  await ok('build', '-t', 'hello', example('c-program'));
  assert.equal(
    await ok('run', '--rm', 'hello', 'you'),
    'Hello, you, from a program in an image of its own\n',
  );
  const layers = JSON.parse(
    await ok('image', 'inspect', '-f', '{{json .RootFS.Layers}}', 'hello'),
  ) as unknown[];
  assert.equal(layers.length, 1);
});

test('examples/python: a service with a user of its own and a build argument', async () => {
  await ok('build', '-t', 'service', '--build-arg', 'GREETING=Good day', example('python'));
  assert.equal(await answerOf('service', { port: 8000 }), 'Good day from Python 3, user 65534\n');
});

test('examples/koa: packages are installed without network, the registry settings stay a secret', async () => {
  const registry = execFileSync('npm', ['config', 'get', 'registry'], { encoding: 'utf8' }).trim();
  const settings = join(daemon.dir, 'npmrc');
  writeFileSync(settings, `registry=${registry}\n`);
  const packages = join(bases, 'npm-cache');
  const given = ['--secret', `id=npmrc,src=${settings}`, '--build-context', `packages=${packages}`];
  await ok('build', '-t', 'koa', ...given, example('koa'));
  assert.match(await answerOf('koa', { port: 3000 }), /^Hello from Koa on Node 26/);
  const left = await ok('run', '--rm', 'koa', 'sh', '-c', 'ls -A /root; ls node_modules | grep -cx koa');
  assert.equal(left, '1\n');
});

test('examples/monorepo: each target builds what it needs, and the release all but the tests', async () => {
  await ok('build', '-t', 'api', '--target', 'api', example('monorepo'));
  assert.equal(await answerOf('api', { port: 3000, path: '/you' }), 'Hello, you\n');
  await ok('build', '--target', 'test', example('monorepo'));
  await ok('build', '-t', 'release', '--build-arg', 'VERSION=2.1', example('monorepo'));
  assert.match(await answerOf('release', { port: 3000 }), /<title>Version 2\.1<\/title>/);
});

test('examples/nginx: Debian packages from a mirror', async (t) => {
  const sources = execFileSync('apt-get', ['indextargets', '--format', '$(REPO_URI)'], { encoding: 'utf8' });
  const mirror = sources.split('\n').find((line) => line.startsWith('http')) ?? '';
  if (mirror === '' || (await lookup(new URL(mirror).hostname).catch(() => undefined)) === undefined) {
    t.skip('no mirror of Debian packages is within reach; quickstart builds this one');
    return;
  }
  await ok('build', '-t', 'web', example('nginx'));
  assert.match(await answerOf('web', { port: 80 }), /Built with Skiff/);
});
