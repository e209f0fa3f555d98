import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatPlatform, hostPlatform, normalizePlatform, parsePlatform, platformRank } from './platform.ts';

test('parsePlatform: reads the forms that people write', () => {
  const host = hostPlatform();
  const cases: Readonly<Record<string, string>> = {
    'linux/amd64': 'linux/amd64',
    'linux/x86_64': 'linux/amd64',
    'Linux/aarch64': 'linux/arm64',
    'linux/arm64/v8': 'linux/arm64',
    'linux/arm': 'linux/arm/v7',
    'linux/armel': 'linux/arm/v6',
    arm64: 'linux/arm64',
    linux: formatPlatform(host),
    'windows/amd64': 'windows/amd64',
  };
  for (const [text, expected] of Object.entries(cases)) {
    assert.equal(formatPlatform(parsePlatform(text)), expected);
  }
  for (const text of ['foo', '', '/', 'a/b/c/d', 'linux/', 'linux/am d64']) {
    assert.throws(() => parsePlatform(text), { kind: 'invalid' }, text);
  }
});

test('normalizePlatform: is idempotent', () => {
  for (const architecture of ['x86_64', 'armhf', 'armel', 'arm', 'aarch64', 'riscv64', 'constructor']) {
    const once = normalizePlatform({ os: 'Linux', architecture, variant: '', osVersion: '' });
    assert.deepEqual(normalizePlatform(once), once);
  }
});

test('platformRank: prefers the exact variant, then older ARM and plain amd64', () => {
  const wanted = parsePlatform('linux/arm/v7');
  const rank = (text: string): number => platformRank(wanted, parsePlatform(text));
  assert.ok(rank('linux/arm/v7') > rank('linux/arm/v6'));
  assert.ok(rank('linux/arm/v6') > rank('linux/arm/v5'));
  assert.equal(rank('linux/arm/v8'), 0);
  assert.equal(rank('linux/arm64'), 0);
  assert.ok(platformRank(parsePlatform('linux/amd64/v3'), parsePlatform('linux/amd64')) > 0);
  assert.equal(platformRank(parsePlatform('linux/amd64'), parsePlatform('linux/amd64/v3')), 0);
});

test('parsePlatform: the system may have a version; mistakes are told in the words of Docker', () => {
  assert.deepEqual(parsePlatform('windows(10.0.17763+win32k)/amd64'), {
    os: 'windows',
    architecture: 'amd64',
    variant: '',
    osVersion: '10.0.17763',
  });
  assert.throws(() => parsePlatform('a.b/x'), {
    message:
      '"a.b" is an invalid OS component of "a.b/x": OSAndVersion specifier component must match "^([A-Za-z0-9_-]+)(?:\\\\(([A-Za-z0-9_.%-]*)((?:\\\\+[A-Za-z0-9_.%-]+)*)\\\\))?$": invalid argument',
  });
  assert.throws(() => parsePlatform('linux/{}'), {
    message:
      '"{}" is an invalid component of "linux/{}": platform specifier component must match "^[A-Za-z0-9_.-]+$": invalid argument',
  });
});
