import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { FakeApi } from '#tests/fake-api.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';

/** `skiff build` with a daemon that is not Skiff: the classic API. tests/compat/cli-build.test.ts has the rest. */

const dir: ScratchDir = scratchDir();
after(() => dir[Symbol.dispose]());
mkdirSync(dir.join('context/sub'), { recursive: true });
writeFileSync(dir.join('context/Dockerfile'), 'FROM x\n');
writeFileSync(dir.join('context/.dockerignore'), 'ignored\n');
writeFileSync(dir.join('context/ignored'), 'IGNORED CONTENT');
writeFileSync(dir.join('context/sub/file'), 'SENT CONTENT');
writeFileSync(dir.join('Elsewhere'), 'FROM elsewhere\n');

const done = [
  { stream: 'Step 1/1 : FROM x\n' },
  { aux: { ID: `sha256:${'a'.repeat(64)}` } },
  { stream: 'Successfully built aaaaaaaaaaaa\n' },
];

async function* each(messages: readonly unknown[]): AsyncGenerator<unknown, void, undefined> {
  yield* messages;
}

/** A daemon that answers builds with these messages. */
function daemon(messages: readonly unknown[] = done): FakeApi {
  return new FakeApi(({ call }) => (call === 'POST /build' ? { stream: each(messages) } : { json: {} }));
}

test('skiff build: the classic API gets the flags and the files that are not ignored', async () => {
  await using api = daemon();
  const flags =
    '-t one -t two:x --build-arg A=1 --build-arg FROM_ENV --build-arg UNSET --label l=v --target stage --no-cache --pull --network none --add-host h:1.2.3.4 --ulimit nofile=1:2 --shm-size 1m -m 2m --memory-swap -1 -c 3 --cpu-period 4 --cpu-quota 5 --cpuset-cpus 0 --cpuset-mems 1 --cgroup-parent p --platform linux/arm64 --cache-from img --force-rm --squash';
  const { code, stdout, stderr } = await api.skiff(['build', ...flags.split(' '), dir.join('context')], {
    env: { FROM_ENV: 'env' },
  });
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(
    stdout,
    /^Sending build context to Docker daemon {2}[\d.]+kB\nStep 1\/1 : FROM x\nSuccessfully built/,
  );
  const sent = api.calls.find(({ call }) => call === 'POST /build');
  assert.ok(sent !== undefined);
  const { ulimits = '', buildargs = '', labels = '', cachefrom = '', ...query } = sent.query;
  assert.deepEqual(query, {
    // The last one of several is what the test sees.
    t: 'two:x',
    dockerfile: 'Dockerfile',
    nocache: '1',
    pull: '1',
    rm: '1',
    forcerm: '1',
    squash: '1',
    target: 'stage',
    platform: 'linux/arm64',
    networkmode: 'none',
    memory: '2097152',
    memswap: '-1',
    cpushares: '3',
    cpuperiod: '4',
    cpuquota: '5',
    cpusetcpus: '0',
    cpusetmems: '1',
    shmsize: '1048576',
    cgroupparent: 'p',
    extrahosts: 'h:1.2.3.4',
    version: '1',
  });
  assert.deepEqual(
    [ulimits, buildargs, labels, cachefrom].map((text) => JSON.parse(text)),
    [[{ Name: 'nofile', Hard: 2, Soft: 1 }], { A: '1', FROM_ENV: 'env' }, { l: 'v' }, ['img']],
  );
  assert.match(sent.body, /SENT CONTENT/);
  assert.doesNotMatch(sent.body, /IGNORED CONTENT/);
});

test('skiff build: a Dockerfile from elsewhere travels under a name of its own', async () => {
  await using api = daemon();
  await api.skiff(['build', '-f', dir.join('Elsewhere'), dir.join('context')]);
  const sent = api.calls.find(({ call }) => call === 'POST /build');
  const path = sent?.query['dockerfile'] ?? '';
  assert.match(path, /^\.dockerfile\.[0-9a-f]{20}$/);
  assert.ok(sent?.body.includes(path) && sent.body.includes('FROM elsewhere'));
  await api.skiff(['build', '-'], { input: 'FROM input\n' });
  assert.match(api.calls.at(-1)?.body ?? '', /FROM input/);
  await api.skiff(['build', 'https://git.example/x.git#main']);
  assert.deepEqual(
    [api.calls.at(-1)?.query['remote'], api.calls.at(-1)?.body],
    ['https://git.example/x.git#main', ''],
  );
});

test('skiff build: results, failures and what there is not', async () => {
  await using api = daemon();
  const id = dir.join('id');
  const { stdout } = await api.skiff(['build', '-q', '--iidfile', id, dir.join('context')]);
  assert.equal(stdout, `sha256:${'a'.repeat(64)}\n`);
  const failing = daemon([{ errorDetail: { code: 7, message: 'it failed' }, error: 'it failed' }]);
  await using _failing = failing;
  const failed = await failing.skiff(['build', dir.join('context')]);
  assert.deepEqual([failed.code, failed.stderr], [7, 'it failed\n']);
  for (const flag of ['--secret=id=a,env=PATH', '--explain', '--output=out', '--on-error=shell']) {
    const refused = await api.skiff(['build', flag, dir.join('context')]);
    assert.equal(refused.code, 1, flag);
    assert.match(refused.stderr, /is not available: the daemon at unix:\/\/FOLDER\/socket is not Skiff/);
  }
});

test('skiff build: the credentials of registries that it may meet go along', async () => {
  await using api = daemon();
  writeFileSync(
    api.config,
    JSON.stringify({
      auths: { 'reg.example': { auth: btoa('u:p') } },
      credHelpers: { 'other.example': 'none' },
    }),
  );
  await api.skiff(['build', dir.join('context')]);
  const header = api.calls.at(-1)?.headers['x-registry-config'];
  assert.deepEqual(JSON.parse(Buffer.from(String(header), 'base64url').toString()), {
    'reg.example': { username: 'u', password: 'p', serveraddress: 'reg.example' },
  });
});

test('skiff build: a daemon that hangs up is no success', async () => {
  const socket = join(dir.path, 'short.sock');
  const server = createServer((request: IncomingMessage, response) => {
    response.setHeader('Api-Version', '1.51');
    if (request.method === 'HEAD') response.end();
    else {
      request.resume().once('end', () => {
        response.write('{"stream":"Step 1/1"}', () => response.destroy());
      });
    }
  }).listen(socket);
  await using api = daemon();
  const { code, stderr } = await api.skiff(['build', dir.join('context')], {
    env: { SKIFF_HOST: `unix://${socket}` },
  });
  server.close();
  assert.equal(code, 1);
  assert.match(stderr, /hung up before it had finished/);
});
