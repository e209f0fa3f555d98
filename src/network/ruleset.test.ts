import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { type TableContents, wholeTable } from './rules.ts';
import { censusOf, expectedCensus, foreignDrops } from './ruleset.ts';

const bridge = { name: 'skiff0', subnet: '172.17.0.0/16', masquerade: true, internal: false, icc: true };
const port = { protocol: 'tcp', containerIp: '172.17.0.2', containerPort: 80 } as const;
const contents: readonly TableContents[] = [
  { bridges: [], ports: [], guard: false },
  {
    bridges: [
      bridge,
      { ...bridge, name: 'br1', subnet: '172.18.0.0/16' },
      { ...bridge, name: 'br2', subnet: '10.0.0.0/24', internal: true },
    ],
    ports: [
      { ...port, hostIp: '0.0.0.0', hostPort: 80 },
      { ...port, hostIp: '0.0.0.0', hostPort: 81 },
      { ...port, hostIp: '10.0.0.1', hostPort: 80 },
    ],
    guard: true,
  },
];

function nft(commands: string): void {
  execFileSync('nft', ['-f', '-'], { input: commands });
}

function list(): unknown {
  return JSON.parse(execFileSync('nft', ['-j', 'list', 'table', 'ip', 'skiff'], { encoding: 'utf8' }));
}

test('censusOf: what the kernel lists is what expectedCensus tells', () => {
  for (const each of contents) {
    nft(wholeTable(each));
    const expected = expectedCensus(each);
    assert.ok(Object.keys(expected.rules).length > 5 && Object.keys(expected.elements).length > 5);
    assert.deepEqual(censusOf(list()), expected);
  }
});

test('censusOf: a flushed chain, set or table is seen', () => {
  const whole = contents[1] as TableContents;
  for (const harm of ['flush chain ip skiff inward', 'flush map ip skiff ports', 'flush table ip skiff']) {
    nft(wholeTable(whole));
    nft(harm);
    assert.notDeepEqual(censusOf(list()), expectedCensus(whole), harm);
  }
});

test('foreignDrops: names forward chains of others that drop by policy, and only those', () => {
  nft(`
    table ip theirs {
      chain a { type filter hook forward priority 0; policy drop; }
      chain b { type filter hook forward priority 0; policy accept; }
      chain c { type filter hook input priority 0; policy drop; }
    }`);
  const listing = JSON.parse(execFileSync('nft', ['-j', 'list', 'chains', 'ip'], { encoding: 'utf8' }));
  assert.deepEqual(foreignDrops(listing), ['table ip theirs, chain a']);
});
