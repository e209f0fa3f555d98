import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { isKind } from '#/base/errors.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { loadConfig, type RegistryConfig } from './config.ts';
import { parseFlags } from './flags.ts';

function load(json: unknown, ...argv: string[]): RegistryConfig {
  using dir = scratchDir();
  writeFileSync(dir.join('password'), 'secret\n');
  writeFileSync(dir.join('c.json'), typeof json === 'string' ? json : JSON.stringify(json));
  return loadConfig(parseFlags(['--config', dir.join('c.json'), ...argv]));
}

function complaint(json: unknown): string {
  try {
    load(json);
  } catch (error) {
    assert.ok(isKind(error, 'invalid'), String(error));
    return error.message.replace(/^cannot use the configuration "[^"]*": /, '');
  }
  throw new Error(`nothing was wrong with ${JSON.stringify(json)}`);
}

test('loadConfig: an empty file gives the defaults, which only this machine can reach', () => {
  for (const json of ['', ' \n', '{}']) {
    const config = load(json);
    assert.deepEqual(config.listen, [{ host: '127.0.0.1', port: 5000 }]);
    assert.deepEqual(config.auth, { kind: 'none' });
    assert.deepEqual(config.storage, { kind: 'filesystem' });
    assert.equal(config.limits.manifest, 4 * 1024 * 1024);
    assert.equal(config.limits.requests, undefined);
    assert.equal(config.drain, 30_000);
    assert.ok(Object.isFrozen(config));
  }
});

test('loadConfig: reads all that can be said', () => {
  const config = load({
    listen: ['[::1]:5000', ':443'],
    data: 'data',
    url: 'https://registry.example',
    storage: {
      kind: 's3',
      bucket: 'images',
      endpoint: 'http://127.0.0.1:9000',
      prefix: 'skiff/v1',
      accessKeyId: 'a',
      secretAccessKey: 'b',
      redirect: true,
      partSize: '8MiB',
    },
    tls: { cert: 'cert.pem', key: '/k', clientCa: 'ca.pem', minVersion: 'TLSv1.3' },
    auth: {
      realm: 'Our registry',
      htpasswd: { path: 'users', remember: '1m' },
      issue: { lifetime: '10m', keyFile: 'key' },
      groups: { dev: ['alice'] },
      anonymousRead: true,
      rules: [
        { repositories: ['team/*'], who: ['@dev'], verbs: ['*'] },
        { who: ['bob'], effect: 'deny' },
      ],
    },
    limits: {
      requests: { perSecond: 10 },
      uploads: 4,
      blob: '1GiB',
      manifest: '1MiB',
      repository: '10GiB',
      headerTimeout: '5s',
      idleTimeout: '1m',
    },
    cache: [
      {
        prefix: 'hub',
        upstream: 'https://registry-1.example',
        username: 'u',
        passwordFile: 'password',
        ttl: '1h',
        quota: '5GiB',
      },
      { upstream: 'http://127.0.0.1:5001' },
    ],
    notifications: [
      {
        name: 'ci',
        url: 'http://127.0.0.1:8/hook',
        headers: { Authorization: 'Bearer x' },
        ignore: ['pull'],
      },
    ],
    metrics: '127.0.0.1:5001',
    log: { level: 'debug', format: 'text', requests: false },
    drain: '5s',
  });
  assert.match(config.data, /^\/.*\/data$/);
  assert.match(config.tls?.cert ?? '', /^\/.*\/cert\.pem$/);
  assert.equal(config.tls?.key, '/k');
  assert.ok(config.storage.kind === 's3');
  assert.equal(config.storage.s3.prefix, 'skiff/v1/');
  assert.equal(config.storage.s3.pathStyle, true);
  assert.ok(config.auth.kind === 'some');
  assert.deepEqual(
    config.auth.rules.map(({ who, verbs, effect }) => [who, verbs.length, effect]),
    [
      [['@dev'], 4, 'allow'],
      [['bob'], 4, 'deny'],
      [['anyone'], 2, 'allow'],
    ],
  );
  assert.deepEqual(config.limits.requests, { perSecond: 10, burst: 40 });
  assert.deepEqual(config.cache[0]?.credentials, { username: 'u', password: 'secret' });
  assert.equal(config.cache[1]?.prefix, '');
  assert.equal(config.notifications[0]?.headers['Authorization'], 'Bearer x');
  assert.equal(config.drain, 5000);
});

test('loadConfig: complaints name the key', () => {
  const auth = { htpasswd: { path: 'x' } };
  const s3 = { kind: 's3', bucket: 'images' };
  const cases: [json: unknown, complaint: string | RegExp][] = [
    ['{', /JSON/],
    [[], 'must be an object, not []'],
    [{ lisen: [] }, /^lisen: unknown key; known here: auth, cache, /],
    [{ listen: ['5000'] }, /^listen: "5000" is no address/],
    [{ listen: ['h:70000'] }, /^listen: /],
    [{ listen: [] }, 'listen: names no address'],
    [{ listen: [':5000'] }, /^auth: is missing, and others than this machine could push and pull/],
    [{ auth: {} }, /^auth\.htpasswd: is missing, and so is token/],
    [{ auth: 'nobody' }, 'auth: must be an object, not "nobody"'],
    [{ auth: { htpasswd: {} } }, 'auth.htpasswd.path: is missing'],
    [
      { auth: { htpasswd: { path: 'x', pth: 1 } } },
      'auth.htpasswd.pth: unknown key; known here: path, remember',
    ],
    [{ auth: { ...auth, realm: 'a"b' } }, /^auth\.realm: /],
    [{ auth: { ...auth, rules: [{}] } }, /^auth\.rules\[0\]\.who: is missing/],
    [{ auth: { ...auth, rules: [{ who: ['@x'] }] } }, /^auth\.rules\[0\]\.who: there is no group "x"/],
    [
      { auth: { ...auth, rules: [{ who: ['*'], verbs: ['write'] }] } },
      /^auth\.rules\[0\]\.verbs: "write" is none/,
    ],
    [
      { auth: { ...auth, rules: [{ who: ['*'], repositories: ['A'] }] } },
      /^auth\.rules\[0\]\.repositories: "A" is no pattern/,
    ],
    [
      { auth: { token: { url: 'https://t', service: 's', issuer: 'i' } } },
      /^auth\.token\.jwksFile: say either/,
    ],
    [
      { auth: { ...auth, token: { url: 'https://t', service: 's', issuer: 'i', jwksFile: 'k' }, issue: {} } },
      /^auth\.issue: cannot go together/,
    ],
    [{ storage: {} }, 'storage.kind: is missing'],
    [{ storage: { kind: 'filesystem', bucket: 'x' } }, /^storage\.bucket: unknown key/],
    [{ storage: { kind: 's3' } }, 'storage.bucket: is missing'],
    [{ storage: { ...s3, prefix: '../x' } }, /^storage\.prefix: /],
    [{ storage: { ...s3, accessKeyId: 'x' } }, /^storage\.secretAccessKey: is missing/],
    [{ storage: { ...s3, partSize: 5 } }, 'storage.partSize: must be from 5 MiB to 1 GiB'],
    [{ auth: { ...auth, issue: {} }, storage: s3 }, /^auth\.issue\.keyFile: is missing/],
    [{ tls: { cert: 'x' } }, 'tls.key: is missing'],
    [{ limits: { requests: {} } }, 'limits.requests.perSecond: is missing'],
    [{ limits: { idleTimeout: '0s' } }, /^limits\.idleTimeout: /],
    [{ cache: [{ prefix: 'Hub', upstream: 'https://h' }] }, /^cache\[0\]\.prefix: "Hub" cannot begin/],
    [{ cache: [{ upstream: 'https://h' }, { upstream: 'https://i' }] }, /^cache\[1\]\.prefix: another cache/],
    [{ cache: [{ upstream: 'https://h', username: 'x' }] }, /^cache\[0\]\.username: goes with password/],
    [
      { cache: [{ upstream: 'https://h', username: 'x', passwordFile: 'nope' }] },
      /^cache\[0\]\.passwordFile: ENOENT/,
    ],
    [
      { notifications: [{ name: 'a', url: 'http://h', headers: { 'a b': 'x' } }] },
      /^notifications\[0\]\.headers\.a b: is no header/,
    ],
    [{ metrics: 'x' }, /^metrics: "x" is no address/],
    [{ log: { level: 'loud' } }, /^log\.level: must be one of/],
  ];
  for (const [json, expected] of cases) {
    const found = complaint(json);
    if (typeof expected === 'string') assert.equal(found, expected);
    else assert.match(found, expected);
  }
});

test('loadConfig: flags win over the file, which must exist if it was named', () => {
  const config = load(
    { listen: [':1'], data: '/a', auth: 'none' },
    '--listen',
    '[::1]:2',
    '-l',
    'localhost:3',
    '--data',
    '/b',
    '--log-level=warn',
  );
  assert.deepEqual(config.listen, [
    { host: '::1', port: 2 },
    { host: 'localhost', port: 3 },
  ]);
  assert.equal(config.data, '/b');
  assert.equal(config.log.level, 'warn');
  assert.throws(
    () => loadConfig(parseFlags(['-c', '/nonexistent/x.json'])),
    /cannot read the configuration "\/nonexistent\/x\.json": ENOENT/,
  );
});

test('parseFlags: complaints name the flag', () => {
  assert.throws(() => parseFlags(['--listen', 'x']), /^EngineError: --listen: "x" is no address/);
  assert.throws(() => parseFlags(['--log-level', 'x']), /--log-level: "x" is none of debug/);
  assert.throws(() => parseFlags(['--lsten']), /'--lsten'/);
  assert.throws(() => parseFlags(['serve']), /serve/);
  assert.equal(parseFlags(['--validate']).action, 'validate');
  assert.equal(parseFlags(['-h', '--validate']).action, 'help');
});
