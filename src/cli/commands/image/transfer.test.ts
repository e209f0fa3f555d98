import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { type ApiAnswer, type ApiCall, FakeApi } from '#tests/fake-api.ts';

const digest = `sha256:${'0'.repeat(64)}`;
const auth = Buffer.from('me:secret').toString('base64');
const stored = JSON.stringify({ auths: { 'reg:5000': { auth } } });

function daemon({ call }: ApiCall): ApiAnswer {
  if (call.includes('/nope')) return { json: { errorDetail: { message: 'no such thing' } } };
  if (call.includes('/push')) return { json: { status: 'Pushed', id: 'a', progressDetail: {} } };
  return { json: { status: 'Status: done' } };
}

const sentAuth = (call: ApiCall | undefined): unknown =>
  JSON.parse(Buffer.from(String(call?.headers['x-registry-auth']), 'base64').toString());

test('pull: the complete name, a tag or a digest, the platform, the credentials', async () => {
  await using api = new FakeApi(daemon);
  writeFileSync(api.config, stored);
  assert.deepEqual(await api.skiff(['pull', 'busybox']), {
    code: 0,
    stdout: 'Using default tag: latest\nStatus: done\ndocker.io/library/busybox:latest\n',
    stderr: '',
  });
  assert.deepEqual(await api.skiff(['image', 'pull', '-q', '--platform', 'Linux/ARM64', 'reg:5000/a:1']), {
    code: 0,
    stdout: 'reg:5000/a:1\n',
    stderr: '',
  });
  await api.skiff(['pull', '-a', 'reg:5000/a']);
  await api.skiff(['pull', `reg:5000/a:1@${digest}`], { env: { DOCKER_DEFAULT_PLATFORM: 'linux/arm' } });
  assert.deepEqual(
    api.calls.map(({ call, query }) => [call, query]),
    [
      ['POST /images/create', { fromImage: 'docker.io/library/busybox', tag: 'latest' }],
      ['POST /images/create', { fromImage: 'reg:5000/a', tag: '1', platform: 'linux/arm64' }],
      ['POST /images/create', { fromImage: 'reg:5000/a' }],
      ['POST /images/create', { fromImage: 'reg:5000/a', tag: digest, platform: 'linux/arm' }],
    ],
  );
  assert.deepEqual(sentAuth(api.calls[0]), {});
  assert.deepEqual(sentAuth(api.calls[1]), {
    username: 'me',
    password: 'secret',
    serveraddress: 'reg:5000',
  });
});

test('push: the complete name, a tag or all, the platform, the credentials', async () => {
  await using api = new FakeApi(daemon);
  writeFileSync(api.config, stored);
  assert.deepEqual(await api.skiff(['push', 'reg:5000/a']), {
    code: 0,
    stdout: 'Using default tag: latest\na: Pushed\n',
    stderr: '',
  });
  assert.equal((await api.skiff(['push', '-q', 'a/b:1'])).stdout, 'docker.io/a/b:1\n');
  await api.skiff(['push', '-a', 'reg:5000/a']);
  const { stdout } = await api.skiff(['image', 'push', '-q', '--platform', 'linux/arm/v7', 'reg:5000/a:1']);
  assert.match(stdout, /^\n Info -> Using --platform pushes only the specified platform manifest/);
  assert.deepEqual(
    api.calls.map(({ call, query }) => [call, query]),
    [
      ['POST /images/reg%3A5000/a/push', { tag: 'latest' }],
      ['POST /images/docker.io/a/b/push', { tag: '1' }],
      ['POST /images/reg%3A5000/a/push', {}],
      [
        'POST /images/reg%3A5000/a/push',
        { tag: '1', platform: '{"architecture":"arm","os":"linux","variant":"v7"}' },
      ],
    ],
  );
  assert.deepEqual(sentAuth(api.calls[0]), {
    username: 'me',
    password: 'secret',
    serveraddress: 'reg:5000',
  });
});

test('push: tells what was pushed instead of the index', async () => {
  const aux = {
    manifestPushedInsteadOfIndex: true,
    originalIndex: { digest: 'sha256:1' },
    selectedManifest: { digest: 'sha256:2' },
  };
  await using api = new FakeApi(() => ({ json: { aux } }));
  const { stdout } = await api.skiff(['push', 'reg:5000/a:1']);
  assert.match(
    stdout,
    /^\n Info -> Not all multiplatform-content is present[^\n]*\n {9}sha256:1 -> sha256:2\n$/,
  );
});

test('push, pull: an error in the stream', async () => {
  await using api = new FakeApi(daemon);
  assert.deepEqual(await api.skiff(['push', 'nope:1']), { code: 1, stdout: '', stderr: 'no such thing\n' });
});

test('push, pull: what cannot be is refused before anything is sent', async () => {
  await using api = new FakeApi(daemon);
  const refused: [string[], string][] = [
    [['pull', '-a', 'x:1'], "tag can't be used with --all-tags/-a"],
    [['push', '-a', 'x:1'], "tag can't be used with --all-tags/-a"],
    [['push', `x@${digest}`], 'cannot push a digest reference'],
    [['pull', 'UP'], 'invalid reference format: repository name (library/UP) must be lowercase'],
  ];
  for (const [args, message] of refused) {
    assert.deepEqual(await api.skiff(args), { code: 1, stdout: '', stderr: `${message}\n` });
  }
  for (const args of [['pull'], ['push'], ['create'], ['run']]) {
    const { code, stderr } = await api.skiff([...args, '--disable-content-trust=false', 'x']);
    assert.notEqual(code, 0);
    assert.match(stderr, /content trust \(signatures of tags by Notary\) is not supported/);
  }
  assert.match(
    (await api.skiff(['pull', 'x'], { env: { DOCKER_CONTENT_TRUST: '1' } })).stderr,
    /content trust/,
  );
  assert.deepEqual(api.calls, []);
});

test('push: fails, pull: warns, if a helper does not work', async () => {
  await using api = new FakeApi(daemon);
  writeFileSync(api.config, '{"credsStore": "nope"}');
  const failure =
    'error getting credentials - err: exec: "docker-credential-nope": executable file not found';
  const push = await api.skiff(['push', 'reg/x:1']);
  assert.deepEqual([push.code, api.calls.length], [1, 0]);
  assert.ok(push.stderr.startsWith(failure));
  const pull = await api.skiff(['pull', 'reg/x:1']);
  assert.equal(pull.code, 0);
  assert.ok(pull.stderr.startsWith('WARNING: going on without credentials for docker.io: error getting'));
});

test('run, create: pull what is missing, with credentials, and tell of it on standard error', async () => {
  let isThere = false;
  await using api = new FakeApi(({ call }) => {
    if (call === 'POST /images/create') {
      isThere = true;
      return { json: { status: 'Status: done' } };
    }
    if (!isThere) return { status: 404, message: 'No such image: reg:5000/a:latest' };
    return { json: { Id: 'f'.repeat(64), Warnings: [] } };
  });
  writeFileSync(api.config, stored);
  assert.deepEqual(await api.skiff(['create', 'reg:5000/a']), {
    code: 0,
    stdout: `${'f'.repeat(64)}\n`,
    stderr: "Unable to find image 'reg:5000/a:latest' locally\nStatus: done\n",
  });
  const pulled = api.calls.find(({ call }) => call === 'POST /images/create');
  assert.deepEqual(pulled?.query, { fromImage: 'reg:5000/a', tag: 'latest' });
  assert.deepEqual(sentAuth(pulled), { username: 'me', password: 'secret', serveraddress: 'reg:5000' });
  isThere = false;
  assert.equal((await api.skiff(['create', '--pull', 'always', '-q', 'reg:5000/a'])).stderr, '');
  isThere = false;
  assert.deepEqual(await api.skiff(['run', '--pull', 'never', 'reg:5000/a']), {
    code: 125,
    stdout: '',
    stderr:
      "skiff: Error response from daemon: No such image: reg:5000/a:latest\n\nRun 'skiff run --help' for more information\n",
  });
});

test('images: filters by a name', async () => {
  await using api = new FakeApi(() => ({ json: [] }));
  await api.skiff(['images', '-a', '-f', 'dangling=true', 'busybox']);
  assert.deepEqual(api.calls[0]?.query, {
    all: '1',
    filters: '{"dangling":{"true":true},"reference":{"busybox":true}}',
  });
});

test('--platform goes as JSON where the API wants it so', async () => {
  await using api = new FakeApi(() => ({ json: [] }));
  const platform = ['--platform', 'linux/arm64'];
  await api.skiff(['history', ...platform, 'x']);
  await api.skiff(['image', 'inspect', ...platform, 'x']);
  await api.skiff(['save', ...platform, 'x']);
  await api.skiff(['load', ...platform]);
  await api.skiff(['rmi', ...platform, 'x']);
  const json = '{"architecture":"arm64","os":"linux"}';
  assert.deepEqual(
    api.calls.filter(({ call }) => !call.endsWith('/_ping')).map(({ call, query }) => [call, query]),
    [
      ['GET /images/x/history', { platform: json }],
      ['GET /images/x/json', { platform: json }],
      ['GET /images/get', { names: 'x', platform: json }],
      ['POST /images/load', { quiet: '1', platform: json }],
      ['DELETE /images/x', { platforms: json }],
    ],
  );
  const { code, stderr } = await api.skiff(['history', '--platform', 'a/b/c/d', 'x']);
  assert.deepEqual([code, stderr], [1, '"a/b/c/d": cannot parse platform specifier: invalid argument\n']);
});
