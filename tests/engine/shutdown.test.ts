import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';

interface Inspected {
  readonly State: { readonly Status: string; readonly ExitCode: number };
}

async function start(daemon: TestDaemon, name: string, more: object = {}): Promise<void> {
  const body = {
    Image: 'busybox',
    Cmd: ['sh', '-c', 'trap "exit 5" TERM; while :; do sleep 0.1; done'],
    ...more,
  };
  assert.equal((await daemon.json('POST', `/containers/create?name=${name}`, body)).status, 201);
  assert.equal((await daemon.ask('POST', `/containers/${name}/start`)).status, 204);
}

async function stateOf(daemon: TestDaemon, name: string): Promise<Inspected['State']> {
  return ((await daemon.json('GET', `/containers/${name}/json`)).value as Inspected).State;
}

test('skiffd: without live restore SIGTERM stops the containers, and those that are to be up come up again', async () => {
  await using daemon = await TestDaemon.start(['--live-restore=false']);
  await daemon.loadBusybox();
  await start(daemon, 'plain');
  await start(daemon, 'kept', { HostConfig: { RestartPolicy: { Name: 'unless-stopped' } } });
  await daemon.down();
  await daemon.up();
  assert.deepEqual(await stateOf(daemon, 'plain').then(({ Status, ExitCode }) => [Status, ExitCode]), [
    'exited',
    5,
  ]);
  for (let attempt = 0; attempt < 300; attempt += 1) {
    if ((await stateOf(daemon, 'kept')).Status === 'running') break;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  assert.equal((await stateOf(daemon, 'kept')).Status, 'running');
});

test('skiffd: with live restore SIGTERM leaves the containers running', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  await start(daemon, 'plain');
  const before = await daemon.json('GET', '/containers/plain/json');
  await daemon.down();
  await daemon.up();
  const after = await daemon.json('GET', '/containers/plain/json');
  const pid = ({ value }: { value: unknown }): number => (value as { State: { Pid: number } }).State.Pid;
  assert.equal(pid(after), pid(before));
});
