import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type ErrorKind, isKind } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import { formatIpv4, formatSubnet, parseCidr, type Subnet } from './address.ts';
import { defaultPools } from './ipam.ts';
import type { NetworkSpec, PoolSpec } from './model.ts';
import { addressRange, planNetwork, type Surroundings } from './network-plan.ts';

function spec(more: Partial<NetworkSpec>): NetworkSpec {
  return {
    name: 'n',
    driver: '',
    internal: false,
    attachable: false,
    enableIpv6: false,
    labels: {},
    options: {},
    ipam: { driver: '', options: null, pools: [] },
    ...more,
  };
}

function withPools(...pools: PoolSpec[]): NetworkSpec {
  return spec({ ipam: { driver: '', options: null, pools } });
}

function around(...networks: string[]): Surroundings {
  const subnets = networks.map((text) => parseCidr(text)?.subnet as Subnet);
  return { id: newId(), created: 'now', networks: subnets, routes: [], pools: defaultPools };
}

function refused(request: NetworkSpec, kind: ErrorKind, message: string): void {
  assert.throws(
    () => planNetwork(request, around('172.17.0.0/16')),
    (error) => {
      assert.ok(isKind(error, kind), String(error));
      assert.equal(error.message, message);
      return true;
    },
  );
}

test('planNetwork: picks a subnet that nobody uses, and its first address as gateway', () => {
  const plan = planNetwork(spec({}), {
    ...around('172.17.0.0/16'),
    routes: [parseCidr('172.18.0.0/20')?.subnet as Subnet],
  });
  assert.ok(plan.bridge);
  assert.equal(formatSubnet(plan.bridge.subnet), '172.18.16.0/20');
  assert.deepEqual(plan.config.ipam.pools, [{ subnet: '172.18.16.0/20', gateway: '172.18.16.1' }]);
  assert.equal(plan.bridge.link, `skb${plan.id.slice(0, 12)}`);
  assert.equal(plan.config.subnetChosen, false);
});

test('planNetwork: takes a chosen pool as it is, reserving what is in use', () => {
  const pool: PoolSpec = {
    subnet: '10.77.0.0/24',
    range: '10.77.0.128/25',
    auxiliary: { router: '10.77.0.128', printer: '10.77.0.9' },
  };
  const plan = planNetwork(withPools(pool), around());
  assert.deepEqual(plan.config.ipam.pools, [pool]);
  assert.ok(plan.config.subnetChosen);
  assert.equal(formatIpv4(plan.bridge?.gateway ?? 0), '10.77.0.129');
  const range = addressRange(plan);
  assert.deepEqual([...(range?.reserved ?? [])].map(formatIpv4), ['10.77.0.128', '10.77.0.9', '10.77.0.129']);
  assert.equal(formatSubnet(range?.range as Subnet), '10.77.0.128/25');
});

test('planNetwork: reports what is wrong with a pool in the words of Docker', () => {
  const one = (pool: PoolSpec, problem: string): void =>
    refused(withPools(pool), 'invalid', `invalid network config:\n${problem}`);
  one({ subnet: 'bad' }, 'invalid subnet bad: invalid CIDR block notation');
  one({ gateway: '10.0.0.1' }, 'invalid subnet : invalid CIDR block notation');
  one({ subnet: '10.77.0.5/24' }, 'invalid subnet 10.77.0.5/24: it should be 10.77.0.0/24');
  one(
    { subnet: '10.77.0.0/24', gateway: '10.78.0.1' },
    "invalid gateway 10.78.0.1: parent subnet 10.77.0.0/24 doesn't contain this address",
  );
  one(
    { subnet: '10.77.0.0/24', range: '10.78.0.0/25' },
    "invalid ip-range 10.78.0.0/25: parent subnet 10.77.0.0/24 doesn't contain ip-range",
  );
  refused(
    withPools({ subnet: '10.81.0.0/24', auxiliary: { r: '10.79.0.1' } }, { subnet: 'x' }),
    'invalid',
    "invalid network config:\n* invalid auxiliary address r: parent subnet 10.81.0.0/24 doesn't contain this address\n* invalid subnet x: invalid CIDR block notation",
  );
});

test('planNetwork: refuses what contradicts other networks or itself', () => {
  refused(
    withPools({ subnet: '172.17.0.0/24' }),
    'forbidden',
    'invalid pool request: Pool overlaps with other one on this address space',
  );
  refused(
    withPools({ subnet: '10.1.0.0/24' }, { subnet: '10.2.0.0/24' }),
    'forbidden',
    "bridge driver doesn't support multiple subnets",
  );
  refused(
    withPools({ subnet: '10.1.0.0/24', gateway: '10.1.0.0' }),
    'conflict',
    'failed to allocate gateway (10.1.0.0): Address already in use',
  );
});

test('planNetwork: refuses names and drivers by what is wrong with them', () => {
  refused(spec({ name: ' ' }), 'invalid', 'invalid name: name is empty');
  refused(spec({ name: 'host' }), 'forbidden', 'operation is not permitted on predefined host network ');
  refused(spec({ driver: 'host' }), 'forbidden', 'only one instance of "host" network is allowed');
  refused(spec({ driver: 'weird' }), 'notFound', 'plugin "weird" not found');
  refused(spec({ driver: 'macvlan' }), 'notImplemented', 'network driver "macvlan" is not supported yet');
  refused(spec({ enableIpv6: true }), 'notImplemented', 'IPv6 networks are not supported yet');
});
