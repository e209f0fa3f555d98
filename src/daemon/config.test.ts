import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { loadConfig } from './config.ts';
import { parseFlags } from './flags.ts';
import type { Config } from './options.ts';

const dir = mkdtempSync(join(tmpdir(), 'skiff-config-'));
const file = join(dir, 'daemon.json');
after(() => rmSync(dir, { recursive: true }));

function load(content: string, ...argv: string[]): Config {
  writeFileSync(file, content);
  return loadConfig(parseFlags(['--config-file', file, ...argv]));
}

test('loadConfig: defaults, the file and the flags become one frozen value', () => {
  const config = load(
    '{"labels":["a=b"],"mtu":1400,"runtimes":{"x":{"path":"/x"}},"default-shm-size":"1m"}',
    '-D',
  );
  assert.deepEqual(
    [config.labels, config.mtu, config.runtimes, config.defaultShmSize, config.debug, config.dataRoot],
    [['a=b'], 1400, { x: '/x' }, 1048576, true, '/var/lib/skiff'],
  );
  assert.ok(Object.isFrozen(config));
  assert.equal(load(' ').mtu, 1500);
});

test('loadConfig: every mistake is one line that names the key', () => {
  const wrong: [string, string[], RegExp][] = [
    ['{"nope":1,"foo":2}', [], /the following directives don't match any configuration option: nope, foo$/],
    [
      '{"userland-proxy":true,"ip6tables":false}',
      [],
      /the following directives are not supported by Skiff: userland-proxy$/,
    ],
    ['{"debug":"x"}', [], /the value of "debug" must be a bool$/],
    ['{"labels":"a=b"}', [], /the value of "labels" must be a list of strings$/],
    ['{"labels":["a"]}', [], /"labels": bad attribute format: a/],
    ['{"mtu":"5"}', [], /the value of "mtu" must be a number$/],
    ['{"mtu":1.5}', [], /"mtu": "1.5" is not a whole number$/],
    ['{"log-opts":{"a":1}}', [], /the value of "log-opts" must be a object with strings$/],
    ['{"runtimes":{"a":{}}}', [], /the value of "runtimes" must be a object with a path$/],
    ['{"log-level":"loud"}', [], /"log-level": invalid logging level: loud/],
    ['{"debug"', [], /JSON/],
    ['[]', [], /must hold a JSON object$/],
    [
      '{"debug":true}',
      ['--debug=false'],
      /both as a flag and in the configuration file: debug: \(from flag: false, from file: true\)$/,
    ],
    [
      '{"hosts":["unix:///x"]}',
      ['-H', 'unix:///y'],
      /hosts: \(from flag: \[unix:\/\/\/y\], from file: \[unix:\/\/\/x\]\)$/,
    ],
    [
      '{"log-opts":{"a":"b"}}',
      ['--log-opt', 'c=d'],
      /log-opts: \(from flag: map\[c:d\], from file: map\[a:b\]\)$/,
    ],
    ['{}', ['--data-root', 'rel'], /data-root must be an absolute path, not "rel"$/],
    ['{}', ['--exec-root', '/var/lib/skiff'], /must not be the same directory$/],
    ['{"hosts":[]}', [], /no host to listen on$/],
    ['{}', ['-H', 'foo://1.2.3.4'], /unsupported proto 'foo'$/],
    ['{"mtu":10}', [], /invalid MTU 10/],
    ['{"exec-opts":["x=y"]}', [], /unknown exec option "x=y"/],
    ['{}', ['--exec-opt', 'native.cgroupdriver=systemd'], /cgroupdriver=systemd is not implemented/],
  ];
  for (const [content, argv, message] of wrong) {
    assert.throws(
      () => load(content, ...argv),
      (error: Error) => {
        assert.match(error.message, message);
        assert.ok(!error.message.includes('\n'), error.message);
        return true;
      },
    );
  }
});

test('loadConfig: registries and proxies', () => {
  const config = load(
    JSON.stringify({
      'registry-mirrors': ['https://mirror.example/hub'],
      'insecure-registries': ['10.0.0.0/8', 'fd00::/16', 'http://reg.example:5000'],
      'max-concurrent-downloads': 1,
      proxies: { 'http-proxy': 'http://u:p@proxy.example:3128', 'no-proxy': 'localhost' },
      registries: {
        'ghcr.io': {
          mirrors: ['http://m'],
          rewrites: [{ from: '^a/(.*)$', to: 'b/$1' }],
          realms: ['Login.example', 'auth.example:8443'],
        },
      },
    }),
    '--max-concurrent-uploads=0',
  );
  assert.deepEqual(config.registryMirrors, ['https://mirror.example/hub/']);
  assert.deepEqual(config.insecureRegistries, ['10.0.0.0/8', 'fd00::/16', 'reg.example:5000']);
  assert.deepEqual(
    [config.maxConcurrentDownloads, config.maxConcurrentUploads, config.maxDownloadAttempts],
    [1, 0, 5],
  );
  assert.deepEqual([config.httpProxy, config.noProxy], ['http://u:p@proxy.example:3128', 'localhost']);
  assert.deepEqual(config.registries['ghcr.io'], {
    mirrors: ['http://m/'],
    rewrites: [{ from: /^a\/(.*)$/, to: 'b/$1' }],
    realms: ['login.example', 'auth.example:8443'],
  });
});

test("loadConfig: dockerd's keys about builds", () => {
  const gc = { defaultKeepStorage: '20GB', defaultReservedSpace: 1000, defaultMinFreeSpace: '10%' };
  const config = load(JSON.stringify({ builder: { gc }, features: { buildkit: true } }));
  assert.deepEqual(config.builderGc, {
    enabled: true,
    reserved: { bytes: 1000 },
    maxUsed: { bytes: 20 * 1024 ** 3 },
    minFree: { share: 0.1 },
  });
  assert.deepEqual(config.features, { buildkit: true });
  assert.equal(load('{"builder":{"gc":{"enabled":false}}}').builderGc.enabled, false);
  for (const [content, message] of [
    [
      { builder: { gc: { policy: [] } } },
      /"builder": builder\.gc has no "policy" here; there is enabled, default/,
    ],
    [{ builder: { gc: { enabled: 1 } } }, /"builder" must be a object with a boolean gc\.enabled/],
    [{ builder: { gc: { defaultMaxUsedSpace: '200%' } } }, /200% is more than the disk/],
    [{ builder: { gc: { defaultMaxUsedSpace: 'much' } } }, /"builder": /],
    [{ builder: { gc: { defaultMaxUsedSpace: -1 } } }, /is a size like "20GB"/],
    [{ features: { other: true } }, /"features": features has no "other" here; there is buildkit/],
  ] as const) {
    assert.throws(() => load(JSON.stringify(content)), message);
  }
});

test('loadConfig: mistakes about registries name the key and never show a password', () => {
  const wrong: [object, string[], RegExp][] = [
    [
      { 'registry-mirrors': ['mirror.example'] },
      [],
      /invalid mirror: no scheme specified for "mirror.example"/,
    ],
    [{ 'registry-mirrors': ['ftp://m'] }, [], /invalid mirror: unsupported scheme "ftp" in "ftp:\/\/m"/],
    [{ 'registry-mirrors': ['http://m/?x=1'] }, [], /query or fragment at end of the URI/],
    [
      { 'registry-mirrors': ['http://u:secret@m'] },
      [],
      /username\/password not allowed in URI "http:\/\/xxxxx:xxxxx@m"/,
    ],
    [{ 'insecure-registries': ['a/b'] }, [], /insecure registry a\/b is not valid/],
    [{ 'insecure-registries': ['10.0.0.0/33'] }, [], /insecure registry 10.0.0.0\/33 is not valid/],
    [{ 'max-concurrent-downloads': -1 }, [], /invalid max concurrent downloads: -1$/],
    [{ proxies: { foo: 'x' } }, [], /don't match any configuration option: foo$/],
    [{ proxies: 'x' }, [], /the value of "proxies" must be an object$/],
    [{ 'no-proxy': 'a', proxies: { 'no-proxy': 'b' } }, [], /"no-proxy" is there twice/],
    [{ registries: { 'a/b': {} } }, [], /"a\/b" is not the host of a registry/],
    [{ registries: { 'a.b': { mirror: [] } } }, [], /unknown key "mirror" of a.b/],
    [
      { registries: { 'a.b': { realms: ['https://x'] } } },
      [],
      /realms of a.b: "https:\/\/x" is neither HOST/,
    ],
    [{ registries: { 'a.b': { rewrites: [{ from: '(', to: '' }] } } }, [], /bad regular expression "\("/],
    [
      { 'http-proxy': 'http://u:secret@a' },
      ['--http-proxy', 'x:secret@b'],
      /http-proxy: \(from flag: xxxxx:xxxxx@b, from file: http:\/\/xxxxx:xxxxx@a\)$/,
    ],
  ];
  for (const [content, argv, message] of wrong) {
    assert.throws(
      () => load(JSON.stringify(content), ...argv),
      (error: Error) => {
        assert.match(error.message, message);
        assert.doesNotMatch(error.message, /secret/);
        return true;
      },
    );
  }
});

test('loadConfig: a file that was named must exist', () => {
  assert.throws(
    () => loadConfig(parseFlags(['--config-file', join(dir, 'absent')])),
    /with file .*absent: ENOENT/,
  );
});
