import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { createSocket, type Socket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Nftables } from '../nftables/nftables.ts';
import { forgetFlows } from './conntrack.ts';
import { NETLINK_NETFILTER, NetlinkSocket } from './socket.ts';

async function udp(ip: string, port: number): Promise<Socket & AsyncDisposable> {
  const socket = createSocket('udp4').bind(port, ip);
  await once(socket, 'listening');
  return Object.assign(socket, {
    [Symbol.asyncDispose]: async () => {
      socket.close();
      await once(socket, 'close');
    },
  });
}

function tracked(): string[] {
  return readFileSync('/proc/net/nf_conntrack', 'utf8')
    .split('\n')
    .flatMap((line) => /udp .*? dst=(\S+) .*?dport=(\d+)/.exec(line)?.slice(1).join(':') ?? [])
    .sort();
}

test('forgetFlows: forgets what went to the ports, and nothing else', async () => {
  using nft = new Nftables();
  nft.run(
    'add table ip track; add chain ip track out { type filter hook output priority 0; }; add rule ip track out ct state new accept',
  );
  using socket = new NetlinkSocket(NETLINK_NETFILTER);
  await using client = await udp('127.0.0.1', 0);
  await using _a = await udp('127.0.0.2', 7001);
  await using _b = await udp('127.0.0.3', 7001);
  await using _c = await udp('127.0.0.3', 7002);
  for (const [ip, port] of [
    ['127.0.0.2', 7001],
    ['127.0.0.3', 7001],
    ['127.0.0.3', 7002],
  ] as const) {
    await new Promise((resolve) => client.send('x', port, ip, resolve));
  }
  assert.deepEqual(tracked(), ['127.0.0.2:7001', '127.0.0.3:7001', '127.0.0.3:7002']);
  const forget = (protocol: 'tcp' | 'udp', ...ports: number[]): number =>
    forgetFlows(socket, { protocol, ports: new Set(ports) });
  assert.deepEqual([forget('tcp', 7001), forget('udp', 7003), forget('udp')], [0, 0, 0]);
  assert.equal(forget('udp', 7002), 1);
  assert.deepEqual(tracked(), ['127.0.0.2:7001', '127.0.0.3:7001']);
  assert.equal(forget('udp', 7001, 7002), 2);
  assert.deepEqual(tracked(), []);
});
