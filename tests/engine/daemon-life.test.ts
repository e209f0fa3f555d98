import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { readMountInfo } from '#/kernel/mountinfo.ts';
import { Nftables } from '#/kernel/nftables/nftables.ts';
import type { SystemInfo } from '#/wire/system.ts';
import { run, skiffd, TestDaemon } from '#tests/daemon.ts';
import { holdingsOf } from '#tests/leak-check.ts';
import { fetchText, freePort } from '#tests/ports.ts';
import { TestContainers, valueOf } from '#tests/test-containers.ts';
import { until } from '#tests/until.ts';

test('daemon: ends within ten seconds of SIGTERM whatever its clients are doing, and tells them', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const id = await containers.run({ cmd: 'while true; do echo x; sleep 0.1; done', config: { Tty: true } });
  const streams = await Promise.all(
    [
      ['GET', '/events'],
      ['GET', `/containers/${id}/logs?follow=1&stdout=1`],
      ['GET', `/containers/${id}/stats`],
      ['POST', `/containers/${id}/attach?stream=1&stdout=1`],
      ['POST', `/containers/${id}/wait`],
      // An upload that does not go on.
      ['POST', '/images/load'],
    ].map(([method, path]) => openStream(daemon, method ?? '', path ?? '')),
  );
  const started = performance.now();
  await daemon.down('SIGTERM');
  assert.ok(performance.now() - started < 10_000);
  await Promise.all(streams.map(({ ended }) => ended));
  await daemon.up();
  assert.equal((await containers.inspect(id)).State.Status, 'running');
});

/** Begins a request; the result, a promise in an object, resolves when the daemon has ended it somehow. */
async function openStream(
  daemon: TestDaemon,
  method: string,
  path: string,
): Promise<{ ended: Promise<unknown> }> {
  const upload = path === '/images/load';
  const call = request({
    socketPath: daemon.socket,
    method,
    path,
    agent: false,
    headers: upload ? { 'Content-Type': 'application/x-tar', 'Content-Length': 1_000_000 } : {},
  });
  const ended = new Promise((resolve) => {
    call.on('error', resolve).on('close', resolve);
    call.on('response', (response) => {
      response.on('error', resolve).resume();
    });
  });
  if (upload) call.write('x');
  else call.end();
  await once(call, 'socket');
  return { ended };
}

test('daemon: --teardown takes everything away, and the next daemon goes on from there', async () => {
  await using daemon = await TestDaemon.start();
  const atStart = holdingsOf(daemon);
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const port = freePort();
  const always = await containers.run({
    name: 'always',
    config: { ExposedPorts: { '80/tcp': {} } },
    host: {
      PortBindings: { '80/tcp': [{ HostPort: String(port) }] },
      RestartPolicy: { Name: 'always' },
      IpcMode: 'shareable',
    },
  });
  const plain = await containers.run({ name: 'plain', host: { Binds: ['kept:/data'] } });
  await containers.run({ name: 'vanishing', host: { AutoRemove: true } });
  await containers.post(`${await containers.run({ name: 'paused' })}/pause`, 204);
  const tmpfs = { type: 'tmpfs', device: 'tmpfs' };
  await daemon.ask('POST', '/volumes/create', { Name: 'mounted', DriverOpts: tmpfs });
  await containers.run({ name: 'volume', host: { Binds: ['mounted:/m'] } });
  const refused = await run(skiffd, [...daemon.places, '--teardown']);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /^skiffd: another daemon \(process \d+\) uses the data in /);
  await daemon.down('SIGKILL');
  await daemon.tearDown();
  const left = holdingsOf(daemon);
  assert.deepEqual([left.mounts, left.cgroups, left.processes], [[], [], []]);
  assert.deepEqual(left.links, ['lo']);
  assert.ok(!left.rules.some((rule) => rule.includes('skiff')));
  assert.deepEqual(
    readMountInfo().filter(({ root }) => root.startsWith('net:[')),
    [],
  );
  assert.deepEqual(left.execRoot, [join(daemon.dir, 'run/lock')]);
  assert.notDeepEqual(atStart.links, ['lo']);
  await daemon.tearDown();

  await daemon.up();
  await until(async () => (await containers.inspect(always)).State.Status === 'running', {
    what: 'the container that is to run always runs again',
  });
  const { State } = await containers.inspect(plain);
  assert.deepEqual([State.Status, State.ExitCode], ['exited', 137]);
  assert.equal(await containers.find('vanishing'), undefined);
  assert.equal((await daemon.ask('GET', '/volumes/kept')).status, 200);
  await containers.post(`${plain}/start`, 204);
});

test('daemon: a reload changes labels, debugging and registries of the running engine', async () => {
  await using daemon = await TestDaemon.start();
  const settings = {
    labels: ['site=harbour'],
    debug: true,
    'registry-mirrors': ['https://mirror.example'],
    'insecure-registries': ['reg.example:5000', '10.0.0.0/8'],
  };
  writeFileSync(daemon.configFile, JSON.stringify(settings));
  process.kill(daemon.pid, 'SIGHUP');
  const info = async (): Promise<SystemInfo> => valueOf(await daemon.ask('GET', '/info'), 200) as SystemInfo;
  await until(async () => (await info()).Labels[0] === 'site=harbour', { what: 'the new labels' });
  const { Debug: debug, RegistryConfig: registries } = await info();
  assert.equal(debug, true);
  assert.deepEqual(registries.Mirrors, ['https://mirror.example/']);
  assert.deepEqual(registries.InsecureRegistryCIDRs, ['10.0.0.0/8', '::1/128', '127.0.0.0/8']);
  assert.equal(registries.IndexConfigs['reg.example:5000']?.Secure, false);
  const events = await daemon.ask('GET', `/events?since=1&until=${Date.now() / 1000 + 1}`);
  const [event] = String(events.body).trim().split('\n');
  const { Action, Actor } = JSON.parse(event ?? '') as { Action: string; Actor: { Attributes: object } };
  assert.equal(Action, 'reload');
  assert.deepEqual(Actor.Attributes, {
    debug: 'true',
    labels: '["site=harbour"]',
    'insecure-registries': '["reg.example:5000","10.0.0.0/8"]',
    'max-concurrent-downloads': '3',
    'max-concurrent-uploads': '5',
    'max-download-attempts': '5',
    'registry-mirrors': '["https://mirror.example/"]',
    name: hostname(),
  });
});

test('daemon: what it keeps is for root only, and its log has no environment, command or secret', async () => {
  await using daemon = await TestDaemon.start(['--debug']);
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const id = await containers.run({ config: { Env: ['PASSWORD=hunter2-secret'] } });
  const { output } = await containers.exec(id, 'echo $PASSWORD$TOKEN', { Env: ['TOKEN=hunter3-secret'] });
  assert.equal(output, 'hunter2-secrethunter3-secret\n');
  await containers.runToEnd({ cmd: 'exit 1', config: { Env: ['PASSWORD=hunter2-secret'] } });
  const failing = await containers.create({
    cmd: ['/no/such/program'],
    config: { Env: ['PASSWORD=hunter2-secret'] },
  });
  assert.equal((await daemon.ask('POST', `/containers/${failing}/start`)).status, 400);
  await daemon.ask('POST', '/containers/create?name=bad/name', {
    Env: ['PASSWORD=hunter2-secret'],
    Image: 7,
  });
  await daemon.ask('POST', '/containers/create', Buffer.from('{"Env":["PASSWORD=hunter2-secret"'));
  assert.match(daemon.log, /level=debug/);
  assert.doesNotMatch(daemon.log, /hunter/);

  for (const root of ['data', 'run']) {
    for (const name of readdirSync(join(daemon.dir, root))) {
      const path = join(daemon.dir, root, name);
      const { mode } = lstatSync(path);
      assert.equal(mode & 0o077, 0, `${path} has mode ${(mode & 0o777).toString(8)}`);
    }
  }
  for (const path of [`data/containers/${id}`, `run/containers/${id}`, `run/containers/${id}/config.json`]) {
    assert.equal(lstatSync(join(daemon.dir, path)).mode & 0o077, 0, path);
  }
  const log = join(daemon.dir, 'data/containers', id, 'container.log');
  assert.ok(existsSync(log));
});

test('daemon: its programs do not see its environment, and a busy port of its own is named', async () => {
  await using daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  const containers = new TestContainers(daemon);
  const id = await containers.run();
  const { Pid } = (await containers.inspect(id)).State;
  const status = readFileSync(`/proc/${Pid}/status`, 'utf8');
  const monitor = /^PPid:\s+(\d+)$/m.exec(status)?.[1] ?? '';
  const names = readFileSync(`/proc/${monitor}/environ`, 'utf8')
    .split('\0')
    .map((entry) => entry.split('=', 1)[0] ?? '')
    .filter((name) => name !== '' && !name.startsWith('_OCI_'));
  assert.deepEqual(names.toSorted(), ['PATH', 'TMPDIR', 'TZ']);
  const port = freePort();
  const wish = {
    config: { ExposedPorts: { '80/tcp': {} } },
    host: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] } },
  };
  const web = await containers.run({ ...wish, cmd: 'mkdir /w; echo ok >/w/index.html; exec httpd -f -h /w' });
  await until(async () => (await fetchText(`http://127.0.0.1:${port}/`)) === 'ok\n', {
    what: 'the port is open',
  });
  // Whoever flushes the packet filter does not cut containers off for long.
  using nft = new Nftables();
  nft.run('flush ruleset');
  await until(async () => (await fetchText(`http://127.0.0.1:${port}/`)) === 'ok\n', {
    what: 'the rules are back',
  });
  await containers.remove(web);
});
