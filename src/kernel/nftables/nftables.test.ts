import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { createNetns, inNetns, removeNetns } from '../namespaces.ts';
import { NETLINK_NETFILTER } from '../netlink/socket.ts';
import { NFNLGRP_NFTABLES, watchNetlink } from '../netlink/watch.ts';
import { Nftables, NftablesError } from './nftables.ts';

const dir = mkdtempSync('/run/nftables-test-');
const own = join(dir, 'own');
createNetns(own);
after(() => {
  removeNetns(own);
  rmSync(dir, { recursive: true });
});

/** A context for a namespace that no other test file uses. */
function opened(): Nftables {
  return inNetns(own, () => new Nftables());
}

function tables(nft: Nftables): string[] {
  const { nftables } = nft.listJson('list tables') as { nftables: { table?: { name: string } }[] };
  return nftables.flatMap(({ table }) => table?.name ?? []);
}

test('Nftables.run: makes tables, sets and rules that listJson shows', () => {
  using nft = opened();
  nft.run(`add table ip first
    add map ip first ports { type inet_proto . inet_service : ipv4_addr . inet_service; }
    add element ip first ports { tcp . 8080 : 172.17.0.2 . 80 }`);
  const { nftables } = nft.listJson('list map ip first ports') as { nftables: { map?: { elem: unknown } }[] };
  assert.deepEqual(nftables.find(({ map }) => map)?.map?.elem, [
    [{ concat: ['tcp', 8080] }, { concat: ['172.17.0.2', 80] }],
  ]);
  nft.run('delete table ip first');
  assert.deepEqual(tables(nft), []);
});

test('Nftables.run: all commands take effect or none', () => {
  using nft = opened();
  assert.throws(() => nft.run('add table ip half; add rule ip half nosuch accept'), NftablesError);
  assert.deepEqual(tables(nft), []);
});

test("Nftables.run: an error has nft's own words, and the next command starts clean", () => {
  using nft = opened();
  assert.throws(() => nft.run('add tabel ip x'), /syntax error, unexpected ip/);
  assert.throws(() => nft.run('delete table ip nosuch'), /No such file or directory/);
  assert.throws(() => nft.run('add table ip x\0; flush ruleset'), TypeError);
  nft.run('add table ip fine');
  assert.deepEqual(tables(nft), ['fine']);
  nft.run('delete table ip fine');
});

test('Nftables: works on the namespace it was opened in, from outside', () => {
  const path = join(dir, 'ns');
  createNetns(path);
  using inside = inNetns(path, () => new Nftables());
  using outside = opened();
  inside.run('add table ip within');
  assert.deepEqual(tables(inside), ['within']);
  assert.deepEqual(tables(outside), []);
  assert.deepEqual(
    inNetns(path, () => {
      using again = new Nftables();
      return tables(again);
    }),
    ['within'],
  );
  removeNetns(path);
});

test('Nftables: a long rule set in one transaction', () => {
  using nft = opened();
  const elements = Array.from({ length: 5000 }, (_, n) => `10.${n >> 8}.${n & 255}.1`);
  nft.run(`add table ip long; add set ip long s { type ipv4_addr; elements = { ${elements.join(', ')} } }`);
  const { nftables } = nft.listJson('list set ip long s') as { nftables: { set?: { elem: string[] } }[] };
  assert.equal(nftables.find(({ set }) => set)?.set?.elem.length, 5000);
  nft.run('delete table ip long');
});

test('Nftables: closed, it says so, and no descriptor stays open', () => {
  const before = readdirSync('/proc/self/fd').length;
  for (let round = 0; round < 10; round++) {
    using nft = opened();
    tables(nft);
  }
  assert.equal(readdirSync('/proc/self/fd').length, before);
  const closed = new Nftables();
  closed[Symbol.dispose]();
  closed[Symbol.dispose]();
  assert.throws(() => closed.run('list tables'), /is closed/);
});

test('watchNetlink: tells when somebody flushes the rules', async () => {
  const path = join(dir, 'watched');
  createNetns(path);
  const { promise: changed, resolve } = Promise.withResolvers<void>();
  using nft = inNetns(path, () => new Nftables());
  nft.run('add table ip victim');
  using _watch = inNetns(path, () =>
    watchNetlink({
      protocol: NETLINK_NETFILTER,
      groups: [NFNLGRP_NFTABLES],
      onMessages: () => resolve(),
      onOverflow: () => resolve(),
    }),
  );
  const alive = setInterval(() => {}, 1000);
  nft.run('flush ruleset');
  await changed;
  clearInterval(alive);
  removeNetns(path);
});
