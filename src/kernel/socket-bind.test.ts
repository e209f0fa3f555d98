import '#tests/own-network.ts';
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, createServer, Server } from 'node:net';
import { test } from 'node:test';
import { close } from './at.ts';
import { bindPort } from './socket-bind.ts';

test('bindPort: holds a port against others, for each protocol and family', () => {
  for (const proto of ['tcp', 'udp'] as const) {
    for (const ip of ['0.0.0.0', '127.0.0.1', '::', '::1']) {
      const { fd, port } = bindPort({ proto, ip, port: 0 });
      assert.ok(port > 0);
      const shown = `${ip.includes(':') ? `[${ip}]` : ip}:${port}/${proto}`;
      assert.throws(() => bindPort({ proto, ip, port }), {
        code: 'EADDRINUSE',
        syscall: 'bind',
        path: shown,
      });
      close(fd);
      close(bindPort({ proto, ip, port }).fd);
    }
  }
});

test('bindPort: families and protocols do not collide', () => {
  const first = bindPort({ proto: 'tcp', ip: '0.0.0.0', port: 0 });
  const others = [
    bindPort({ proto: 'tcp', ip: '::', port: first.port }),
    bindPort({ proto: 'udp', ip: '0.0.0.0', port: first.port }),
  ];
  for (const { fd } of [first, ...others]) close(fd);
});

test('bindPort: a server cannot take the port, and connections are refused', async () => {
  const { fd, port } = bindPort({ proto: 'tcp', ip: '127.0.0.1', port: 0 });
  const server = createServer().listen(port, '127.0.0.1');
  const [error] = (await once(server, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'EADDRINUSE');
  const client = connect(port, '127.0.0.1');
  const [refused] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  assert.equal(refused.code, 'ECONNREFUSED');
  close(fd);
});

test('bindPort: the descriptor can become a server', async () => {
  const { fd, port } = bindPort({ proto: 'tcp', ip: '127.0.0.1', port: 0 });
  const server = new Server((socket) => socket.end('hello')).listen({ fd });
  await once(server, 'listening');
  const client = connect(port, '127.0.0.1');
  const [data] = (await once(client, 'data')) as [Buffer];
  assert.equal(data.toString(), 'hello');
  client.destroy();
  server.close();
});

test('bindPort: ended connections of an earlier server do not block the port, and it is still held', async () => {
  // The server ends the connections, so they stay in TIME_WAIT on its port.
  const server = createServer((socket) => socket.end()).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const client = connect(port, '127.0.0.1');
  client.resume();
  await once(client, 'close');
  server.close();
  await once(server, 'close');
  const { fd } = bindPort({ proto: 'tcp', ip: '127.0.0.1', port });
  assert.throws(() => bindPort({ proto: 'tcp', ip: '127.0.0.1', port }), { code: 'EADDRINUSE' });
  const rival = createServer().listen(port, '127.0.0.1');
  const [error] = (await once(rival, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'EADDRINUSE');
  const late = connect(port, '127.0.0.1');
  const [refused] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  assert.equal(refused.code, 'ECONNREFUSED');
  close(fd);
});

test('bindPort: failures leak no descriptor', () => {
  const before = readdirSync('/proc/self/fd').length;
  assert.throws(() => bindPort({ proto: 'tcp', ip: '192.0.2.1', port: 0 }), { code: 'EADDRNOTAVAIL' });
  assert.throws(() => bindPort({ proto: 'tcp', ip: 'nonsense', port: 0 }), { kind: 'invalid' });
  assert.throws(() => bindPort({ proto: 'tcp', ip: '127.0.0.1', port: 65536 }), RangeError);
  const { fd, port } = bindPort({ proto: 'udp', ip: '127.0.0.1', port: 0 });
  assert.throws(() => bindPort({ proto: 'udp', ip: '127.0.0.1', port }), { code: 'EADDRINUSE' });
  close(fd);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});
