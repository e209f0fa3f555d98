import assert from 'node:assert/strict';
import {
  chmodSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { CliConfig } from '../config.ts';
import { hostOf } from './file-store.ts';
import { credentialsFor, encodeAuth, hubServer } from './resolve.ts';
import { type CredentialContext, credentialStore } from './store.ts';

let folder = '';
let warnings = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'skiff-credentials-'));
  warnings = '';
});
afterEach(() => rmSync(folder, { recursive: true }));

const path = (): string => join(folder, 'config.json');
const base64 = (text: string): string => Buffer.from(text).toString('base64');

function context(env: Record<string, string> = {}): CredentialContext {
  const stderr = {
    write: (text: string) => void (warnings += text),
    isTTY: false,
    columns: 0,
    rows: 0,
    stream: process.stderr,
  };
  return { config: new CliConfig(path()), env: { PATH: `${folder}:${process.env['PATH']}`, ...env }, stderr };
}

/** A helper that keeps its credentials in a file of the folder. */
function makeHelper(name: string): void {
  const script = `#!/bin/sh
cd ${folder}
echo "$1 $(cat >input; cat input)" >>calls
case $1 in
  store) cp input secret ;;
  get) [ -e secret ] && exec cat secret; echo "credentials not found in native keychain"; exit 1 ;;
  erase) rm -f secret ;;
esac
`;
  writeFileSync(join(folder, `docker-credential-${name}`), script, { mode: 0o755 });
}

test('credentialsFor: what the file holds, by host and by old addresses', async () => {
  writeFileSync(
    path(),
    JSON.stringify({
      auths: {
        [hubServer]: { auth: base64('me:pass:word') },
        'reg.example:5000': { auth: base64('you:'), identitytoken: 'idt' },
        'https://old.example:444/v1/': { auth: base64('old:secret') },
        'plain.example': { registrytoken: 'rt' },
        'broken.example': { auth: '!' },
      },
    }),
  );
  const ctx = context();
  assert.deepEqual(await credentialsFor(ctx, 'docker.io'), {
    username: 'me',
    password: 'pass:word',
    serveraddress: hubServer,
  });
  assert.deepEqual(await credentialsFor(ctx, 'reg.example:5000'), {
    username: 'you',
    serveraddress: 'reg.example:5000',
    identitytoken: 'idt',
  });
  assert.deepEqual(await credentialsFor(ctx, 'old.example:444'), {
    username: 'old',
    password: 'secret',
    serveraddress: 'https://old.example:444/v1/',
  });
  assert.deepEqual(await credentialsFor(ctx, 'plain.example'), {
    serveraddress: 'plain.example',
    registrytoken: 'rt',
  });
  assert.deepEqual(await credentialsFor(ctx, 'none.example'), {});
  await assert.rejects(credentialsFor(ctx, 'broken.example'), /"auth" of "broken\.example" is not a name/);
});

test('CredentialStore.store: changes only its entry of the file and warns', async () => {
  const text = '{\n\t"zz": [1.50, "é"],\n\t"auths": {\n\t\t"b": {}\n\t},\n\t"credHelpers": {}\n}\n';
  writeFileSync(path(), text, { mode: 0o640 });
  chmodSync(path(), 0o640);
  const store = credentialStore(context(), 'a');
  await store.store({ username: 'u', password: 'p', serveraddress: 'a' });
  const auths = `"auths": {\n\t\t"b": {},\n\t\t"a": {\n\t\t\t"auth": "${base64('u:p')}"\n\t\t}\n\t}`;
  const expected = `{\n\t"zz": [\n\t\t1.5,\n\t\t"é"\n\t],\n\t${auths},\n\t"credHelpers": {}\n}`;
  assert.equal(readFileSync(path(), 'utf8'), expected);
  assert.equal(statSync(path()).mode & 0o777, 0o640);
  assert.equal(
    warnings,
    `\nWARNING! Your credentials are stored unencrypted in '${path()}'.\nConfigure a credential helper to remove this warning. See\nhttps://docs.docker.com/go/credential-store/\n\n`,
  );
  warnings = '';
  await store.store({ username: 'u', password: 'p', serveraddress: 'a' });
  assert.equal(warnings, '');
  await store.erase('a');
  await store.erase('b');
  await store.erase('c');
  assert.deepEqual(JSON.parse(readFileSync(path(), 'utf8')), { zz: [1.5, 'é'], auths: {}, credHelpers: {} });
  assert.deepEqual(readdirSync(folder), ['config.json']);
});

test('CredentialStore.store: makes the file and its folder for nobody else', async () => {
  const config = new CliConfig(join(folder, 'new', 'config.json'));
  const ctx = { ...context(), config };
  await credentialStore(ctx, 'a').store({ username: '', identitytoken: 't', serveraddress: 'a' });
  assert.equal(
    readFileSync(config.path, 'utf8'),
    '{\n\t"auths": {\n\t\t"a": {\n\t\t\t"identitytoken": "t"\n\t\t}\n\t}\n}',
  );
  assert.equal(statSync(config.path).mode & 0o777, 0o600);
  assert.equal(statSync(join(folder, 'new')).mode & 0o777, 0o700);
  // A token is not a password.
  assert.equal(warnings, '');
});

test('CredentialStore.store: follows symbolic links, also to what is not there yet', async () => {
  mkdirSync(join(folder, 'real'));
  symlinkSync('real/one', path());
  symlinkSync('two', join(folder, 'real/one'));
  await credentialStore(context(), 'a').store({ username: 'u', password: 'p', serveraddress: 'a' });
  assert.ok(lstatSync(path()).isSymbolicLink());
  assert.deepEqual(readdirSync(join(folder, 'real')).sort(), ['one', 'two']);
  assert.match(readFileSync(join(folder, 'real/two'), 'utf8'), /"auths"/);
});

test('credentialStore: a helper keeps passwords and identity tokens, the file only names', async () => {
  makeHelper('mine');
  writeFileSync(path(), JSON.stringify({ credsStore: 'nope', credHelpers: { 'reg.example': 'mine' } }));
  const ctx = context();
  const store = credentialStore(ctx, 'reg.example');
  assert.deepEqual(await store.get('reg.example'), {});
  await store.store({ username: 'u', password: 'p', serveraddress: 'reg.example' });
  assert.deepEqual(await credentialsFor(ctx, 'reg.example'), {
    username: 'u',
    password: 'p',
    serveraddress: 'reg.example',
  });
  await store.store({ username: 'u', identitytoken: 'idt', serveraddress: 'reg.example' });
  assert.deepEqual(await credentialsFor(ctx, 'reg.example'), {
    serveraddress: 'reg.example',
    identitytoken: 'idt',
  });
  assert.deepEqual(JSON.parse(readFileSync(path(), 'utf8')).auths, { 'reg.example': {} });
  await store.erase('reg.example');
  assert.deepEqual(JSON.parse(readFileSync(path(), 'utf8')).auths, {});
  assert.equal(warnings, '');
  assert.deepEqual(readFileSync(join(folder, 'calls'), 'utf8').trim().split('\n'), [
    'get reg.example',
    'store {"ServerURL":"reg.example","Username":"u","Secret":"p"}',
    'get reg.example',
    'store {"ServerURL":"reg.example","Username":"<token>","Secret":"idt"}',
    'get reg.example',
    'erase reg.example',
  ]);
});

test('credentialStore: the helper of the system, if nothing else was decided', async () => {
  makeHelper('secretservice');
  const store = credentialStore(context(), 'reg');
  await store.store({ username: 'u', password: 'p', serveraddress: 'reg' });
  assert.equal(
    readFileSync(path(), 'utf8'),
    '{\n\t"auths": {\n\t\t"reg": {}\n\t},\n\t"credsStore": "secretservice"\n}',
  );
  assert.deepEqual(await credentialsFor(context(), 'reg'), {
    username: 'u',
    password: 'p',
    serveraddress: 'reg',
  });
  // Credentials in the file decide for the file, the other password manager for its own helper.
  writeFileSync(path(), JSON.stringify({ auths: { other: { auth: base64('a:b') } } }));
  assert.deepEqual(await credentialsFor(context(), 'reg'), {});
  rmSync(path());
  writeFileSync(join(folder, 'pass'), '', { mode: 0o755 });
  assert.deepEqual(await credentialsFor(context(), 'reg'), {});
});

test('credentialStore: a helper that fails or is not there', async () => {
  writeFileSync(path(), JSON.stringify({ credsStore: 'nope', credHelpers: { bad: 'bad' } }));
  writeFileSync(join(folder, 'docker-credential-bad'), '#!/bin/sh\necho locked\nexit 3\n', { mode: 0o755 });
  await assert.rejects(credentialsFor(context(), 'other'), {
    message:
      'error getting credentials - err: exec: "docker-credential-nope": executable file not found in $PATH, out: ``',
  });
  await assert.rejects(credentialsFor(context(), 'bad'), {
    message: 'error getting credentials - err: exit status 3, out: `locked`',
  });
  // More than a pipe holds, to one that does not read.
  const secret = { username: 'u', password: 'p'.repeat(200_000), serveraddress: 'bad' };
  await assert.rejects(credentialStore(context(), 'bad').store(secret), {
    message: 'error storing credentials - err: exit status 3, out: `locked`',
  });
});

test('credentialStore: DOCKER_AUTH_CONFIG goes before everything, unless it is wrong', async () => {
  writeFileSync(
    path(),
    JSON.stringify({ auths: { a: { auth: base64('file:1') }, b: { auth: base64('file:2') } } }),
  );
  const with_ = (value: unknown) => context({ DOCKER_AUTH_CONFIG: JSON.stringify(value) });
  const good = with_({ auths: { a: { auth: base64('env:3') } } });
  assert.deepEqual(await credentialsFor(good, 'a'), { username: 'env', password: '3', serveraddress: 'a' });
  assert.equal((await credentialsFor(good, 'b')).username, 'file');
  assert.equal(warnings, '');
  assert.equal((await credentialsFor(with_({ auths: {}, credsStore: 'x' }), 'a')).username, 'file');
  assert.equal(
    warnings,
    'Failed to create credential store from DOCKER_AUTH_CONFIG:  json: unknown field "credsStore"\n',
  );
  warnings = '';
  assert.equal((await credentialsFor(with_({ auths: { a: {} } }), 'a')).username, 'file');
  assert.match(warnings, /is missing key `auth` for a\n$/);
});

test('hostOf: addresses and hosts', () => {
  assert.deepEqual(['https://u@h:443/v1/', 'h:5000/x', 'h', 'http://h', 'https://[::1]:5000/'].map(hostOf), [
    'h:443',
    'h:5000',
    'h',
    'h',
    '[::1]:5000',
  ]);
});

test('encodeAuth: base64url with padding', () => {
  assert.equal(encodeAuth({}), 'e30=');
  assert.equal(encodeAuth({ username: '>>>???' }), 'eyJ1c2VybmFtZSI6Ij4-Pj8_PyJ9');
});
