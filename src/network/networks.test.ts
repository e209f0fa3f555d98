import assert from 'node:assert/strict';
import { readdirSync } from 'node:fs';
import { createServer } from 'node:net';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newId } from '#/base/ids.ts';
import { bridgeSpec, hostIp, NetworkLab, neighbourIp, parsePublish, run } from '#tests/network-lab.ts';

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

test('Networks: the default route follows priority and what is connected', async () => {
  await using lab = NetworkLab.create();
  for (const name of ['aaa', 'zzz']) lab.networks.create(bridgeSpec(name));
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
  const network = lab.networks.create(bridgeSpec('n', { options }));
  assert.deepEqual(links(), [...before, 'br9'].sort());
  assert.throws(() => lab.networks.create(bridgeSpec('n')), {
    message: 'network with name n already exists',
  });
  assert.throws(() => lab.networks.create(bridgeSpec('m', { options })), /networks have same bridge name/);
  assert.throws(
    () => lab.networks.create(bridgeSpec('m', { options: { 'com.docker.network.bridge.name': 'lan0' } })),
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
