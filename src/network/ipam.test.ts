import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  containsAddress,
  containsSubnet,
  lastAddress,
  overlaps,
  parseCidr,
  type Subnet,
  subnetOf,
} from './address.ts';
import { type AddressRange, defaultPools, isUsable, nextAddress, pickSubnet } from './ipam.ts';

function block(text: string): Subnet {
  const cidr = parseCidr(text);
  assert.ok(cidr);
  return cidr.subnet;
}

const smallPool: fc.Arbitrary<AddressRange> = fc
  .record({
    base: fc.integer({ min: 0, max: 0xffffffff }),
    prefix: fc.integer({ min: 24, max: 32 }),
    narrower: fc.option(fc.integer({ min: 0, max: 4 }), { nil: undefined }),
    reserved: fc.array(fc.integer({ min: 0, max: 255 }), { maxLength: 4 }),
  })
  .map(({ base, prefix, narrower, reserved }) => {
    const subnet = subnetOf(base, prefix);
    return {
      subnet,
      ...(narrower !== undefined && { range: subnetOf(subnet.base, Math.min(32, prefix + narrower)) }),
      reserved: new Set(reserved.map((offset) => subnet.base + offset)),
    };
  });

test('nextAddress: hands out every usable address of the range once, then none', () => {
  fc.assert(
    fc.property(smallPool, (pool) => {
      const taken = new Set<number>();
      let cursor: number | undefined;
      for (;;) {
        const next = nextAddress(pool, cursor, (address) => taken.has(address));
        if (next === undefined) break;
        assert.ok(
          isUsable(pool, next) && containsAddress(pool.range ?? pool.subnet, next) && !taken.has(next),
        );
        taken.add(next);
        cursor = next;
      }
      const range = pool.range ?? pool.subnet;
      let usable = 0;
      for (let a = range.base; a <= lastAddress(range); a++) if (isUsable(pool, a)) usable += 1;
      assert.equal(taken.size, usable);
    }),
  );
});

test('nextAddress: a released address comes back only after all others', () => {
  const pool: AddressRange = { subnet: block('10.0.0.0/29'), reserved: new Set([0x0a000001]) };
  const taken = new Set<number>();
  const given: number[] = [];
  let cursor: number | undefined;
  for (let i = 0; i < 11; i++) {
    cursor = nextAddress(pool, cursor, (address) => taken.has(address));
    assert.ok(cursor);
    given.push(cursor & 255);
  }
  assert.deepEqual(given, [2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 2]);
});

test('nextAddress: a cursor outside the range starts it anew', () => {
  const pool: AddressRange = {
    subnet: block('10.0.0.0/24'),
    range: block('10.0.0.128/25'),
    reserved: new Set(),
  };
  assert.equal(
    nextAddress(pool, 0x0a000005, () => false),
    0x0a000080,
  );
  assert.equal(
    nextAddress(pool, 0x0a0000fe, () => false),
    0x0a000080,
  );
});

test('isUsable: a /31 has two addresses, a /30 only the inner two', () => {
  const usable = (text: string): number => {
    const subnet = block(text);
    let count = 0;
    for (let a = subnet.base; a <= lastAddress(subnet); a++) {
      if (isUsable({ subnet, reserved: new Set() }, a)) count += 1;
    }
    return count;
  };
  assert.deepEqual(['10.0.0.0/30', '10.0.0.0/31', '10.0.0.0/32'].map(usable), [2, 2, 1]);
});

test('pickSubnet: never overlaps what is taken, stays in its pool, and fails only if nothing fits', () => {
  const arbitrary = fc
    .tuple(fc.integer({ min: 0, max: 0xffffffff }), fc.integer({ min: 20, max: 28 }))
    .map(([a, prefix]) => subnetOf(a % 4096, prefix));
  fc.assert(
    fc.property(fc.array(arbitrary, { maxLength: 20 }), fc.integer({ min: 22, max: 26 }), (taken, size) => {
      const pool = { base: { base: 0, prefix: 21 }, size };
      const picked = pickSubnet([pool], taken);
      const all = Array.from(
        { length: 2 ** (size - 21) },
        (_, i): Subnet => ({
          base: i * 2 ** (32 - size),
          prefix: size,
        }),
      );
      assert.deepEqual(
        picked,
        all.find((candidate) => !taken.some((other) => overlaps(other, candidate))),
      );
    }),
  );
});

test('pickSubnet: a pool that is smaller than its subnets gives none', () => {
  assert.equal(pickSubnet([{ base: block('10.0.0.0/24'), size: 16 }], []), undefined);
});

test('defaultPools: are apart from each other, begin with 172.17.0.0/16 and are private addresses', () => {
  const priv = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16'].map(block);
  for (const [i, { base }] of defaultPools.entries()) {
    assert.ok(priv.some((area) => containsSubnet(area, base)));
    for (const other of defaultPools.slice(i + 1)) assert.ok(!overlaps(base, other.base));
  }
  assert.deepEqual(pickSubnet(defaultPools, []), block('172.17.0.0/16'));
  assert.deepEqual(pickSubnet(defaultPools, [block('172.16.0.0/14')]), block('172.20.0.0/20'));
});
