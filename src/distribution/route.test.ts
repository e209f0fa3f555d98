import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { test } from 'node:test';
import { makeAuthority } from '#tests/certificates.ts';
import { openFaultyRegistry } from '#tests/faulty-registry.ts';
import { never, openClient, repositoryOf } from '#tests/registry-clients.ts';
import { scratchDir } from '#tests/scratch-dir.ts';
import { until } from '#tests/until.ts';

test('a registry that did without TLS and has it now is found again', async () => {
  using dir = scratchDir();
  const plain = await openFaultyRegistry();
  await using secure = await openFaultyRegistry({ tls: makeAuthority(dir).issue('IP:127.0.0.1') });
  for (const { content } of [plain, secure]) content.addImage('app', [], { tag: 'latest' });
  let hasTls = false;
  let open = 0;
  // One address: what a registry of the time would answer.
  await using door = createServer((socket) => {
    open += 1;
    socket.on('error', () => socket.destroy());
    socket.once('close', () => {
      open -= 1;
    });
    socket.once('data', (first) => {
      const isTls = first[0] === 0x16;
      if (hasTls && !isTls)
        return void socket.end('HTTP/1.0 400 Bad Request\r\n\r\nHTTP request to an HTTPS server\n');
      if (!hasTls && isTls) return void socket.end('HTTP/1.1 400 Bad Request\r\n\r\n');
      const inner = connect(portOf((hasTls ? secure : plain).host), '127.0.0.1');
      inner.on('error', () => socket.destroy());
      inner.write(first);
      socket.pipe(inner).pipe(socket);
    });
  }).listen(0, '127.0.0.1');
  await once(door, 'listening');
  const name = `127.0.0.1:${(door.address() as AddressInfo).port}/app`;
  using client = openClient({ maxAttempts: 1 });
  const ask = (): Promise<unknown> => repositoryOf(client, name).manifest('latest', { signal: never() });
  await ask();
  await ask();
  assert.equal(plain.requests.length, 2);
  hasTls = true;
  // The connection that is kept belongs to the registry as it was.
  await plain[Symbol.asyncDispose]();
  await until(() => open === 0, { what: 'the end of the connection that was kept' });
  await ask();
  await ask();
  assert.equal(secure.requests.length, 2);
});

function portOf(host: string): number {
  return Number(host.split(':')[1]);
}

test('the failure of a registry without TLS is told, and passes, also when that is known to be how it answers', async () => {
  await using registry = await openFaultyRegistry();
  registry.content.addImage('app', [], { tag: 'latest' });
  using client = openClient();
  const ask = (): Promise<unknown> =>
    repositoryOf(client, `${registry.host}/app`).manifest('latest', { signal: never() });
  await ask();
  registry.faults.add({ times: 1, fault: { kind: 'reset' } });
  await ask();
  registry.faults.add({ fault: { kind: 'reset' } });
  await assert.rejects(ask(), /: (EOF|read: connection reset by peer) \(gave up after 3 tries\)$/);
});
