import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { fetchText, freePort } from '#tests/ports.ts';
import { TestContainers } from '#tests/test-containers.ts';
import { until } from '#tests/until.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
  // What a daemon opens once and keeps (threads, for example) is open from here on.
  await containers.runToEnd({ cmd: 'true' });
});

after(() => daemon[Symbol.asyncDispose]());

/** The daemon dies and another one comes up, with something happening in between. */
async function crash(meanwhile: () => Promise<void> = async () => {}): Promise<void> {
  await daemon.down('SIGKILL');
  await meanwhile();
  await daemon.up();
}

test('live restore: containers and their output outlive the daemon, and obey the next one', async () => {
  await leakCheck(daemon, async () => {
    const cmd = 'i=0; while true; do echo line $i; i=$((i+1)); sleep 0.05; done';
    const id = await containers.run({ cmd, host: { Init: true } });
    await containers.says(id, 'line 3\n');
    const { Pid } = (await containers.inspect(id)).State;
    await crash(async () => {
      process.kill(Pid, 0);
    });
    const { State } = await containers.inspect(id);
    assert.deepEqual([State.Status, State.Pid], ['running', Pid]);
    // Nothing of the time without a daemon is missing, and nothing is there twice.
    await containers.says(id, 'line 20\n');
    const said = (await containers.logs(id)).trimEnd().split('\n');
    assert.deepEqual(
      said,
      said.map((_line, index) => `line ${index}`),
    );
    assert.deepEqual(await containers.exec(id, 'echo in; exit 5'), { exitCode: 5, output: 'in\n' });
    await containers.post(`${id}/stop?t=10`, 204);
    const stopped = (await containers.inspect(id)).State;
    assert.deepEqual([stopped.Status, stopped.Running], ['exited', false]);
    await containers.remove(id);
  });
});

test('live restore: the exit codes of containers that ended meanwhile are found', async () => {
  await leakCheck(daemon, async () => {
    const codes = [0, 1, 42, 255];
    const cmd = (code: number): string => `while [ ! -e /go/now ]; do sleep 0.02; done; exit ${code}`;
    const ids = await Promise.all(
      codes.map((code) => containers.run({ cmd: cmd(code), host: { Binds: ['gate:/go'] } })),
    );
    const [gate] = (await containers.inspect(ids[0] as string)).Mounts;
    const killed = await containers.run();
    const { Pid } = (await containers.inspect(killed)).State;
    await crash(async () => {
      writeFileSync(`${gate?.Source}/now`, '');
      await killProcess(Pid);
    });
    assert.deepEqual(await Promise.all(ids.map((id) => containers.exitCode(id))), codes);
    assert.equal(await containers.exitCode(killed), 137);
    for (const id of [...ids, killed]) await containers.remove(id);
    assert.equal((await daemon.ask('DELETE', '/volumes/gate')).status, 204);
  });
});

/** Kills the first process of a container, behind the daemon's back, and waits until it is gone. */
async function killProcess(pid: number): Promise<void> {
  assert.ok(pid > 1);
  process.kill(pid, 'SIGKILL');
  await until(() => !isThere(pid), { what: 'the process is gone' });
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

test('live restore: published ports go on working, and stay taken', async () => {
  await leakCheck(daemon, async () => {
    const port = freePort();
    const host = { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] } };
    const config = { ExposedPorts: { '80/tcp': {} } };
    const cmd = 'mkdir /w; echo hello >/w/index.html; exec httpd -f -p 80 -h /w';
    const id = await containers.run({ cmd, config, host });
    const url = `http://127.0.0.1:${port}/`;
    await until(async () => (await fetchText(url)) === 'hello\n', { what: 'the web server answers' });
    await crash(async () => {
      assert.equal(await fetchText(url), 'hello\n');
    });
    assert.equal(await fetchText(url), 'hello\n');
    assert.deepEqual((await containers.inspect(id)).NetworkSettings.Ports['80/tcp'], [
      { HostIp: '127.0.0.1', HostPort: String(port) },
    ]);
    const second = await containers.create({ config, host });
    const refused = await daemon.ask('POST', `/containers/${second}/start`);
    assert.equal(refused.status, 500);
    assert.match(refused.body.toString(), /port is already allocated/);
    await containers.remove(second);
    await containers.remove(id);
    const third = await containers.run({ cmd, config, host });
    await until(async () => (await fetchText(url)) === 'hello\n', { what: 'the port can be used again' });
    await containers.remove(third);
  });
});

test('live restore: a client can attach again and talk to the program', async () => {
  await leakCheck(daemon, async () => {
    const cmd = 'while read line; do echo "heard $line"; done';
    const id = await containers.run({ cmd, config: { OpenStdin: true } });
    await crash();
    const socket = connect(daemon.socket);
    socket.write(
      `POST /containers/${id}/attach?stream=1&stdin=1&stdout=1 HTTP/1.1\r\nHost: d\r\nUpgrade: tcp\r\nConnection: Upgrade\r\n\r\n`,
    );
    let received = '';
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1');
    });
    await until(() => received.includes('101 UPGRADED'), { what: 'the connection is upgraded' });
    socket.write('you\n');
    await until(() => received.includes('heard you\n'), { what: 'the program answers' });
    socket.destroy();
    await containers.remove(id);
  });
});

test('live restore: restart policies hold: for ends while no daemon ran, between two runs, and for the next ones', async () => {
  await leakCheck(daemon, async () => {
    const always = await containers.run({ host: { RestartPolicy: { Name: 'always' } } });
    const once = { Name: 'on-failure', MaximumRetryCount: 1 };
    const failing = await containers.run({ cmd: 'exit 3', host: { RestartPolicy: once } });
    const stopped = await containers.run({ host: { RestartPolicy: { Name: 'unless-stopped' } } });
    await containers.post(`${stopped}/stop?t=0`, 204);
    const { Pid } = (await containers.inspect(always)).State;
    await crash(async () => {
      await killProcess(Pid);
    });
    const runsAgain = async (before: number): Promise<boolean> => {
      const { State } = await containers.inspect(always);
      return State.Status === 'running' && State.Pid !== before;
    };
    await until(() => runsAgain(Pid), { what: 'the container was started again' });
    const next = (await containers.inspect(always)).State.Pid;
    await killProcess(next);
    await until(() => runsAgain(next), { what: 'the container was started once more' });
    await until(
      async () => {
        const { State, RestartCount } = await containers.inspect(failing);
        return State.Status === 'exited' && State.ExitCode === 3 && RestartCount === 1;
      },
      { what: 'the failing container was started again once and not more' },
    );
    assert.equal((await containers.inspect(stopped)).State.Status, 'exited');
    for (const id of [always, failing, stopped]) await containers.remove(id);
  });
});

test('live restore: paused containers stay paused, also if the daemon died before it could note it', async () => {
  await leakCheck(daemon, async () => {
    const id = await containers.run();
    await containers.post(`${id}/pause`, 204);
    await crash();
    assert.equal((await containers.inspect(id)).State.Status, 'paused');
    await containers.post(`${id}/unpause`, 204);
    assert.equal((await containers.exec(id, 'echo back')).output, 'back\n');
    await containers.post(`${id}/pause`, 204);
    await crash();
    await containers.remove(id);
  });
});

test('live restore: a container with auto-remove whose end nobody saw is removed, with its anonymous volume', async () => {
  await leakCheck(daemon, async () => {
    const host = { AutoRemove: true };
    const config = { Volumes: { '/data': {} } };
    const id = await containers.run({ host, config });
    const alive = await containers.run({ host, config });
    const { Pid } = (await containers.inspect(id)).State;
    await crash(async () => {
      await killProcess(Pid);
    });
    await until(async () => (await containers.find(id)) === undefined, { what: 'the container is removed' });
    assert.equal((await containers.inspect(alive)).State.Status, 'running');
    await containers.post(`${alive}/kill`, 204);
    await until(async () => (await containers.find(alive)) === undefined, { what: 'the other one, too' });
  });
});

test('live restore: an orderly stop of the daemon leaves containers running as well', async () => {
  await leakCheck(daemon, async () => {
    const id = await containers.run({ host: { IpcMode: 'shareable' } });
    const joined = await containers.run({
      host: { NetworkMode: `container:${id}`, IpcMode: `container:${id}`, PidMode: `container:${id}` },
    });
    const { Pid } = (await containers.inspect(id)).State;
    await daemon.down('SIGTERM');
    process.kill(Pid, 0);
    await daemon.up();
    assert.equal((await containers.inspect(id)).State.Pid, Pid);
    assert.equal((await containers.exec(joined, 'echo x >/dev/shm/f; ls /dev/shm')).output, 'f\n');
    await containers.remove(joined);
    await containers.remove(id);
  });
});
