import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  containsAddress,
  containsSubnet,
  formatIpv4,
  formatSubnet,
  lastAddress,
  overlaps,
  parseCidr,
  parseIpv4,
  type Subnet,
  subnetOf,
} from './address.ts';

const address = fc.integer({ min: 0, max: 0xffffffff });
const subnet = fc.tuple(address, fc.integer({ min: 0, max: 32 })).map(([a, prefix]) => subnetOf(a, prefix));

test('parseIpv4: reads back what formatIpv4 writes', () => {
  fc.assert(fc.property(address, (value) => assert.equal(parseIpv4(formatIpv4(value)), value)));
});

test('parseIpv4: refuses what is not four plain numbers', () => {
  for (const text of [
    '',
    '1.2.3',
    '1.2.3.4.5',
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.0x4',
    ' 1.2.3.4',
    '1.2.3.4\n',
    '::1',
  ]) {
    assert.equal(parseIpv4(text), undefined, JSON.stringify(text));
  }
});

test('parseCidr: reads back what formatSubnet writes and keeps the address as written', () => {
  fc.assert(fc.property(subnet, (value) => assert.deepEqual(parseCidr(formatSubnet(value))?.subnet, value)));
  assert.deepEqual(parseCidr('10.77.0.5/24'), {
    address: 0x0a4d0005,
    subnet: { base: 0x0a4d0000, prefix: 24 },
  });
});

test('parseCidr: refuses what is not an address and a prefix length', () => {
  for (const text of [
    '10.0.0.0',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '/8',
    '10.0.0/8',
    '10.0.0.0/8/8',
  ]) {
    assert.equal(parseCidr(text), undefined, text);
  }
});

test('overlaps: agrees with the definition by containment', () => {
  // Two aligned blocks overlap exactly if one contains the other.
  fc.assert(
    fc.property(subnet, subnet, (a: Subnet, b: Subnet) =>
      assert.equal(overlaps(a, b), containsSubnet(a, b) || containsSubnet(b, a)),
    ),
  );
});

test('subnetOf: contains the address and is aligned', () => {
  fc.assert(
    fc.property(address, fc.integer({ min: 0, max: 32 }), (value, prefix) => {
      const block = subnetOf(value, prefix);
      assert.ok(containsAddress(block, value));
      assert.equal(block.base % 2 ** (32 - prefix), 0);
      assert.equal(lastAddress(block) - block.base + 1, 2 ** (32 - prefix));
    }),
  );
});
