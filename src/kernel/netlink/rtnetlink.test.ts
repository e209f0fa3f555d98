import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, afterEach, beforeEach, test } from 'node:test';
import { isSystemError } from '#/base/errors.ts';
import { createNetns, inNetns, removeNetns } from '../namespaces.ts';
import type { Link } from './link.ts';
import { Rtnetlink } from './rtnetlink.ts';

const dir = mkdtempSync('/run/rtnetlink-test-');
const [here, there] = [join(dir, 'here'), join(dir, 'there')];
after(() => rmSync(dir, { recursive: true }));

let rt: Rtnetlink;
let peer: Rtnetlink;

beforeEach(() => {
  createNetns(here);
  createNetns(there);
  rt = inNetns(here, () => Rtnetlink.open());
  peer = inNetns(there, () => Rtnetlink.open());
});

afterEach(() => {
  rt[Symbol.dispose]();
  peer[Symbol.dispose]();
  removeNetns(here);
  removeNetns(there);
});

function linkOf(netlink: Rtnetlink, name: string): Link {
  const link = netlink.linkByName(name);
  assert.ok(link, `no link ${name}`);
  return link;
}

test('Rtnetlink.links: a fresh namespace has a loopback device, down', () => {
  const [lo, ...others] = rt.links();
  assert.deepEqual(others, []);
  assert.deepEqual(
    { name: lo?.name, index: lo?.index, kind: lo?.kind, up: lo?.up, mtu: lo?.mtu, mac: lo?.mac },
    { name: 'lo', index: 1, kind: undefined, up: false, mtu: 65536, mac: '00:00:00:00:00:00' },
  );
});

test('Rtnetlink.addBridge: makes a bridge with a MAC address and an MTU', () => {
  const index = rt.addBridge({ name: 'br0', mac: '02:42:00:00:00:01', mtu: 1400 });
  const bridge = linkOf(rt, 'br0');
  assert.deepEqual(rt.linkByIndex(index), bridge);
  assert.deepEqual(
    { kind: bridge.kind, mac: bridge.mac, mtu: bridge.mtu, up: bridge.up },
    { kind: 'bridge', mac: '02:42:00:00:00:01', mtu: 1400, up: false },
  );
  rt.setLink(index, { up: true });
  assert.equal(linkOf(rt, 'br0').up, true);
  assert.throws(() => rt.addBridge({ name: 'br0' }), { code: 'EEXIST', syscall: 'netlink' });
});

test('Rtnetlink.addVeth: makes both ends, the peer directly in the other namespace', () => {
  const bridge = rt.addBridge({ name: 'br0' });
  rt.setLink(bridge, { up: true });
  const index = rt.addVeth({
    name: 'vethabc',
    peer: 'eth0',
    peerNetnsPath: there,
    mtu: 1450,
    mac: '02:42:00:00:00:02',
    peerMac: '02:42:ac:11:00:02',
    master: bridge,
    up: true,
  });
  peer.setLink(linkOf(peer, 'eth0').index, { up: true });
  const [near, far] = [linkOf(rt, 'vethabc'), linkOf(peer, 'eth0')];
  assert.equal(near.index, index);
  assert.deepEqual(
    {
      kind: near.kind,
      mac: near.mac,
      mtu: near.mtu,
      master: near.master,
      up: near.up,
      running: near.running,
    },
    { kind: 'veth', mac: '02:42:00:00:00:02', mtu: 1450, master: bridge, up: true, running: true },
  );
  assert.deepEqual(
    { kind: far.kind, mac: far.mac, mtu: far.mtu, up: far.up },
    { kind: 'veth', mac: '02:42:ac:11:00:02', mtu: 1450, up: true },
  );
  assert.equal(near.parent, far.index);
  assert.equal(typeof near.parentNetns, 'number');
  assert.equal(rt.linkByName('eth0'), undefined);
  rt.deleteLink(index);
  assert.equal(peer.linkByName('eth0'), undefined);
});

test('Rtnetlink.addVeth: without a namespace both ends are here; a failure leaves neither', () => {
  rt.addVeth({ name: 'a', peer: 'b' });
  assert.equal(linkOf(rt, 'a').parent, linkOf(rt, 'b').index);
  assert.throws(() => rt.addVeth({ name: 'c', peer: 'b' }), { code: 'EEXIST' });
  assert.equal(rt.linkByName('c'), undefined);
  assert.throws(() => rt.addVeth({ name: 'c', peer: 'd', peerNetnsPath: join(dir, 'none') }), {
    code: 'ENOENT',
  });
});

test('Rtnetlink.setLink: renames, moves to another namespace, joins and leaves a bridge', () => {
  const bridge = rt.addBridge({ name: 'br0' });
  const index = rt.addVeth({ name: 'a', peer: 'b' });
  rt.setLink(index, {
    name: 'renamed',
    mtu: 1300,
    mac: '02:00:00:00:00:07',
    master: bridge,
    alias: 'container 7',
  });
  const renamed = linkOf(rt, 'renamed');
  assert.deepEqual(
    { mtu: renamed.mtu, mac: renamed.mac, master: renamed.master, alias: renamed.alias },
    { mtu: 1300, mac: '02:00:00:00:00:07', master: bridge, alias: 'container 7' },
  );
  rt.setLink(index, { master: 0 });
  assert.equal(linkOf(rt, 'renamed').master, undefined);
  const fd = openSync(there, 'r');
  rt.setLink(index, { netnsFd: fd, name: 'eth7' });
  closeSync(fd);
  assert.equal(rt.linkByName('renamed'), undefined);
  assert.equal(linkOf(peer, 'eth7').mtu, 1300);
});

test('Rtnetlink.setBridgePort: sets hairpin and isolation', () => {
  const bridge = rt.addBridge({ name: 'br0' });
  const port = rt.addVeth({ name: 'port', peer: 'eth0', peerNetnsPath: there, master: bridge });
  rt.setBridgePort(port, { hairpin: true, isolated: true, learning: false, flood: false });
  assert.deepEqual(linkOf(rt, 'port').bridgePort, {
    hairpin: true,
    isolated: true,
    learning: false,
    flood: false,
  });
  rt.setBridgePort(port, { hairpin: false });
  assert.deepEqual(linkOf(rt, 'port').bridgePort, {
    hairpin: false,
    isolated: true,
    learning: false,
    flood: false,
  });
  assert.equal(linkOf(rt, 'br0').bridgePort, undefined);
  assert.throws(() => rt.setBridgePort(bridge, { hairpin: true }), { code: 'ENOTSUP' });
});

test('Rtnetlink addresses: adds, lists and deletes, both families usable at once', () => {
  const index = rt.addBridge({ name: 'br0' });
  rt.setLink(index, { up: true });
  rt.addAddress(index, '172.30.0.1/16');
  rt.addAddress(index, 'fd00:1::1/64');
  const global = (): string[] =>
    rt
      .addresses(index)
      .filter(({ scope }) => scope === 0)
      .map(({ address }) => address);
  assert.deepEqual(global(), ['172.30.0.1/16', 'fd00:1::1/64']);
  assert.ok(rt.addresses().every(({ link }) => link === index));
  assert.throws(() => rt.addAddress(index, '172.30.0.1/16'), {
    code: 'EEXIST',
    path: `add address 172.30.0.1/16 to link ${index}`,
  });
  rt.deleteAddress(index, '172.30.0.1/16');
  assert.deepEqual(global(), ['fd00:1::1/64']);
  assert.throws(() => rt.deleteAddress(index, '172.30.0.1/16'), { code: 'EADDRNOTAVAIL' });
});

test('Rtnetlink routes: default, to a network, replaced, deleted', () => {
  const index = rt.addVeth({ name: 'eth0', peer: 'x', peerNetnsPath: there, up: true });
  peer.setLink(linkOf(peer, 'x').index, { up: true });
  rt.addAddress(index, '10.9.0.2/24');
  rt.addAddress(index, 'fd00:9::2/64');
  rt.addRoute({ gateway: '10.9.0.1' });
  rt.addRoute({ gateway: 'fd00:9::1' });
  rt.addRoute({ dst: '10.10.0.0/16', device: index, source: '10.9.0.2', metric: 7 });
  const found = rt.routes().filter(({ dst }) => !dst.startsWith('fe80:'));
  assert.deepEqual(found, [
    { family: 'ipv4', dst: '0.0.0.0/0', gateway: '10.9.0.1', device: index, source: undefined, metric: 0 },
    { family: 'ipv4', dst: '10.9.0.0/24', gateway: undefined, device: index, source: '10.9.0.2', metric: 0 },
    { family: 'ipv4', dst: '10.10.0.0/16', gateway: undefined, device: index, source: '10.9.0.2', metric: 7 },
    { family: 'ipv6', dst: 'fd00:9::/64', gateway: undefined, device: index, source: undefined, metric: 256 },
    { family: 'ipv6', dst: '::/0', gateway: 'fd00:9::1', device: index, source: undefined, metric: 1024 },
  ]);
  assert.throws(() => rt.addRoute({ gateway: '10.9.0.1' }), {
    code: 'EEXIST',
    path: 'add route default via 10.9.0.1',
  });
  rt.replaceRoute({ gateway: '10.9.0.9' });
  assert.equal(rt.routes().find(({ dst }) => dst === '0.0.0.0/0')?.gateway, '10.9.0.9');
  rt.deleteRoute({ gateway: '10.9.0.9' });
  assert.throws(() => rt.deleteRoute({ gateway: '10.9.0.9' }), { code: 'ESRCH' });
  assert.throws(
    () => rt.addRoute({ gateway: '192.0.2.1' }),
    (error) => isSystemError(error, 'ENETUNREACH') && error.message.includes('Nexthop has invalid gateway'),
  );
});

test('Rtnetlink neighbours: adds, replaces and deletes', () => {
  const device = rt.addVeth({ name: 'eth0', peer: 'x', peerNetnsPath: there, up: true });
  peer.setLink(linkOf(peer, 'x').index, { up: true });
  rt.addAddress(device, '10.9.0.2/24');
  rt.addNeighbour({ device, ip: '10.9.0.1', mac: '02:00:00:00:00:01' });
  rt.addNeighbour({ device, ip: '10.9.0.1', mac: '02:00:00:00:00:02' });
  rt.addNeighbour({ device, ip: 'fd00::1', mac: '02:00:00:00:00:03' });
  const permanent = rt.neighbours().filter(({ mac }) => mac.startsWith('02:00:00:00:00:'));
  assert.deepEqual(
    permanent.toSorted((a, b) => a.ip.localeCompare(b.ip)),
    [
      { device, ip: '10.9.0.1', mac: '02:00:00:00:00:02' },
      { device, ip: 'fd00::1', mac: '02:00:00:00:00:03' },
    ],
  );
  rt.deleteNeighbour({ device, ip: '10.9.0.1', mac: '02:00:00:00:00:02' });
  assert.throws(() => rt.deleteNeighbour({ device, ip: '10.9.0.1', mac: '02:00:00:00:00:02' }), {
    code: 'ENOENT',
  });
});

test('Rtnetlink.addLink: other kinds, standing on a device', () => {
  const parent = rt.addVeth({ name: 'eth0', peer: 'x', peerNetnsPath: there });
  const fd = openSync(there, 'r');
  assert.equal(rt.addLink({ name: 'mac0', kind: 'macvlan', parent, netnsFd: fd }), 0);
  closeSync(fd);
  assert.deepEqual(
    { kind: linkOf(peer, 'mac0').kind, parent: linkOf(peer, 'mac0').parent },
    { kind: 'macvlan', parent },
  );
  assert.throws(() => rt.addLink({ name: 'n', kind: 'nonesuch' }), { code: 'ENOTSUP' });
});

test('Rtnetlink: lists longer than one datagram', () => {
  const index = rt.addBridge({ name: 'br0' });
  rt.setLink(index, { up: true });
  for (let n = 0; n < 60; n++) rt.addBridge({ name: `bulk${n}` });
  for (let n = 0; n < 1000; n++) rt.addAddress(index, `10.${n >> 8}.${n & 255}.1/32`);
  assert.equal(rt.links().length, 62);
  assert.equal(rt.addresses().filter(({ family }) => family === 'ipv4').length, 1000);
});

test('Rtnetlink: refuses malformed input before the kernel sees it', () => {
  for (const name of ['', 'a b', 'a/b', '.', '..', 'x'.repeat(16), 'eth%d', 'a:b', 'a\0b']) {
    assert.throws(() => rt.addBridge({ name }), { kind: 'invalid' }, JSON.stringify(name));
  }
  assert.throws(() => rt.addBridge({ name: 'br0', mac: '02:42' }), { kind: 'invalid' });
  for (const cidr of ['10.0.0.1/33', '10.0.0.1/', '10.0.0/8', 'fd00::1/129', '10.0.0.1/8/8', '10.0.0.1/-1']) {
    assert.throws(() => rt.addAddress(1, cidr), { kind: 'invalid' }, cidr);
  }
  assert.throws(() => rt.setLink(9999, { up: true }), { code: 'ENODEV' });
  assert.throws(() => rt.deleteLink(9999), { code: 'ENODEV' });
  assert.equal(rt.linkByIndex(9999), undefined);
});

test('Rtnetlink: closed, it says so, and no descriptor stays open', () => {
  const before = readdirSync('/proc/self/fd').length;
  for (let round = 0; round < 10; round++) {
    using one = Rtnetlink.open();
    one.links();
    assert.throws(() => one.addVeth({ name: 'a', peer: 'a b', peerNetnsPath: there }), { kind: 'invalid' });
  }
  assert.equal(readdirSync('/proc/self/fd').length, before);
  const closed = Rtnetlink.open();
  closed[Symbol.dispose]();
  closed[Symbol.dispose]();
  assert.throws(() => closed.links(), { code: 'EBADF' });
});
