import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isKind } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import { formatIpv4, parseIpv4 } from './address.ts';
import {
  checkWishes,
  chooseAddress,
  freeInterface,
  gatewayPlace,
  macOf,
  type Place,
} from './endpoint-plan.ts';
import { defaultPools } from './ipam.ts';
import type { EndpointRecord, NetworkRecord, PoolSpec } from './model.ts';
import { planNetwork } from './network-plan.ts';

function network(name: string, pools: PoolSpec[] = [], more: { internal?: boolean } = {}): NetworkRecord {
  const ipam = { driver: '', options: null, pools };
  const flags = { internal: more.internal ?? false, attachable: false, enableIpv6: false };
  return planNetwork(
    { name, driver: '', labels: {}, options: {}, ipam, ...flags },
    { id: newId(), created: 'now', networks: [], routes: [], pools: defaultPools },
  );
}

function endpoint(name: string, gatewayPriority = 0): EndpointRecord {
  const ids = { id: newId(), networkId: newId(), containerId: newId() };
  const config = { aliases: [], gatewayPriority };
  return { ...ids, address: 1, mac: '', interface: name, config, ports: [] };
}

const free = { cursor: undefined, isTaken: () => false };
const chosen = network('mine', [
  { subnet: '10.7.0.0/24', range: '10.7.0.128/25', auxiliary: { a: '10.7.0.130' } },
]);

function refused(fn: () => unknown, message: string): void {
  assert.throws(fn, (error) => {
    assert.ok(isKind(error, 'invalid'));
    assert.equal(error.message, message);
    return true;
  });
}

test('checkWishes: addresses and aliases only where they make sense, in the words of Docker', () => {
  checkWishes(chosen, { ip: '10.7.0.9', mac: '02:42:ac:11:00:02', aliases: ['db'] });
  const standard = { ...network('x'), name: 'bridge' };
  refused(
    () => checkWishes(standard, { ip: '172.17.0.9' }),
    'invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* user specified IP address is supported only when connecting to networks with user configured subnets',
  );
  refused(
    () => checkWishes(standard, { aliases: ['x'] }),
    'invalid endpoint settings:\nnetwork-scoped alias is supported only for containers in user defined networks',
  );
  refused(
    () => checkWishes(chosen, { ip: '10.99.0.1' }),
    'invalid endpoint settings:\nno configured subnet or ip-range contain the IP address 10.99.0.1',
  );
});

test('checkWishes: a MAC address must be one of a single device', () => {
  for (const mac of [
    'zz',
    '03:00:00:00:00:01',
    '00:00:00:00:00:00',
    '02-42-ac-11-00-02',
    'ff:ff:ff:ff:ff:ff',
  ]) {
    refused(() => checkWishes(chosen, { mac }), `invalid MAC address ${mac}`);
  }
});

test('chooseAddress: the next of the range, past gateway and auxiliary addresses', () => {
  assert.equal(formatIpv4(chosen.bridge?.gateway ?? 0), '10.7.0.128');
  assert.equal(formatIpv4(chooseAddress(chosen, undefined, free)), '10.7.0.129');
  const cursor = parseIpv4('10.7.0.129');
  assert.equal(formatIpv4(chooseAddress(chosen, undefined, { ...free, cursor })), '10.7.0.131');
});

test('chooseAddress: one that was asked for may lie outside the range, but must be free', () => {
  assert.equal(formatIpv4(chooseAddress(chosen, '10.7.0.5', free)), '10.7.0.5');
  for (const ip of ['10.7.0.128', '10.7.0.0', '10.7.0.255']) {
    assert.throws(() => chooseAddress(chosen, ip, free), { message: 'Address already in use' }, ip);
  }
  assert.throws(() => chooseAddress(chosen, '10.7.0.5', { ...free, isTaken: () => true }), /already in use/);
});

test('chooseAddress: a full network says so', () => {
  assert.throws(
    () => chooseAddress(chosen, undefined, { ...free, isTaken: () => true }),
    (error) => isKind(error, 'unavailable') && error.message.includes('no available IPv4 addresses'),
  );
});

test('macOf: a local unicast address made from the four bytes', () => {
  assert.equal(macOf(parseIpv4('172.17.0.2') ?? 0), '02:42:ac:11:00:02');
});

test('freeInterface: fills the first gap', () => {
  assert.equal(freeInterface('eth', []), 'eth0');
  assert.equal(freeInterface('eth', [endpoint('eth0'), endpoint('eth2'), endpoint('net1')]), 'eth1');
});

test('gatewayPlace: by priority, then by name, never an internal network', () => {
  const place = (name: string, priority = 0, internal = false): Place => ({
    endpoint: endpoint(name, priority),
    network: network(name, [], { internal }),
  });
  const nameOf = (places: Place[]): string | undefined => gatewayPlace(places)?.network.name;
  assert.equal(nameOf([]), undefined);
  assert.equal(nameOf([place('b'), place('a')]), 'a');
  assert.equal(nameOf([place('a'), place('b', 1)]), 'b');
  assert.equal(nameOf([place('a', 9, true), place('b')]), 'b');
  assert.equal(nameOf([place('a', 0, true)]), undefined);
});
