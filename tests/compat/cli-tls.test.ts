/** Both command lines over TLS: who trusts whom, by flags, by a folder and by the environment. */
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { makeAuthority } from '#tests/certificates.ts';
import { type Ran, run, TestDaemon } from '#tests/daemon.ts';
import { freePort } from '#tests/ports.ts';
import { type ScratchDir, scratchDir } from '#tests/scratch-dir.ts';

const programs = { docker: 'docker', skiff: join(import.meta.dirname, '../../bin/skiff') } as const;
const resources = new AsyncDisposableStack();
let scratch: ScratchDir;
let host: string;

before(async () => {
  scratch = resources.use(scratchDir());
  const authority = makeAuthority(scratch);
  const stranger = makeAuthority(scratch, 'stranger');
  const keep = (folder: string, pair: { cert: string; key: string }, ca: string): void => {
    mkdirSync(scratch.join(folder));
    for (const [name, text] of Object.entries({ 'ca.pem': ca, 'cert.pem': pair.cert, 'key.pem': pair.key })) {
      writeFileSync(scratch.join(folder, name), text, { mode: 0o600 });
    }
  };
  keep('server', authority.issue('IP:127.0.0.1'), authority.cert);
  keep('client', authority.issue('DNS:client'), authority.cert);
  keep('other', stranger.issue('DNS:client'), authority.cert);
  keep('trusting-another', authority.issue('DNS:client'), stranger.cert);
  const port = freePort();
  host = `tcp://127.0.0.1:${port}`;
  const files = ['cacert=ca', 'cert=cert', 'key=key'].map((pair) => {
    const [flag = '', name = ''] = pair.split('=');
    return `--tls${flag}=${scratch.join('server', `${name}.pem`)}`;
  });
  const daemon = resources.use(await TestDaemon.start(['-H', host, '--tlsverify', ...files]));
  await daemon.loadBusybox();
});
after(() => resources.disposeAsync());

function ask(
  program: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  return run(program, args, { env: { DOCKER_CONFIG: scratch.join('none'), ...env } });
}

const folder = (name: string): string[] =>
  ['cacert=ca', 'cert=cert', 'key=key'].map((pair) => {
    const [flag = '', file = ''] = pair.split('=');
    return `--tls${flag}=${scratch.join(name, `${file}.pem`)}`;
  });

for (const [name, program] of Object.entries(programs)) {
  test(`${name} over TLS: runs a container, output and exit code come back`, async () => {
    const args = ['-H', host, '--tlsverify', ...folder('client')];
    const ran = await ask(program, [...args, 'run', '--rm', 'busybox', 'sh', '-c', 'echo out; exit 3']);
    assert.deepEqual(
      { code: ran.code, stdout: ran.stdout, err: ran.stderr },
      { err: '', code: 3, stdout: 'out\n' },
    );
  });

  test(`${name} over TLS: DOCKER_TLS_VERIFY and DOCKER_CERT_PATH say the same as flags`, async () => {
    const env = { DOCKER_HOST: host, DOCKER_TLS_VERIFY: '1', DOCKER_CERT_PATH: scratch.join('client') };
    const ran = await ask(program, ['images', '--format', '{{.Repository}}'], env);
    assert.deepEqual({ code: ran.code, stdout: ran.stdout }, { code: 0, stdout: 'busybox\n' });
  });

  test(`${name} over TLS: --tls does not verify the daemon, but shows its own certificate`, async () => {
    const ran = await ask(program, ['-H', host, '--tls', ...folder('trusting-another'), 'images', '-q']);
    assert.equal(ran.code, 0, ran.stderr);
  });

  test(`${name} over TLS: a daemon of another authority, a certificate of another one, plain text`, async () => {
    const untrusted = await ask(program, ['-H', host, '--tlsverify', ...folder('trusting-another'), 'ps']);
    assert.equal(untrusted.code, 1);
    assert.match(untrusted.stderr, /certificate|x509|verify/);
    const refused = await ask(program, ['-H', host, '--tlsverify', ...folder('other'), 'ps']);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /certificate|unknown ca/i);
    const plain = await ask(program, ['-H', host, 'ps']);
    assert.equal(plain.code, 1);
    assert.notEqual(plain.stderr, '');
  });
}
