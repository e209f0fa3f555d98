/** Both command lines with one daemon, one configuration folder and real registries: what one stores the other uses. */
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { after, before, beforeEach, suite, test } from 'node:test';
import { openRegistry, users } from '#tests/configured-registry.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { startDebianRegistry } from '#tests/debian-registry.ts';
import { DockerCli, oldDocker } from '#tests/docker-cli.ts';

const skiff = join(import.meta.dirname, '../../bin/skiff');
const programs = { docker: 'docker', skiff } as const;
const pairs = [
  ['docker', 'skiff'],
  ['skiff', 'docker'],
  ['skiff', 'skiff'],
] as const;

let daemon: TestDaemon;
let cli: DockerCli;
/** `127.0.0.1:port` of registries that know only "me" with "me-pw". */
const hosts: Record<string, string> = {};
const resources = new AsyncDisposableStack();

before(async () => {
  daemon = resources.use(await TestDaemon.start());
  cli = new DockerCli(daemon);
  await daemon.loadBusybox();
  const debian = resources.use(await startDebianRegistry({ user: { name: 'me', password: 'me-pw' } }));
  hosts['docker-registry'] = debian.host;
  const own = resources.use(await openRegistry({ auth: { htpasswd: { path: 'users' } } }, users('me')));
  hosts['skiff-registry'] = new URL(own.url).host;
  const auth = { htpasswd: { path: 'users' }, issue: { lifetime: '10m' } };
  hosts['skiff-registry with tokens'] = new URL(
    resources.use(await openRegistry({ auth }, users('me'))).url,
  ).host;
});
after(() => resources.disposeAsync());
beforeEach(() => rmSync(join(cli.dir, 'config.json'), { force: true }));

const base64 = (words: string): string => Buffer.from(words).toString('base64');
const config = (): Record<string, unknown> => JSON.parse(readFileSync(join(cli.dir, 'config.json'), 'utf8'));

/** A helper that keeps one secret in a file and writes down what it is asked. */
function makeHelper(name: string): void {
  const script = `#!/bin/sh
cd ${cli.dir}
input=$(cat)
echo "$1 $input" >>calls
case $1 in
  store) echo "$input" >secret ;;
  get) [ -e secret ] && exec cat secret; echo "credentials not found in native keychain"; exit 1 ;;
  erase) rm -f secret ;;
esac
`;
  writeFileSync(join(cli.dir, `docker-credential-${name}`), script, { mode: 0o755 });
}

for (const kind of ['docker-registry', 'skiff-registry', 'skiff-registry with tokens']) {
  suite(`credentials at ${kind}`, () => {
    for (const [first, second] of pairs) {
      test(`${first} logs in, ${second} pushes, pulls, runs and logs out`, async () => {
        const host = hosts[kind] ?? '';
        const name = `${host}/team/${first}-${second}`;
        const [one, other] = [programs[first], programs[second]];
        await cli.checkAll([
          { line: `docker tag busybox ${name}:1`, out: '' },
          { line: `${other} push ${name}:1`, code: 1, err: /no basic auth credentials|unauthorized|denied/ },
          {
            line: `echo wrong | ${one} login -u me --password-stdin ${host}`,
            code: 1,
            err: /401|unauthorized/i,
          },
          {
            line: `echo me-pw | ${one} login -u me --password-stdin ${host}`,
            out: 'Login Succeeded\n',
            err: /stored unencrypted/,
          },
          { line: `${other} push ${name}:1`, out: /\n1: digest: sha256:[0-9a-f]{64} size: \d+\n$/, err: '' },
          { line: `${other} push -q ${name}:1`, out: `${name}:1\n` },
          { line: `docker rmi ${name}:1`, out: /^Untagged/ },
          {
            line: `${other} pull ${name}:1`,
            out: /^1: Pulling from [\s\S]*\nStatus: Downloaded newer image/,
          },
          { line: `docker rmi ${name}:1`, out: /^Untagged/ },
          {
            line: `${other} run --rm ${name}:1 echo hi`,
            out: 'hi\n',
            err: /^Unable to find image '[^']+:1' locally\n1: Pulling from /,
          },
          { line: `${other} logout ${host}`, out: `Removing login credentials for ${host}\n`, err: '' },
          { line: `docker rmi ${name}:1`, out: /^Untagged/ },
          // Docker 28.2 would ask for a name where it is refused a token.
          { line: `${skiff} pull ${name}:1`, code: 1, err: /no basic auth credentials|unauthorized|denied/ },
          { line: `${one} run --rm ${name}:1 true`, code: 125, err: /Unable to find image/ },
        ]);
        assert.deepEqual(config()['auths'], {});
      });

      test(`${first} stores with a helper, ${second} gets it from there`, async () => {
        makeHelper('box');
        rmSync(join(cli.dir, 'calls'), { force: true });
        const host = hosts[kind] ?? '';
        const name = `${host}/boxed/${first}-${second}`;
        writeFileSync(
          join(cli.dir, 'config.json'),
          JSON.stringify({ credHelpers: { [host]: 'box' }, mine: 1 }),
        );
        await cli.checkAll([
          { line: `docker tag busybox ${name}:1`, out: '' },
          {
            line: `PATH=$PWD:$PATH; echo me-pw | ${programs[first]} login -u me --password-stdin ${host}`,
            out: 'Login Succeeded\n',
            err: '',
          },
          { line: `PATH=$PWD:$PATH; ${programs[second]} push -q ${name}:1`, out: `${name}:1\n`, err: '' },
          { line: `PATH=$PWD:$PATH; ${programs[second]} logout ${host}`, out: /^Removing login credentials/ },
        ]);
        const calls = readFileSync(join(cli.dir, 'calls'), 'utf8').trim().split('\n');
        assert.ok(calls.includes(`store {"ServerURL":"${host}","Username":"me","Secret":"me-pw"}`));
        assert.deepEqual(
          [calls.includes(`get ${host}`), calls.includes(`erase ${host}`), config()['auths']],
          [true, true, {}],
        );
        // What docker does not know it drops.
        if (first === 'skiff' && second === 'skiff') assert.equal(config()['mine'], 1);
      });
    }

    test('skiff: a helper that does not work fails pushes and runs, and is warned of by pulls', async () => {
      const host = hosts[kind] ?? '';
      writeFileSync(join(cli.dir, 'config.json'), '{"credsStore": "missing"}');
      const missing = 'exec: "docker-credential-missing": executable file not found in $PATH';
      await cli.checkAll([
        { line: `${skiff} push ${host}/x:1`, code: 1, err: missing },
        { line: `${skiff} run --rm ${host}/x:1 true`, code: 125, err: missing },
        {
          line: `${skiff} pull ${host}/x:1`,
          code: 1,
          err: `WARNING: going on without credentials for ${host}`,
        },
      ]);
    });

    test('skiff: DOCKER_AUTH_CONFIG is enough', async () => {
      const host = hosts[kind] ?? '';
      const auth = base64('me:me-pw');
      const variable = `DOCKER_AUTH_CONFIG='${JSON.stringify({ auths: { [host]: { auth } } })}'`;
      await cli.checkAll([
        {
          line: `docker tag busybox ${host}/env:1; ${variable} ${skiff} push -q ${host}/env:1`,
          out: `${host}/env:1\n`,
        },
        { line: `docker rmi ${host}/env:1; ${variable} ${skiff} pull -q ${host}/env:1`, out: /\/env:1\n$/ },
      ]);
    });
  });
}

test('search: both command lines find the same at our registry, with credentials', {
  skip: oldDocker,
}, async () => {
  const host = hosts['skiff-registry'] ?? '';
  await cli.checkAll([
    { line: `echo me-pw | ${skiff} login -u me --password-stdin ${host}`, out: 'Login Succeeded\n' },
    {
      line: `docker tag busybox ${host}/found/it:1; ${skiff} push -q ${host}/found/it:1`,
      out: `${host}/found/it:1\n`,
    },
  ]);
  for (const args of [
    `${host}/found`,
    `--format '{{.Name}} {{.StarCount}}' ${host}/it`,
    `--limit 1 ${host}/f`,
  ]) {
    const [theirs, ours] = await Promise.all([
      cli.ok(`docker search ${args}`),
      cli.ok(`${skiff} search ${args}`),
    ]);
    assert.equal(ours, theirs);
    assert.match(ours, /found\/it/);
  }
});

/** What a request to the token service is answered, and by what right. */
function issueToken(
  form: URLSearchParams,
  authorization: string | undefined,
): { grant?: string; body: object } {
  const isRefresh = form.get('refresh_token') === 'the-identity-token';
  const isMe = authorization === `Basic ${base64('me:me-pw')}` || form.get('password') === 'me-pw';
  if (!isRefresh && !isMe) return { body: {} };
  const wantsToken = form.get('offline_token') === 'true' || form.get('access_type') === 'offline';
  return {
    grant: `${isRefresh ? 'identity token' : 'password'} ${form.get('scope') ?? ''}`.trim(),
    body: { token: 't', access_token: 't', ...(wantsToken && { refresh_token: 'the-identity-token' }) },
  };
}

/** A registry without images whose token service gives an identity token for a password, and tokens for either. */
async function identityTokenRegistry(): Promise<AsyncDisposable & { host: string; grants: string[] }> {
  const grants: string[] = [];
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const { authorization, host } = request.headers;
    const url = new URL(request.url ?? '', `http://${host}`);
    const form = new URLSearchParams(request.method === 'POST' ? await text(request) : url.search);
    response.setHeader('Content-Type', 'application/json');
    if (url.pathname === '/token') {
      const { grant, body } = issueToken(form, authorization);
      if (grant !== undefined) grants.push(grant);
      response.writeHead(grant === undefined ? 401 : 200).end(JSON.stringify(body));
      return;
    }
    const isIn = authorization === 'Bearer t';
    response.setHeader('WWW-Authenticate', `Bearer realm="http://${host}/token",service="test"`);
    const code = isIn ? 'MANIFEST_UNKNOWN' : 'UNAUTHORIZED';
    response.writeHead(!isIn ? 401 : url.pathname === '/v2/' ? 200 : 404);
    response.end(JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] }));
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  assert.ok(typeof address === 'object' && address !== null);
  return {
    host: `127.0.0.1:${address.port}`,
    grants,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

suite('identity tokens', () => {
  for (const [first, second] of pairs) {
    test(`${first} keeps one instead of the password, ${second} uses it`, async () => {
      await using registry = await identityTokenRegistry();
      const { host, grants } = registry;
      await cli.checkAll([
        {
          line: `echo me-pw | ${programs[first]} login -u me --password-stdin ${host}`,
          out: 'Login Succeeded\n',
          err: '',
        },
        {
          line: `${programs[second]} pull ${host}/x:1`,
          code: 1,
          err: /manifest unknown|manifest_unknown|not found/i,
        },
      ]);
      assert.deepEqual(config()['auths'], {
        [host]: { auth: base64('me:'), identitytoken: 'the-identity-token' },
      });
      assert.equal(grants[0], 'password');
      assert.equal(grants.at(-1), 'identity token repository:x:pull');
    });
  }
});
