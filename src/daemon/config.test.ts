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
    ['{"registry-mirrors":[]}', [], /the following directives are not supported by Skiff: registry-mirrors$/],
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

test('loadConfig: a file that was named must exist', () => {
  assert.throws(
    () => loadConfig(parseFlags(['--config-file', join(dir, 'absent')])),
    /with file .*absent: ENOENT/,
  );
});
