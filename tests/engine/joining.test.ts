import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { TestContainers } from '#tests/test-containers.ts';

test('namespaces: a container joins those of another one, and nobody is left to join when that has ended', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const peer = await containers.run({ name: 'peer', host: { IpcMode: 'shareable' } });
  const host = {
    PidMode: 'container:peer',
    IpcMode: 'container:peer',
    NetworkMode: 'container:peer',
  };
  const cmd = 'for p in 1 self; do for n in pid ipc net; do readlink /proc/$p/ns/$n; done; done';
  const { output } = await containers.runToEnd({ cmd, host });
  const lines = output.trim().split('\n');
  assert.equal(lines.length, 6);
  assert.deepEqual(lines.slice(0, 3), lines.slice(3));
  const late = await containers.create({ host: { PidMode: 'container:peer' } });
  await containers.post(`${peer}/kill`, 204);
  await containers.post(`${peer}/wait`, 200);
  const refusal = await daemon.ask('POST', `/containers/${late}/start`);
  // The status is Docker's.
  assert.equal(refusal.status, 500);
  assert.match(
    refusal.body.toString(),
    /failed to join PID namespace: container [0-9a-f]{64} is not running/,
  );
});
