import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { createNetns, inNetns, removeNetns } from '../namespaces.ts';
import { decodeAddress, RTM_NEWADDR } from './address.ts';
import { decodeLink, RTM_DELLINK, RTM_NEWLINK } from './link.ts';
import type { NetlinkMessage } from './message.ts';
import { Rtnetlink } from './rtnetlink.ts';
import { NETLINK_ROUTE } from './socket.ts';
import { RTNLGRP_IPV4_IFADDR, RTNLGRP_LINK, watchNetlink } from './watch.ts';

test('watchNetlink: tells of links and addresses of the namespace it was opened in', async () => {
  const dir = mkdtempSync('/run/netlink-watch-');
  const path = join(dir, 'ns');
  createNetns(path);
  const before = readdirSync('/proc/self/fd').length;
  const seen: NetlinkMessage[] = [];
  const { promise: deleted, resolve } = Promise.withResolvers<void>();
  const [rt, watch] = inNetns(path, () => [
    Rtnetlink.open(),
    watchNetlink({
      protocol: NETLINK_ROUTE,
      groups: [RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR],
      onOverflow: () => assert.fail('overflow'),
      onMessages: (messages) => {
        seen.push(...messages);
        if (messages.some(({ type }) => type === RTM_DELLINK)) resolve();
      },
    }),
  ]);
  // The watch alone would not keep the process alive.
  const alive = setInterval(() => {}, 1000);
  const index = rt.addBridge({ name: 'watched' });
  rt.addAddress(index, '10.1.2.3/24');
  rt.deleteLink(index);
  await deleted;
  clearInterval(alive);
  const links = seen.filter(({ type }) => type === RTM_NEWLINK).map((message) => decodeLink(message).name);
  assert.deepEqual([...new Set(links)], ['watched']);
  const addresses = seen
    .filter(({ type }) => type === RTM_NEWADDR)
    .map((message) => decodeAddress(message)?.address);
  assert.deepEqual(addresses, ['10.1.2.3/24']);
  watch[Symbol.dispose]();
  watch[Symbol.dispose]();
  rt[Symbol.dispose]();
  assert.equal(readdirSync('/proc/self/fd').length, before);
  removeNetns(path);
  rmSync(dir, { recursive: true });
});

test('watchNetlink: more notices than the socket holds are reported as an overflow', async () => {
  const dir = mkdtempSync('/run/netlink-watch-');
  const path = join(dir, 'ns');
  createNetns(path);
  const { promise: overflowed, resolve } = Promise.withResolvers<void>();
  const [rt, watch] = inNetns(path, () => [
    Rtnetlink.open(),
    watchNetlink({
      protocol: NETLINK_ROUTE,
      groups: [RTNLGRP_LINK],
      onOverflow: resolve,
      onMessages: () => {},
    }),
  ]);
  const alive = setInterval(() => {}, 1000);
  // Nothing is read during this loop.
  for (let round = 0; round < 500; round++) {
    rt.setLink(1, { mtu: 65000 + (round % 2) });
  }
  await overflowed;
  clearInterval(alive);
  watch[Symbol.dispose]();
  rt[Symbol.dispose]();
  removeNetns(path);
  rmSync(dir, { recursive: true });
});
