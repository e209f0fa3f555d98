import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { join } from 'node:path';
import { test } from 'node:test';
import { type ApiAnswer, type ApiCall, FakeApi } from '#tests/fake-api.ts';

/** Takes one password, gives an identity token for another. */
function registry({ body }: ApiCall): ApiAnswer {
  const { password } = JSON.parse(body) as { password: string };
  if (password === 'good') return { json: { Status: 'Login Succeeded', IdentityToken: '' } };
  if (password === 'token') return { json: { Status: 'Login Succeeded', IdentityToken: 'idt' } };
  return { status: 401, message: 'Get "http://reg/v2/": unauthorized' };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const auths = (api: FakeApi): unknown => JSON.parse(readFileSync(api.config, 'utf8')).auths;
const warning =
  "\nWARNING! Your credentials are stored unencrypted in 'FOLDER/config.json'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n";

test('login: tries the password from standard input and stores it', async () => {
  await using api = new FakeApi(registry);
  const args = ['login', '-u', 'me', '--password-stdin', 'https://reg.example:5000/v2/'];
  assert.deepEqual(await api.skiff(args, { input: 'good\r\n' }), {
    code: 0,
    stdout: 'Login Succeeded\n',
    stderr: warning,
  });
  assert.equal(api.calls[0]?.call, 'POST /auth');
  assert.deepEqual(JSON.parse(api.calls[0]?.body ?? ''), {
    username: 'me',
    password: 'good',
    serveraddress: 'reg.example:5000',
  });
  assert.deepEqual(auths(api), { 'reg.example:5000': { auth: base64('me:good') } });
});

test('login: keeps an identity token instead of the password, without a server for Docker Hub', async () => {
  await using api = new FakeApi(registry);
  assert.deepEqual(await api.skiff(['login', '-u', 'me', '-p', 'token']), {
    code: 0,
    stdout: 'Login Succeeded\n',
    stderr: 'WARNING! Using --password via the CLI is insecure. Use --password-stdin.\n',
  });
  assert.deepEqual(auths(api), {
    'https://index.docker.io/v1/': { auth: base64('me:'), identitytoken: 'idt' },
  });
  for (const hub of ['docker.io', 'index.docker.io', 'https://index.docker.io/v1/']) {
    await api.skiff(['login', '-u', 'me', '-p', 'good', hub]);
    assert.equal(JSON.parse(api.calls.at(-1)?.body ?? '').serveraddress, 'https://index.docker.io/v1/');
  }
});

test('login: a refused password is not stored', async () => {
  await using api = new FakeApi(registry);
  assert.deepEqual(await api.skiff(['login', '-u', 'me', '--password-stdin', 'reg'], { input: 'bad' }), {
    code: 1,
    stdout: '',
    stderr: 'Error response from daemon: Get "http://reg/v2/": unauthorized\n',
  });
  assert.equal(existsSync(api.config), false);
});

test('login: with stored credentials they are tried first', async () => {
  await using api = new FakeApi(registry);
  writeFileSync(api.config, JSON.stringify({ auths: { reg: { auth: base64('me:good') } } }));
  assert.deepEqual(await api.skiff(['login', 'reg']), {
    code: 0,
    stdout: 'Login Succeeded\n',
    stderr:
      "Authenticating with existing credentials... [Username: me]\n\n Info -> To login with a different account, run 'skiff logout' followed by 'skiff login'\n\n\n",
  });
  writeFileSync(api.config, JSON.stringify({ auths: { reg: { auth: base64('me:old') } } }));
  const { code, stderr } = await api.skiff(['login', 'reg']);
  assert.equal(code, 1);
  assert.match(
    stderr,
    /\n\n\nStored credentials invalid or expired\nError: Cannot perform an interactive login from a non TTY device\n$/,
  );
});

test('login: what cannot be is refused before anything is sent', async () => {
  await using api = new FakeApi(registry);
  const refused: [string[], string][] = [
    [
      ['-p', 'x', '--password-stdin'],
      'conflicting options: cannot specify both --password and --password-stdin',
    ],
    [['--password-stdin'], 'the --password-stdin option requires --username to be set'],
    [['-u', ''], 'username is empty'],
    [['-u', 'x', '-p', ''], 'password is empty'],
    [['-u', 'x'], 'Error: Cannot perform an interactive login from a non TTY device'],
  ];
  for (const [args, message] of refused) {
    assert.deepEqual(await api.skiff(['login', ...args, 'reg']), {
      code: 1,
      stdout: '',
      stderr: `${message}\n`,
    });
  }
  assert.deepEqual(api.calls, []);
});

test('login: a helper that cannot store fails the login', async () => {
  await using api = new FakeApi(registry);
  writeFileSync(api.config, '{"credsStore": "sealed"}');
  writeFileSync(join(api.folder, 'docker-credential-sealed'), '#!/bin/sh\necho sealed; exit 1\n', {
    mode: 0o755,
  });
  const { code, stdout, stderr } = await api.skiff(['login', '-u', 'me', '--password-stdin', 'reg'], {
    input: 'good',
  });
  assert.deepEqual([code, stdout], [1, '']);
  assert.equal(
    stderr,
    'Error saving credentials: error storing credentials - err: exit status 1, out: `sealed`\n',
  );
});

test('login: without a daemon the registry itself is asked', async () => {
  await using api = new FakeApi(registry);
  const server = createServer(({ headers }, response) => {
    if (headers.authorization === `Basic ${base64('me:good')}`) response.end('{}');
    else response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"' }).end();
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  const host = `127.0.0.1:${address.port}`;
  const args = ['login', '-u', 'me', '--password-stdin', host];
  const env = { SKIFF_HOST: 'unix:///nonexistent' };
  try {
    assert.equal((await api.skiff(args, { input: 'good', env })).stdout, 'Login Succeeded\n');
    assert.deepEqual(auths(api), { [host]: { auth: base64('me:good') } });
    const { code, stderr } = await api.skiff(args, { input: 'bad', env });
    const reason = `login attempt to http://${host}/v2/ failed with status: 401 Unauthorized`;
    assert.deepEqual([code, stderr], [1, `cannot log in to ${host}: ${reason}\n`]);
  } finally {
    server.close();
  }
});

test('login, logout: DOCKER_AUTH_CONFIG is told of', async () => {
  await using api = new FakeApi(registry);
  const env = { DOCKER_AUTH_CONFIG: '{"auths": {}}' };
  const { stderr } = await api.skiff(['logout', 'reg'], { env });
  assert.equal(
    stderr,
    '\n Warn -> DOCKER_AUTH_CONFIG is set and takes precedence.\n         Unset DOCKER_AUTH_CONFIG to restore the CLI auth behaviour.\n         \n',
  );
});

test('logout: forgets a registry under every name that it was stored under', async () => {
  await using api = new FakeApi(registry);
  const entry = { auth: base64('a:b') };
  const all = {
    reg: entry,
    'https://reg': entry,
    'http://reg': entry,
    'https://reg/v1/': entry,
    other: entry,
  };
  writeFileSync(api.config, JSON.stringify({ auths: all, detachKeys: 'ctrl-a' }));
  assert.deepEqual(await api.skiff(['logout', 'https://reg/v1/']), {
    code: 0,
    stdout: 'Removing login credentials for reg\n',
    stderr: '',
  });
  assert.deepEqual(JSON.parse(readFileSync(api.config, 'utf8')), {
    auths: { other: entry },
    detachKeys: 'ctrl-a',
  });
  assert.deepEqual(await api.skiff(['logout']), {
    code: 0,
    stdout: 'Removing login credentials for https://index.docker.io/v1/\n',
    stderr: '',
  });
});

test('logout: Docker Hub with what a login in the browser has left', async () => {
  await using api = new FakeApi(registry);
  const hub = 'https://index.docker.io/v1/';
  const entry = { auth: base64('a:b') };
  const all = { [hub]: entry, [`${hub}access-token`]: entry, [`${hub}refresh-token`]: entry };
  writeFileSync(api.config, JSON.stringify({ auths: all }));
  await api.skiff(['logout']);
  assert.deepEqual(auths(api), {});
});

test('logout: a helper that fails only warns', async () => {
  await using api = new FakeApi(registry);
  writeFileSync(api.config, '{"credsStore": "nope"}');
  const { code, stdout, stderr } = await api.skiff(['logout', 'reg']);
  assert.deepEqual([code, stdout], [0, 'Removing login credentials for reg\n']);
  assert.match(
    stderr,
    /^WARNING: could not erase credentials:\nreg: error erasing credentials - err: exec: /,
  );
});
