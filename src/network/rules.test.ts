import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { addPorts, type BridgeRules, isLinkName, type PortRules, removePorts, wholeTable } from './rules.ts';

const skiff0: BridgeRules = {
  name: 'skiff0',
  subnet: '172.17.0.0/16',
  masquerade: true,
  internal: false,
  icc: true,
};
const ports: readonly PortRules[] = [
  { protocol: 'tcp', hostIp: '0.0.0.0', hostPort: 8080, containerIp: '172.17.0.2', containerPort: 80 },
  { protocol: 'udp', hostIp: '10.0.0.1', hostPort: 53, containerIp: '172.17.0.3', containerPort: 5353 },
];

function golden(name: string): string {
  return readFileSync(join(import.meta.dirname, 'testdata', name), 'utf8');
}

test('wholeTable: nothing but the default bridge', () => {
  assert.equal(wholeTable({ bridges: [skiff0], ports: [], guard: false }), golden('default.nft'));
});

test('wholeTable: ports, a guard, networks that are internal, without masquerade, without icc', () => {
  const bridges = [
    skiff0,
    { ...skiff0, name: 'inner', subnet: '10.1.0.0/24', internal: true },
    { ...skiff0, name: 'routed', subnet: '10.2.0.0/24', masquerade: false, icc: false },
  ];
  assert.equal(wholeTable({ bridges, ports, guard: true }), golden('full.nft'));
});

test('addPorts: ports on every address and on one go into their own maps', () => {
  assert.equal(
    addPorts(ports),
    'add element ip skiff ports { tcp . 8080 : 172.17.0.2 . 80 }\n' +
      'add element ip skiff ports_at { 10.0.0.1 . udp . 53 : 172.17.0.3 . 5353 }\n',
  );
  assert.equal(addPorts([]), '');
});

test('removePorts: names the same elements by their keys', () => {
  assert.equal(
    removePorts(ports),
    'delete element ip skiff ports { tcp . 8080 }\ndelete element ip skiff ports_at { 10.0.0.1 . udp . 53 }\n',
  );
});

test('isLinkName: nothing that could end a quoted word or is too long for the kernel', () => {
  for (const name of ['skiff0', 'br-0123456789ab', 'a.b']) assert.ok(isLinkName(name), name);
  for (const name of [
    '',
    '.',
    '..',
    'all',
    'default',
    'a b',
    'a"b',
    'a/b',
    'sixteencharacter',
    'a\n',
    'a:1',
  ]) {
    assert.ok(!isLinkName(name), JSON.stringify(name));
  }
});
