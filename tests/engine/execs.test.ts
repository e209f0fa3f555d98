import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { TestContainers } from '#tests/test-containers.ts';
import { until } from '#tests/until.ts';

test('exec: a container has a thousand that wait for their start at most, each of its own', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const [id, other] = [await containers.run(), await containers.run()];
  const create = async (container: string): Promise<number> =>
    (await daemon.ask('POST', `/containers/${container}/exec`, { Cmd: ['true'] })).status;
  for (let round = 0; round < 10; round += 1)
    await Promise.all(Array.from({ length: 100 }, async () => assert.equal(await create(id), 201)));
  assert.deepEqual([await create(id), await create(other)], [409, 201]);
});

/** An exec that was created, with output wanted, and not started. */
async function created(containers: TestContainers, id: string, line: string): Promise<string> {
  const request = { Cmd: ['sh', '-c', line], AttachStdout: true, AttachStderr: true };
  const { Id } = (await containers.post(`${id}/exec`, 201, request)) as { Id: string };
  return Id;
}

/** Starts it; what it wrote, or the status if that is no 200. */
async function started(daemon: TestDaemon, exec: string, Detach: boolean = false): Promise<string | number> {
  const { status, body } = await daemon.ask('POST', `/exec/${exec}/start`, { Detach, Tty: false });
  // Frames have eight bytes in front.
  return status === 200 ? body.subarray(8).toString() : status;
}

async function exitCodeOf(daemon: TestDaemon, exec: string): Promise<number | null> {
  const { value } = await daemon.json('GET', `/exec/${exec}/json`);
  return (value as { ExitCode: number | null }).ExitCode;
}

test('exec: what was created before a restart is gone with that run; a pause only delays it', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const id = await containers.run();
  const line = 'cut -d" " -f22 /proc/1/stat; exit 3';
  const before = await created(containers, id, line);
  const first = await started(daemon, before);
  const across = await created(containers, id, line);
  await containers.post(`${id}/restart?t=0`, 204);
  assert.equal(await started(daemon, across), 404);
  assert.match(String(first), /^\d+\n$/);
  assert.equal(await exitCodeOf(daemon, before), 3);

  const paused = await created(containers, id, 'echo thawed');
  await containers.post(`${id}/pause`, 204);
  assert.match(String(await started(daemon, paused)), /is paused, unpause the container before exec/);
  await containers.post(`${id}/unpause`, 204);
  assert.equal(await started(daemon, paused), 'thawed\n');
  assert.equal(await started(daemon, paused), 409, 'once only');
});

test('exec: one that was created with streams may be started without', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const id = await containers.run();
  const exec = await created(containers, id, 'echo nobody reads this; exit 4');
  assert.equal(await started(daemon, exec, true), '');
  await until(async () => (await exitCodeOf(daemon, exec)) === 4, { what: 'the exit code' });
});

test('exec: nothing of those that were not started is left, however it goes on', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  await containers.runToEnd({ cmd: 'true' });
  await leakCheck(daemon, async () => {
    const id = await containers.run();
    for (let count = 0; count < 30; count += 1) await created(containers, id, 'true');
    await containers.remove(id);
  });
  await leakCheck(daemon, async () => {
    const id = await containers.run();
    await created(containers, id, 'true');
    await daemon.down('SIGKILL');
    await daemon.up();
    assert.deepEqual(await containers.exec(id, 'echo again; exit 6'), { exitCode: 6, output: 'again\n' });
    await containers.remove(id);
  });
});

test('exec: ends with its container, and with its daemon when it writes', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  await containers.runToEnd({ cmd: 'true' });
  await leakCheck(daemon, async () => {
    const id = await containers.run();
    const running = created(containers, id, 'echo $$ >/up; sleep 1000').then((exec) => started(daemon, exec));
    await containers.exec(id, 'until [ -s /up ]; do sleep 0.01; done');
    await containers.post(`${id}/kill`, 204);
    assert.equal(await running, '');
    await containers.remove(id);

    const other = await containers.run();
    const writer = 'echo $$ >/up; while echo x; do sleep 0.02; done';
    const broken = created(containers, other, writer).then((exec) => started(daemon, exec));
    await containers.exec(other, 'until [ -s /up ]; do sleep 0.01; done');
    await daemon.down('SIGKILL');
    await daemon.up();
    // Its connection has gone with the daemon, in one way or another.
    await Promise.allSettled([broken]);
    await until(async () => (await containers.exec(other, 'kill -0 $(cat /up)')).exitCode !== 0, {
      what: 'the end of the writer',
    });
    await containers.remove(other);
  });
});

test('exec: the start says whether output is framed, the create whether there is a terminal; a dead container is no place to resize', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const id = await containers.run();
  const create = async (): Promise<string> => {
    const request = {
      Cmd: ['sh', '-c', 'sleep 0.3; stty size'],
      AttachStdout: true,
      Tty: true,
      ConsoleSize: [57, 123],
    };
    return ((await containers.post(`${id}/exec`, 201, request)) as { Id: string }).Id;
  };
  const start = async (Tty: boolean): Promise<Buffer> =>
    (await daemon.ask('POST', `/exec/${await create()}/start`, { Tty })).body;
  assert.equal((await start(true)).toString(), '57 123\r\n');
  const framed = await start(false);
  assert.deepEqual([framed[0], framed.readUInt32BE(4)], [1, framed.length - 8]);
  assert.equal(framed.subarray(8).toString(), '57 123\r\n');

  const request = { Cmd: ['sleep', '1000'], Tty: true };
  const { Id: exec } = (await containers.post(`${id}/exec`, 201, request)) as { Id: string };
  assert.equal((await daemon.ask('POST', `/exec/${exec}/start`, { Detach: true })).status, 200);
  for (const [query, problem] of [
    ['h=-1&w=1', /invalid resize height "-1": value out of range/],
    ['h=1&w=-1', /invalid resize width "-1": value out of range/],
    ['h=x&w=1', /invalid resize height "x": invalid syntax/],
  ] as const) {
    const { status, body } = await daemon.ask('POST', `/exec/${exec}/resize?${query}`);
    assert.equal(status, 400);
    assert.match(JSON.parse(body.toString()).message, problem);
  }
  await containers.post(`${id}/kill`, 204);
  await containers.post(`${id}/wait`, 200);
  const { status, body } = await daemon.ask('POST', `/exec/${exec}/resize?h=1&w=1`);
  assert.equal(status, 409);
  assert.match(body.toString(), /is not running/);
});
