import assert from 'node:assert/strict';
import { readdirSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '#/base/ids.ts';
import {
  hostIp,
  type LabContainer,
  NetworkLab,
  neighbourIp,
  parsePublish,
  run,
  sendLoopbackTo,
} from '#tests/network-lab.ts';
import type { NetworkSpec } from './model.ts';

/** Long enough for any answer on one machine, short enough for the questions that must stay without one. */
const silence = 400;

function spec(name: string, more: Partial<NetworkSpec> = {}): NetworkSpec {
  const ipam = { driver: '', options: null, pools: [] };
  const flags = { internal: false, attachable: false, enableIpv6: false };
  return { name, driver: '', labels: {}, options: {}, ipam, ...flags, ...more };
}

/** Names of the links in the present namespace (which /sys does not show). */
function links(): string[] {
  return [...run('ip -o link').matchAll(/^\d+: ([^:@]+)/gm)].map(([, name = '']) => name).sort();
}

/** Waits until the kernel has removed the devices of ended namespaces. */
async function untilLinks(count: number): Promise<void> {
  for (let tries = 0; tries < 500; tries++) {
    if (links().filter((name) => name.startsWith('skv')).length === count) return;
    await sleep(10);
  }
  assert.fail(`there are other than ${count} endpoint links`);
}

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
});

test('Networks: a container does not get at services on 127.0.0.1 of the host', async () => {
  await using lab = NetworkLab.create();
  const a = lab.container('a');
  await lab.host.serve({ ip: '127.0.0.1', port: 7000 });
  sendLoopbackTo('172.17.0.1', { netns: lab.networks.sandboxOf(a.id), device: 'eth0', source: '172.17.0.2' });
  await assert.rejects(a.peer.ask({ ip: '127.0.0.1', port: 7000, timeoutMs: silence }), /no answer/);
});

test('Networks: a failed connect says why and leaves nothing', async () => {
  await using lab = NetworkLab.create();
  const a = lab.container('a', { ports: ['8080:80', '9000:90'] });
  const before = run('nft list ruleset');
  assert.throws(
    () => lab.container('b', { ports: ['7000:70', '127.0.0.1:8080:80'] }),
    /^EngineError: driver failed programming external connectivity on endpoint b \([0-9a-f]{64}\): Bind for 0\.0\.0\.0:8080 failed: port is already allocated$/,
  );
  assert.equal(run('nft list ruleset'), before);
  assert.equal(lab.networks.endpointsIn(lab.networks.find('bridge')).length, 1);
  await untilLinks(1);
  await using server = createServer().listen(7000);
  assert.throws(
    () => lab.container('c', { ports: ['7000:70'] }),
    /0\.0\.0\.0:7000:172\.17\.0\.3:70\/tcp: address already in use/,
  );
  lab.networks.release(a.id);
  server.close();
  const again = lab.container('d', { ports: ['8080:80', '7000:70'] });
  assert.deepEqual(
    again.info.ports.map(({ hostPort }) => hostPort),
    [8080, 7000],
  );
});

test('Networks: a link that cannot be made takes rows, ports and rules back', async () => {
  await using lab = NetworkLab.create();
  const id = newId();
  const before = run('nft list ruleset');
  const request = {
    network: 'bridge',
    containerId: id,
    containerName: 'x',
    ports: [parsePublish('8080:80')],
  };
  assert.throws(() => lab.networks.connect(request), /ENOENT/);
  assert.equal(run('nft list ruleset'), before);
  assert.deepEqual(lab.networks.endpointsOf(id), []);
  await using _free = createServer().listen(8080);
});

test('Networks: fifty containers at once each have their own address and port', async () => {
  await using lab = NetworkLab.create();
  const endpoints = await Promise.all(
    Array.from({ length: 50 }, async (_, i) => {
      const containerId = newId();
      lab.networks.createSandbox(containerId);
      await sleep(i % 3);
      return lab.networks.connect({
        network: 'bridge',
        containerId,
        containerName: `c${i}`,
        ports: [parsePublish('8000-8049:80')],
      });
    }),
  );
  assert.equal(new Set(endpoints.map(({ address }) => address)).size, 50);
  assert.equal(new Set(endpoints.map(({ mac }) => mac)).size, 50);
  assert.equal(new Set(endpoints.map(({ ports }) => ports[0]?.hostPort)).size, 50);
  await untilLinks(50);
  for (const { containerId } of endpoints) lab.networks.release(containerId);
  assert.match(run('nft list map ip skiff ports'), /inet_service\n\t\}\n\}/);
  await untilLinks(0);
  assert.deepEqual(readdirSync('/run/lab/netns'), []);
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

test('Networks: rules that somebody flushes come back', async () => {
  await using lab = NetworkLab.create();
  const a = lab.container('a', { ports: ['8080:80'] });
  await a.peer.serve({ port: 80 });
  const before = run('nft list ruleset');
  for (const harm of [
    'flush ruleset',
    'delete table ip skiff',
    'flush map ip skiff ports',
    'flush chain ip skiff inward',
  ]) {
    run(`nft ${harm}`);
    for (let tries = 0; tries < 200 && run('nft list ruleset') !== before; tries++) await sleep(10);
    assert.equal(run('nft list ruleset'), before, harm);
  }
  assert.equal(await lab.neighbour.ask({ ip: hostIp, port: 8080 }), `a ${neighbourIp}`);
});

test('Networks: a connect in the moment after a flush makes the rules anew', async () => {
  await using lab = NetworkLab.create();
  const a = lab.container('a', { ports: ['8080:80'] });
  run('nft flush ruleset');
  const b = lab.container('b', { ports: ['8081:80'] });
  await Promise.all([a.peer.serve({ port: 80 }), b.peer.serve({ port: 80 })]);
  assert.equal(await lab.neighbour.ask({ ip: hostIp, port: 8080 }), `a ${neighbourIp}`);
  assert.equal(await lab.neighbour.ask({ ip: hostIp, port: 8081 }), `b ${neighbourIp}`);
});

test('Networks: reconcile takes over what lives and clears away the rest', async () => {
  await using lab = NetworkLab.create();
  const a = lab.container('a', { ports: ['8080:80', '9000:90'] });
  const b = lab.container('b', { ports: ['8081:80'] });
  await a.peer.serve({ port: 80 });
  lab.networks[Symbol.dispose]();
  await using _thief = createServer().listen(9000);
  run('nft flush ruleset');
  const lost = lab.restart([a.id]);
  assert.deepEqual(lost, [
    { containerId: a.id, port: { protocol: 'tcp', containerPort: 90, hostIp: '0.0.0.0', hostPort: 9000 } },
  ]);
  assert.equal(await lab.neighbour.ask({ ip: hostIp, port: 8080 }), `a ${neighbourIp}`);
  assert.doesNotMatch(run('nft list ruleset'), /8081|9000/);
  assert.deepEqual(lab.networks.endpointsOf(b.id), []);
  assert.deepEqual(readdirSync('/run/lab/netns'), [a.id]);
  assert.throws(() => lab.container('c', { ports: ['8080:80'] }), /already allocated/);
  await b.peer[Symbol.asyncDispose]();
  await untilLinks(1);
});

test('Networks: what is not ours is forwarded only if somebody else switched forwarding on', async () => {
  for (const [forwardingBefore, expected] of [
    ['0', 'no answer'],
    ['1', `far ${neighbourIp}`],
  ] as const) {
    writeFileSync('/proc/sys/net/ipv4/ip_forward', forwardingBefore);
    await using lab = NetworkLab.create();
    const far: LabContainer = lab.container('far');
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
  lab.networks.create(spec('other'));
  const a = lab.container('a', { ports: ['8080:80'] });
  const b = lab.container('b', { network: 'other' });
  await a.peer.serve({ port: 80 });
  assert.equal(await b.peer.ask({ ip: hostIp, port: 8080 }), 'a 172.17.0.1');
  await assert.rejects(b.peer.ask({ ip: a.info.address ?? '', port: 80, timeoutMs: silence }), /no answer/);
});

test('Networks: an internal network leads nowhere, and nobody gets in but the host', async () => {
  await using lab = NetworkLab.create();
  lab.networks.create(spec('inner', { internal: true }));
  const a = lab.container('a', { network: 'inner', ports: ['8080:80'] });
  const b = lab.container('b', { network: 'inner' });
  const c = lab.container('c', { ports: ['8081:80'] });
  assert.deepEqual(a.info.ports, []);
  for (const { peer } of [a, c]) await peer.serve({ port: 80 });
  const ip = a.info.address ?? '';
  assert.equal(await b.peer.ask({ ip, port: 80 }), `a ${b.info.address}`);
  assert.match(await lab.host.ask({ ip, port: 80 }), /^a /);
  await assert.rejects(c.peer.ask({ ip, port: 80, timeoutMs: silence }), /no answer/);
  // Even with a route of its own making.
  const gateway = ip.replace(/\d+$/, '1');
  run(`nsenter --net=${lab.networks.sandboxOf(b.id)} ip route add default via ${gateway}`);
  for (const target of [
    { ip: neighbourIp, port: 80 },
    { ip: hostIp, port: 8081 },
    { ip: c.info.address ?? '', port: 80 },
  ]) {
    await assert.rejects(b.peer.ask({ ...target, timeoutMs: silence }), /no answer/);
  }
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

test('Networks: the default route follows priority and what is connected', async () => {
  await using lab = NetworkLab.create();
  for (const name of ['aaa', 'zzz']) lab.networks.create(spec(name));
  const c = lab.container('c');
  const routes = (): string => run(`nsenter --net=${lab.networks.sandboxOf(c.id)} ip route show default`);
  const connect = (network: string, gatewayPriority = 0) =>
    lab.networks.connect({ network, containerId: c.id, containerName: 'c', gatewayPriority });
  assert.match(routes(), /via 172\.17\.0\.1 dev eth0/);
  const a = connect('aaa');
  assert.match(routes(), new RegExp(`via ${a.gateway} dev eth1`));
  const z = connect('zzz', 5);
  assert.match(routes(), new RegExp(`via ${z.gateway} dev eth2`));
  lab.networks.disconnect({ network: 'zzz', containerId: c.id });
  assert.match(routes(), /dev eth1/);
  lab.networks.disconnect({ network: 'aaa', containerId: c.id });
  assert.match(routes(), /dev eth0/);
  assert.equal(connect('zzz').interface, 'eth1');
  assert.throws(
    () => lab.networks.disconnect({ network: 'aaa', containerId: c.id }),
    /is not connected to network aaa/,
  );
});

test('Networks: create and remove make and remove a bridge, and refuse what is in use', async () => {
  await using lab = NetworkLab.create();
  const before = links();
  const options = { 'com.docker.network.bridge.name': 'br9', 'com.docker.network.driver.mtu': '1400' };
  const network = lab.networks.create(spec('n', { options }));
  assert.deepEqual(links(), [...before, 'br9'].sort());
  assert.throws(() => lab.networks.create(spec('n')), { message: 'network with name n already exists' });
  assert.throws(() => lab.networks.create(spec('m', { options })), /networks have same bridge name/);
  assert.throws(
    () => lab.networks.create(spec('m', { options: { 'com.docker.network.bridge.name': 'lan0' } })),
    /lan0/,
  );
  const c = lab.container('c', { network: 'n' });
  assert.match(run(`nsenter --net=${lab.networks.sandboxOf(c.id)} ip link show eth0`), /mtu 1400/);
  assert.throws(() => lab.networks.remove(network), /has active endpoints/);
  lab.networks.release(c.id);
  lab.networks.remove(network);
  assert.deepEqual(
    links().filter((name) => !name.startsWith('skv')),
    before,
  );
  for (const name of ['bridge', 'host', 'none']) {
    assert.throws(() => lab.networks.remove(lab.networks.find(name)), /pre-defined/);
  }
});

test('Networks: a bridge keeps its MAC address whoever comes and goes', async () => {
  await using lab = NetworkLab.create();
  const mac = (): string => /link\/ether (\S+)/.exec(run('ip link show skiff0'))?.[1] ?? '';
  const before = mac();
  assert.match(before, /^02:/);
  const a = lab.container('a');
  assert.equal(mac(), before);
  lab.networks.release(a.id);
  await a.peer[Symbol.asyncDispose]();
  await untilLinks(0);
  assert.equal(mac(), before);
});

test('Networks: find takes an id, a name or a unique beginning of an id', async () => {
  await using lab = NetworkLab.create();
  const { id } = lab.networks.find('host');
  for (const ref of [id, 'host', id.slice(0, 12)]) assert.equal(lab.networks.find(ref).name, 'host');
  assert.throws(() => lab.networks.find('nope'), { message: 'network nope not found' });
  assert.throws(() => lab.networks.find(''), { message: 'network  not found' });
});

test('Networks: the default bridge keeps its subnet, and changes it only while nobody uses it', async () => {
  await using lab = NetworkLab.create({ bip: '10.200.0.1/24' });
  const a = lab.container('a');
  assert.equal(a.info.address, '10.200.0.2');
  lab.restart([a.id], { bip: '10.201.0.1/24' });
  assert.equal(lab.container('b').info.gateway, '10.200.0.1');
  lab.restart([]);
  assert.equal(lab.container('c').info.gateway, '10.200.0.1');
  lab.restart([]);
  lab.restart([], { bip: '10.201.0.1/24' });
  assert.equal(lab.container('d').info.gateway, '10.201.0.1');
});

test('Networks: without a firewall the packet filter is left alone', async () => {
  await using lab = NetworkLab.create({ firewall: false });
  const a = lab.container('a', { ports: ['8080:80'] });
  assert.equal(run('nft list ruleset'), '');
  await a.peer.serve({ port: 80 });
  assert.equal(await lab.host.ask({ ip: a.info.address ?? '', port: 80 }), 'a 172.17.0.1');
});
