import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestDaemon } from '#tests/daemon.ts';

let daemon: TestDaemon;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

/** A client that asks for a stream and then reads nothing of it. */
async function stalledClient(path: string, body = ''): Promise<Socket> {
  const socket = connect(daemon.socket);
  await once(socket, 'connect');
  socket.write(
    `POST ${path} HTTP/1.1\r\nHost: skiff\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n` +
      `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
  );
  await once(socket, 'readable');
  return socket;
}

/** Waits until a busy container has stopped writing, because somebody does not read. */
async function untilStuck(id: string): Promise<void> {
  const written = async (): Promise<string> =>
    String((await daemon.ask('GET', `/containers/${id}/logs?stdout=1&tail=1&timestamps=1`)).body);
  for (let before = '', same = 0; same < 3; ) {
    const now = await written();
    same = now === before ? same + 1 : 0;
    before = now;
    await sleep(100);
  }
}

async function runBusy(): Promise<string> {
  const { value } = await daemon.json('POST', '/containers/create', {
    Image: 'busybox',
    Cmd: ['cat', '/dev/zero'],
  });
  const { Id } = value as { Id: string };
  assert.equal((await daemon.ask('POST', `/containers/${Id}/start`)).status, 204);
  return Id;
}

test('kill: a client that is attached and does not read does not hold up the end', async () => {
  const id = await runBusy();
  const client = await stalledClient(`/containers/${id}/attach?stream=1&stdout=1`);
  await untilStuck(id);
  assert.equal((await daemon.ask('POST', `/containers/${id}/kill`)).status, 204);
  const { value } = await daemon.json('POST', `/containers/${id}/wait`);
  assert.deepEqual(value, { StatusCode: 137 });
  client.destroy();
});

test('stop: a client that reads late gets what was on its way', async () => {
  const id = await runBusy();
  const stalled = await stalledClient(`/containers/${id}/attach?stream=1&stdout=1`);
  await untilStuck(id);
  assert.equal((await daemon.ask('POST', `/containers/${id}/stop?t=0`)).status, 204);
  let bytes = 0;
  for await (const chunk of stalled as AsyncIterable<Buffer>) bytes += chunk.length;
  assert.ok(bytes > 1 << 20, 'what was on its way is not lost');
});

test('exec: a client that does not read does not hold up the end of the process', async () => {
  const id = await runBusy();
  const { value } = await daemon.json('POST', `/containers/${id}/exec`, {
    AttachStdout: true,
    Cmd: ['sh', '-c', 'echo $$ > /tmp/pid; exec cat /dev/zero'],
  });
  const { Id: exec } = value as { Id: string };
  const client = await stalledClient(`/exec/${exec}/start`, '{"Detach":false,"Tty":false}');
  await sleep(500);
  const killer = await daemon.json('POST', `/containers/${id}/exec`, {
    Cmd: ['sh', '-c', 'kill -9 $(cat /tmp/pid)'],
  });
  await daemon.ask('POST', `/exec/${(killer.value as { Id: string }).Id}/start`, { Detach: true });
  let inspected: { Running?: boolean; ExitCode?: number } = {};
  for (let attempt = 0; attempt < 200 && inspected.Running !== false; attempt += 1) {
    inspected = (await daemon.json('GET', `/exec/${exec}/json`)).value as typeof inspected;
    await sleep(50);
  }
  assert.deepEqual([inspected.Running, inspected.ExitCode], [false, 137]);
  client.destroy();
});
