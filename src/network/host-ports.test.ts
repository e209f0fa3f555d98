import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { test } from 'node:test';
import { HostPorts, type PortContext } from './host-ports.ts';
import { type PortRequest, parsePortBinding } from './port-request.ts';

const context: PortContext = { defaultIp: '0.0.0.0', containerIp: '172.17.0.2', inUse: () => undefined };

function requests(...texts: string[]): PortRequest[] {
  return texts.map((text) => {
    const [hostPort = '', port = ''] = text.split(':');
    return parsePortBinding(port, { hostIp: '', hostPort });
  });
}

async function listening(port: number, host: string): Promise<Server & AsyncDisposable> {
  const server = createServer().listen(port, host);
  await once(server, 'listening');
  return server;
}

test('HostPorts: a held port is in use for everybody else until it is released', async () => {
  using ports = new HostPorts();
  assert.deepEqual(ports.allocate('e', requests('8080:80/tcp'), context), [
    { protocol: 'tcp', containerPort: 80, hostIp: '0.0.0.0', hostPort: 8080 },
  ]);
  await assert.rejects(listening(8080, '127.0.0.1'), /EADDRINUSE/);
  ports.release('e');
  await using _server = await listening(8080, '127.0.0.1');
});

test('HostPorts: a port that another program holds gives the words of Docker', async () => {
  await using _server = await listening(9090, '127.0.0.1');
  using ports = new HostPorts();
  assert.throws(() => ports.allocate('e', requests('9090:80'), context), {
    message: 'failed to bind host port for 0.0.0.0:9090:172.17.0.2:80/tcp: address already in use',
  });
  const elsewhere = { ...context, defaultIp: '10.9.9.9' };
  assert.throws(() => ports.allocate('e', requests('9091:80'), elsewhere), {
    message: 'failed to bind host port for 10.9.9.9:9091:172.17.0.2:80/tcp: cannot assign requested address',
  });
});

test('HostPorts: a port of another container, or of the same one, gives the words of Docker', () => {
  using ports = new HostPorts();
  const inUse: PortContext['inUse'] = (protocol, _ip, hostPort) =>
    hostPort === 8080 ? { protocol, hostPort, hostIp: '127.0.0.1', containerPort: 1 } : undefined;
  assert.throws(() => ports.allocate('e', requests('8080:80'), { ...context, inUse }), {
    message: 'Bind for 127.0.0.1:8080 failed: port is already allocated',
  });
  assert.throws(() => ports.allocate('e', requests('8090:80', '8090:81'), context), {
    message: 'Bind for 0.0.0.0:8090 failed: port is already allocated',
  });
});

test('HostPorts: a range gives its first free port, and certain ports come before ranges', async () => {
  await using _server = await listening(8001, '0.0.0.0');
  using ports = new HostPorts();
  const result = ports.allocate('e', requests('8000-8003:80', '8000:81', '0:82', '8000:83/udp'), context);
  assert.deepEqual(
    result.map(({ containerPort }) => containerPort),
    [80, 81, 82, 83],
  );
  assert.deepEqual([result[0]?.hostPort, result[1]?.hostPort, result[3]?.hostPort], [8002, 8000, 8000]);
  assert.ok(Number(result[2]?.hostPort) >= 32768);
});

test('HostPorts: a range without a free port fails', () => {
  using ports = new HostPorts();
  assert.throws(() => ports.allocate('e', requests('8000-8001:1', '8000-8001:2', '8000-8001:3'), context), {
    message: 'all ports are allocated',
  });
});

test('HostPorts: a failure lets go of what was taken before', async () => {
  await using _server = await listening(7002, '0.0.0.0');
  using ports = new HostPorts();
  assert.throws(() => ports.allocate('e', requests('7001:1', '7002:2'), context));
  await using _free = await listening(7001, '0.0.0.0');
});

test('HostPorts: restore takes what it can and tells the rest', async () => {
  await using _server = await listening(6001, '0.0.0.0');
  using ports = new HostPorts();
  const port = (hostPort: number) =>
    ({ protocol: 'tcp', containerPort: 1, hostIp: '0.0.0.0', hostPort }) as const;
  assert.deepEqual(ports.restore('e', [port(6000), port(6001)]), [port(6001)]);
  await assert.rejects(listening(6000, '0.0.0.0'), /EADDRINUSE/);
});
