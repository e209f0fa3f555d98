import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { test } from 'node:test';
import { bridgeSpec, hostIp, NetworkLab, neighbourIp, run, sendLoopbackTo } from '#tests/network-lab.ts';

/** Long enough for any answer on one machine, short enough for the questions that must stay without one. */
const silence = 400;

test('Networks: a container reaches others and the world, and is not reached by routing to it', async () => {
  await using lab = NetworkLab.create();
  const a = lab.container('a');
  const b = lab.container('b');
  assert.deepEqual(
    [a.info.address, b.info.address, a.info.gateway],
    ['172.17.0.2', '172.17.0.3', '172.17.0.1'],
  );
  await a.peer.serve({ port: 80 });
  await lab.neighbour.serve({ port: 80 });
  assert.equal(await b.peer.ask({ ip: '172.17.0.2', port: 80 }), 'a 172.17.0.3');
  assert.equal(await b.peer.ask({ ip: neighbourIp, port: 80 }), `neighbour ${hostIp}`);
  assert.equal(await lab.host.ask({ ip: '172.17.0.2', port: 80 }), 'a 172.17.0.1');
  await assert.rejects(lab.neighbour.ask({ ip: '172.17.0.2', port: 80, timeoutMs: silence }), /no answer/);
});

for (const filtered of ['0', '1']) {
  test(`Networks: a published port is reached from everywhere (bridge-nf-call-iptables=${filtered})`, async () => {
    await using lab = NetworkLab.create();
    writeFileSync('/proc/sys/net/bridge/bridge-nf-call-iptables', filtered);
    const a = lab.container('a', { ports: ['8080:80/tcp', '8080:80/udp'] });
    const b = lab.container('b');
    for (const protocol of ['tcp', 'udp'] as const) {
      await a.peer.serve({ protocol, port: 80 });
      const at = (ip: string) => ({ protocol, ip, port: 8080 });
      assert.equal(await lab.neighbour.ask(at(hostIp)), `a ${neighbourIp}`);
      assert.equal(await lab.host.ask(at(hostIp)), `a ${hostIp}`);
      assert.equal(await lab.host.ask(at('127.0.0.1')), 'a 172.17.0.1');
      assert.equal(await lab.host.ask(at('127.1.2.3')), 'a 172.17.0.1');
      assert.equal(await lab.host.ask(at('172.17.0.1')), 'a 172.17.0.1');
      assert.equal(await b.peer.ask(at(hostIp)), 'a 172.17.0.1');
      assert.equal(await b.peer.ask(at('172.17.0.1')), 'a 172.17.0.1');
      assert.equal(await a.peer.ask(at(hostIp)), 'a 172.17.0.1');
    }
  });
}

test('Networks: a port published on 127.0.0.1 is for the host alone', async () => {
  await using lab = NetworkLab.create();
  const a = lab.container('a', { ports: ['127.0.0.1:8080:80/tcp', '127.0.0.1:8080:80/udp'] });
  const b = lab.container('b');
  for (const protocol of ['tcp', 'udp'] as const) {
    await a.peer.serve({ protocol, port: 80 });
    const at = (ip: string, port = 8080) => ({ protocol, ip, port, timeoutMs: silence });
    assert.equal(await lab.host.ask(at('127.0.0.1')), 'a 172.17.0.1');
    const answers = await Promise.allSettled([
      lab.neighbour.ask(at(hostIp)),
      lab.neighbour.ask(at('127.0.0.1')),
      lab.neighbour.ask(at('172.17.0.2', 80)),
      b.peer.ask(at(hostIp)),
      b.peer.ask(at('172.17.0.1')),
    ]);
    assert.deepEqual(
      answers.map(({ status }) => status),
      answers.map(() => 'rejected'),
    );
  }
  // Not even a datagram that nobody could answer.
  assert.deepEqual(await a.peer.heard(), ['172.17.0.1']);
});

test('Networks: a container does not get at services on 127.0.0.1 of the host, nor pretends to be there', async () => {
  await using lab = NetworkLab.create();
  const a = lab.container('a');
  await lab.host.serve({ protocol: 'udp', ip: '127.0.0.1', port: 7000 });
  sendLoopbackTo('172.17.0.1', { netns: lab.networks.sandboxOf(a.id), device: 'eth0', source: '172.17.0.2' });
  const loopback = { protocol: 'udp', ip: '127.0.0.1', port: 7000 } as const;
  await assert.rejects(a.peer.ask({ ...loopback, timeoutMs: silence }), /no answer/);
  await lab.host.serve({ protocol: 'udp', port: 7001 });
  const pretended = { protocol: 'udp', ip: '172.17.0.1', port: 7001, source: '127.0.0.9' } as const;
  run(`nsenter --net=${lab.networks.sandboxOf(a.id)} ip addr add 127.0.0.9/32 dev eth0`);
  await assert.rejects(a.peer.ask({ ...pretended, timeoutMs: silence }), /no answer/);
  assert.deepEqual(await lab.host.heard(), []);
  await lab.host.ask(loopback);
  assert.deepEqual(await lab.host.heard(), ['127.0.0.1']);
});

test('Networks: a client that keeps sending UDP from one port reaches whoever publishes the port now', async () => {
  await using lab = NetworkLab.create();
  const ask = (timeoutMs = 5000) =>
    lab.neighbour.ask({ protocol: 'udp', ip: hostIp, port: 5353, from: 4000, timeoutMs });
  await assert.rejects(ask(silence), /no answer/);
  for (const name of ['a', 'b']) {
    const container = lab.container(name, { ports: ['5353:53/udp'] });
    await container.peer.serve({ protocol: 'udp', port: 53 });
    assert.equal(await ask(), `${name} ${neighbourIp}`);
    lab.networks.release(container.id);
  }
});

test('Networks: what is not ours is forwarded only if somebody else switched forwarding on', async () => {
  for (const [forwardingBefore, expected] of [
    ['0', 'no answer'],
    ['1', `far ${neighbourIp}`],
  ] as const) {
    writeFileSync('/proc/sys/net/ipv4/ip_forward', forwardingBefore);
    await using lab = NetworkLab.create();
    const far = lab.container('far');
    // "far" stands for a machine on another wire: a device that does not belong to Skiff.
    run(`ip link add far0 type veth peer name eth9 netns ${lab.networks.sandboxOf(far.id)}`);
    run('ip addr add 198.51.100.1/24 dev far0');
    run('ip link set far0 up');
    const inside = `nsenter --net=${lab.networks.sandboxOf(far.id)}`;
    run(`${inside} ip addr add 198.51.100.2/24 dev eth9`);
    run(`${inside} ip link set eth9 up`);
    run(`${inside} ip route replace default via 198.51.100.1`);
    await far.peer.serve({ port: 80 });
    const answer = lab.neighbour.ask({ ip: '198.51.100.2', port: 80, timeoutMs: silence });
    assert.equal(await answer.catch((error: Error) => error.message), expected);
    run('ip link del far0');
  }
});

test('Networks: containers of different networks meet at published ports only', async () => {
  await using lab = NetworkLab.create();
  lab.networks.create(bridgeSpec('other'));
  const a = lab.container('a', { ports: ['8080:80'] });
  const b = lab.container('b', { network: 'other' });
  await a.peer.serve({ port: 80 });
  assert.equal(await b.peer.ask({ ip: hostIp, port: 8080 }), 'a 172.17.0.1');
  await assert.rejects(b.peer.ask({ ip: a.info.address ?? '', port: 80, timeoutMs: silence }), /no answer/);
});

test('Networks: there is no IPv6 on networks without it, not even by link-local addresses', async () => {
  await using lab = NetworkLab.create();
  const a = lab.container('a');
  const addresses = (at: string): string => run(`${at}ip -6 -o addr show`);
  assert.doesNotMatch(addresses(''), /skiff0|skv/);
  assert.doesNotMatch(addresses(`nsenter --net=${lab.networks.sandboxOf(a.id)} `), /eth0/);
});

test('Networks: an internal network leads nowhere, and nobody gets in but the host', async () => {
  await using lab = NetworkLab.create();
  lab.networks.create(bridgeSpec('inner', { internal: true }));
  const a = lab.container('a', { network: 'inner', ports: ['8080:80/udp'] });
  const b = lab.container('b', { network: 'inner' });
  const c = lab.container('c', { ports: ['8081:80/udp'] });
  assert.deepEqual(a.info.ports, []);
  for (const peer of [a.peer, c.peer, lab.neighbour]) await peer.serve({ protocol: 'udp', port: 80 });
  const at = (ip: string | undefined, port = 80) =>
    ({ protocol: 'udp', ip: ip ?? '', port, timeoutMs: silence }) as const;
  assert.equal(await b.peer.ask(at(a.info.address)), `a ${b.info.address}`);
  assert.match(await lab.host.ask(at(a.info.address)), /^a /);
  await assert.rejects(c.peer.ask(at(a.info.address)), /no answer/);
  // Even with a route of its own making.
  const gateway = (a.info.address ?? '').replace(/\d+$/, '1');
  run(`nsenter --net=${lab.networks.sandboxOf(b.id)} ip route add default via ${gateway}`);
  for (const target of [at(neighbourIp), at(hostIp, 8081), at(c.info.address)]) {
    await assert.rejects(b.peer.ask(target), /no answer/);
  }
  // Even with somebody else's translation.
  run('nft add table ip theirs');
  run('nft add chain ip theirs in { type nat hook prerouting priority -150 ; }');
  run(`nft add rule ip theirs in udp dport 9999 dnat to ${a.info.address}:80`);
  await assert.rejects(lab.neighbour.ask(at(hostIp, 9999)), /no answer/);
  assert.deepEqual([await lab.neighbour.heard(), await c.peer.heard()], [[], []]);
  assert.deepEqual(await a.peer.heard(), [b.info.address, gateway]);
});

test('Networks: without icc containers meet at published ports only', async () => {
  await using lab = NetworkLab.create({ icc: false });
  writeFileSync('/proc/sys/net/bridge/bridge-nf-call-iptables', '0');
  const a = lab.container('a', { ports: ['8080:80'] });
  const b = lab.container('b');
  await a.peer.serve({ port: 80 });
  assert.equal(await b.peer.ask({ ip: hostIp, port: 8080 }), 'a 172.17.0.1');
  const direct = { ip: a.info.address ?? '', port: 80, timeoutMs: silence };
  await assert.rejects(b.peer.ask(direct), /no answer|EHOSTUNREACH/);
  // Nor round by way of the host.
  run(`nsenter --net=${lab.networks.sandboxOf(b.id)} ip route add ${direct.ip}/32 via 172.17.0.1`);
  await assert.rejects(b.peer.ask(direct), /no answer|EHOSTUNREACH/);
});

test('Networks: without a firewall the packet filter is left alone', async () => {
  await using lab = NetworkLab.create({ firewall: false });
  const a = lab.container('a', { ports: ['8080:80'] });
  assert.equal(run('nft list ruleset'), '');
  await a.peer.serve({ port: 80 });
  assert.equal(await lab.host.ask({ ip: a.info.address ?? '', port: 80 }), 'a 172.17.0.1');
});
