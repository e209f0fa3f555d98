import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { NETLINK_NETFILTER, NetlinkSocket } from '../netlink/socket.ts';
import { rulesetGeneration } from './generation.ts';

test('rulesetGeneration: goes up by one with each transaction that changes something', () => {
  using socket = new NetlinkSocket(NETLINK_NETFILTER);
  const before = rulesetGeneration(socket);
  assert.equal(rulesetGeneration(socket), before);
  execFileSync('nft', ['-f', '-'], { input: 'add table ip one\nadd table ip two' });
  assert.equal(rulesetGeneration(socket), before + 1);
  execFileSync('nft', ['list', 'ruleset']);
  assert.equal(rulesetGeneration(socket), before + 1);
});
