import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newId } from '#/base/ids.ts';
import { Database } from '#/state/db.ts';
import type { EndpointRecord, NetworkRecord } from './model.ts';
import { NetworkStore } from './store.ts';

const config = {
  internal: false,
  attachable: false,
  subnetChosen: false,
  labels: {},
  options: {},
  ipam: { driver: '', options: null, pools: [] },
};

function bridge(name: string, link: string): NetworkRecord {
  const subnet = { base: 0xffff0000, prefix: 16 };
  return {
    id: newId(),
    name,
    driver: 'bridge',
    created: 'now',
    bridge: { link, subnet, gateway: 0xffff0001 },
    config,
  };
}

function endpoint(networkId: string, more: Partial<EndpointRecord> = {}): EndpointRecord {
  return {
    id: newId(),
    networkId,
    containerId: newId(),
    address: undefined,
    mac: undefined,
    interface: undefined,
    config: { aliases: ['a'], gatewayPriority: 0 },
    ports: [],
    ...more,
  };
}

test('NetworkStore: gives back what was put in, by id and by name', () => {
  using db = new Database(':memory:');
  const store = new NetworkStore(db);
  const host: NetworkRecord = { ...bridge('host', ''), driver: 'host', bridge: undefined };
  const records = [bridge('bridge', 'skiff0'), host];
  for (const record of records) store.insertNetwork(record);
  assert.deepEqual(store.networks(), records);
  assert.deepEqual(store.networkById(host.id), host);
  assert.deepEqual(store.networkByName('bridge'), records[0]);
  assert.equal(store.networkByName('nope'), undefined);
});

test('NetworkStore: an endpoint comes back with its ports, and takes them along', () => {
  using db = new Database(':memory:');
  const store = new NetworkStore(db);
  const network = bridge('bridge', 'skiff0');
  store.insertNetwork(network);
  const port = { protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: 8080 } as const;
  const record = endpoint(network.id, {
    address: 0xffff0002,
    mac: '02:42:00:00:00:01',
    interface: 'eth0',
    ports: [port],
  });
  store.insertEndpoint(record);
  assert.deepEqual(store.endpoint(network.id, record.containerId), record);
  assert.ok(store.isAddressTaken(network.id, 0xffff0002));
  assert.deepEqual(store.portInConflict('tcp', '127.0.0.1', 8080), port);
  store.deleteEndpoint(record.id);
  assert.equal(store.portInConflict('tcp', '127.0.0.1', 8080), undefined);
  assert.deepEqual(store.endpoints(), []);
});

test('NetworkStore: ports conflict on the same address, or if one of them is on all', () => {
  using db = new Database(':memory:');
  const store = new NetworkStore(db);
  const network = bridge('bridge', 'skiff0');
  store.insertNetwork(network);
  const ports = [{ protocol: 'tcp', containerPort: 80, hostIp: '127.0.0.1', hostPort: 80 }] as const;
  store.insertEndpoint(endpoint(network.id, { ports }));
  assert.ok(store.portInConflict('tcp', '127.0.0.1', 80));
  assert.ok(store.portInConflict('tcp', '0.0.0.0', 80));
  assert.equal(store.portInConflict('tcp', '127.0.0.2', 80), undefined);
  assert.equal(store.portInConflict('udp', '127.0.0.1', 80), undefined);
});

test('NetworkStore: the schema keeps what must be unique', () => {
  using db = new Database(':memory:');
  const store = new NetworkStore(db);
  const network = bridge('a', 'br0');
  store.insertNetwork(network);
  assert.throws(() => store.insertNetwork(bridge('a', 'br1')), /UNIQUE.*network\.name/);
  assert.throws(() => store.insertNetwork(bridge('b', 'br0')), /UNIQUE.*network\.bridge/);
  store.insertEndpoint(endpoint(network.id, { address: 7 }));
  assert.throws(
    () => store.insertEndpoint(endpoint(network.id, { address: 7 })),
    /UNIQUE.*endpoint\.address/,
  );
  assert.throws(() => store.deleteNetwork(network.id), /FOREIGN KEY/);
});

test('NetworkStore: the cursor and the boot of forwarding are replaced', () => {
  using db = new Database(':memory:');
  const store = new NetworkStore(db);
  const network = bridge('a', 'br0');
  store.insertNetwork(network);
  assert.equal(store.cursor(network.id), undefined);
  for (const last of [5, 0xffffffff]) store.setCursor(network.id, last);
  assert.equal(store.cursor(network.id), 0xffffffff);
  assert.equal(store.forwardingBoot(), undefined);
  for (const boot of ['one', 'two']) store.setForwardingBoot(boot);
  assert.equal(store.forwardingBoot(), 'two');
});
