import assert from 'node:assert/strict';
import { readdirSync, renameSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { TestDaemon } from '#tests/daemon.ts';

let daemon: TestDaemon;

before(async () => {
  daemon = await TestDaemon.start(['--log-opt', 'max-size=20k', '--log-opt', 'max-file=3']);
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

async function runShell(script: string, logConfig?: object): Promise<string> {
  const { value, status } = await daemon.json('POST', '/containers/create', {
    Image: 'busybox',
    Cmd: ['sh', '-c', script],
    HostConfig: logConfig === undefined ? {} : { LogConfig: logConfig },
  });
  assert.equal(status, 201, JSON.stringify(value));
  const { Id } = value as { Id: string };
  assert.equal((await daemon.ask('POST', `/containers/${Id}/start`)).status, 204);
  return Id;
}

/** The lines of the log, as numbers; streams are multiplexed in frames with a header of eight bytes. */
function numbers(body: Buffer): number[] {
  let text = '';
  for (let at = 0; at < body.length; ) {
    const length = body.readUInt32BE(at + 4);
    text += body.toString('latin1', at + 8, at + 8 + length);
    at += 8 + length;
  }
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map(Number);
}

function logFiles(id: string): { name: string; size: number }[] {
  const folder = join(daemon.dir, 'data', 'containers', id);
  return readdirSync(folder)
    .filter((name) => name.startsWith('container.log'))
    .map((name) => ({ name, size: statSync(join(folder, name)).size }))
    .toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Writes the numbers from 1 to `last` in bursts, slowly enough for rotations in between. */
function counting(last: number): string {
  return `i=0; while [ $i -lt ${last} ]; do i=$((i+1)); echo $i; [ $((i % 50)) = 0 ] && usleep 30000; done`;
}

test('logs: rotated by the options of the daemon; who follows gets every line, who reads gets the last files', async () => {
  const id = await runShell(counting(4000));
  const followed = await daemon.ask('GET', `/containers/${id}/logs?stdout=1&follow=1`);
  assert.deepEqual(
    numbers(followed.body),
    Array.from({ length: 4000 }, (_, index) => index + 1),
  );
  const files = logFiles(id);
  assert.deepEqual(
    files.map(({ name }) => name),
    ['container.log', 'container.log.1', 'container.log.2'],
  );
  for (const { name, size } of files) assert.ok(size < 40_000, `${name} has ${size} bytes`);
  const kept = numbers((await daemon.ask('GET', `/containers/${id}/logs?stdout=1`)).body);
  assert.ok(kept.length > 500 && kept.length < 4000, `${kept.length} lines`);
  assert.deepEqual(
    kept,
    Array.from({ length: kept.length }, (_, index) => 4001 - kept.length + index),
  );
});

test('logs: a rotation that the death of the daemon cut off goes on with the next one', async () => {
  const id = await runShell(`trap "echo 2; exit" TERM; echo 1; while :; do usleep 10000; done`);
  const log = join(daemon.dir, 'data', 'containers', id, 'container.log');
  for (let attempt = 0; attempt < 500 && logFiles(id)[0]?.size === 0; attempt += 1) await sleep(10);
  await daemon.down('SIGKILL');
  renameSync(log, `${log}.1`);
  await daemon.up();
  for (let attempt = 0; attempt < 500 && logFiles(id).length < 2; attempt += 1) await sleep(10);
  assert.equal((await daemon.ask('POST', `/containers/${id}/stop`)).status, 204);
  assert.deepEqual(
    logFiles(id).map(({ size }) => size > 0),
    [true, true],
    'the new line is in the new file',
  );
  assert.deepEqual(numbers((await daemon.ask('GET', `/containers/${id}/logs?stdout=1`)).body), [1, 2]);
});

test('logs: a container with options of its own does not get those of the daemon', async () => {
  const id = await runShell(counting(2000), { Type: 'json-file', Config: {} });
  await daemon.json('POST', `/containers/${id}/wait`);
  assert.deepEqual(
    logFiles(id).map(({ name }) => name),
    ['container.log'],
  );
});

test('logs: wrong options are refused as in Docker, at create or at the start', async () => {
  const create = (Config: object): ReturnType<TestDaemon['json']> =>
    daemon.json('POST', '/containers/create', {
      Image: 'busybox',
      HostConfig: { LogConfig: { Type: 'json-file', Config } },
    });
  assert.deepEqual(await create({ foo: '1' }), {
    status: 400,
    value: { message: "unknown log opt 'foo' for json-file log driver" },
  });
  const { value, status } = await create({ 'max-size': 'abc' });
  assert.equal(status, 201, JSON.stringify(value));
  assert.deepEqual(await daemon.json('POST', `/containers/${(value as { Id: string }).Id}/start`), {
    status: 500,
    value: {
      message:
        "failed to create task for container: failed to initialize logging driver: invalid size: 'abc'",
    },
  });
});
