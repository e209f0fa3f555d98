import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { TestContainers } from '#tests/test-containers.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
});

after(() => daemon[Symbol.asyncDispose]());

test('kill: a paused container whose program handles its stop signal goes on, and is not paused any more', async () => {
  const cmd = 'trap "echo heard" TERM; echo ready; while true; do sleep 0.1; done';
  const id = await containers.run({ cmd, config: { StopSignal: 'SIGTERM' } });
  await containers.post(`${id}/pause`, 204);
  await containers.post(`${id}/kill?signal=TERM`, 204);
  const { State } = await containers.inspect(id);
  assert.deepEqual([State.Status, State.Paused], ['running', false]);
  await containers.post(`${id}/pause`, 204);
  await containers.post(`${id}/kill`, 204);
  await until(async () => (await containers.inspect(id)).State.Status === 'exited', { what: 'it has ended' });
});

test('stop: a container that somebody pauses within the grace period is killed all the same', async () => {
  const cmd = 'trap "" TERM; while true; do sleep 0.1; done';
  const id = await containers.run({ cmd, config: { StopSignal: 'SIGTERM' } });
  const stopped = containers.post(`${id}/stop?t=2`, 204);
  await until(async () => (await daemon.ask('POST', `/containers/${id}/pause`)).status === 204, {
    what: 'it is paused',
  });
  await stopped;
  assert.equal((await containers.inspect(id)).State.ExitCode, 137);
});

test('stop: a container that waits for its restart is stopped, and stays so', async () => {
  const id = await containers.run({ cmd: ['false'], host: { RestartPolicy: { Name: 'always' } } });
  let status = 0;
  // Between two looks it can have been started again.
  await until(
    async () => {
      const before = (await containers.inspect(id)).State.Status;
      if (before !== 'restarting') return false;
      ({ status } = await daemon.ask('POST', `/containers/${id}/stop`));
      return true;
    },
    { what: 'it was stopped' },
  );
  assert.equal(status, 204);
  assert.equal((await containers.inspect(id)).State.Status, 'exited');
  assert.equal((await daemon.ask('POST', `/containers/${id}/stop`)).status, 304);
});
