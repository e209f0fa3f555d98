import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ContainerRecord } from '#/engine/containers/model.ts';
import type { ContainerView } from '#/engine/containers/view.ts';
import type { PortMap } from '#/wire/containers.ts';
import { createBody } from '../decode/containers.ts';
import { presentInspect, presentSummary } from './containers.ts';

const created = '2026-11-21T13:05:29.787984192Z';

function view(state: ContainerRecord['state'], ports: PortMap = {}): ContainerView {
  const { config, hostConfig, networking } = createBody(
    { Image: 'busybox', Cmd: ['sh', '-c', 'echo a'] },
    '',
  );
  return {
    record: {
      id: 'f'.repeat(64),
      name: 'quiet_harbour',
      imageId: 'sha256:00',
      created,
      spec: {
        imageName: 'busybox',
        config,
        hostConfig,
        networking,
        mounts: [],
        path: 'sh',
        args: ['-c', 'echo a'],
        platform: 'linux',
        driver: 'overlay2',
      },
      state,
      restartCount: 0,
      manuallyStopped: false,
    },
    health: undefined,
    files: { resolvConf: '', hostname: '', hosts: '', log: '' },
    execIds: [],
    graphDriver: { Name: 'overlay2', Data: null },
    networks: {},
    sandbox: undefined,
    ports,
    size: undefined,
  };
}

const stopped = view({ kind: 'created', error: '', exitCode: 0 });

test('presentInspect: the fields of Docker 28.5, in its order', () => {
  const { HostConfig, Config, NetworkSettings, ...rest } = presentInspect(stopped);
  const fields = `Id Created Path Args State Image ResolvConfPath HostnamePath HostsPath LogPath Name RestartCount Driver
    Platform MountLabel ProcessLabel AppArmorProfile ExecIDs HostConfig GraphDriver Mounts Config NetworkSettings`;
  assert.deepEqual(Object.keys(presentInspect(stopped)), fields.split(/\s+/));
  assert.deepEqual(rest.State, {
    Status: 'created',
    Running: false,
    Paused: false,
    Restarting: false,
    OOMKilled: false,
    Dead: false,
    Pid: 0,
    ExitCode: 0,
    Error: '',
    StartedAt: '0001-01-01T00:00:00Z',
    FinishedAt: '0001-01-01T00:00:00Z',
  });
  assert.deepEqual([rest.Name, rest.ExecIDs, rest.Mounts, Config.Labels], ['/quiet_harbour', null, [], {}]);
  assert.deepEqual(NetworkSettings.Ports, {});
  assert.equal(HostConfig.Binds, null);
});

test('presentInspect: sizes only if they were asked for', () => {
  const { SizeRw, SizeRootFs } = presentInspect({ ...stopped, size: { own: 0, withImage: 5 } });
  assert.deepEqual([SizeRw, SizeRootFs], [0, 5]);
  assert.ok(!('SizeRw' in presentInspect(stopped)));
});

test('presentSummary: command, time, and no size where there is none', () => {
  const { Command, Created, Ports, Names, Status, ...rest } = presentSummary(
    { ...stopped, size: { own: 0, withImage: 5 } },
    { now: 0, version: '1.51' },
  );
  assert.deepEqual(
    [Command, Created, Ports, Names, Status],
    ["sh -c 'echo a'", 1795266329, [], ['/quiet_harbour'], 'Created'],
  );
  assert.deepEqual([rest.SizeRootFs, 'SizeRw' in rest], [5, false]);
});

test('presentSummary: ports by number, with those that are only exposed', () => {
  const run = { init: { pid: 1, startTime: '1' }, monitor: { pid: 2, startTime: '1' }, startedAt: created };
  const ports = {
    '9000/tcp': null,
    '80/tcp': [{ HostIp: '0.0.0.0', HostPort: '8080' }],
    '53/udp': [],
  };
  assert.deepEqual(
    presentSummary(view({ kind: 'running', ...run }, ports), {
      now: Date.parse(created) + 5000,
      version: '1.51',
    }).Ports,
    [
      { PrivatePort: 53, Type: 'udp' },
      { IP: '0.0.0.0', PrivatePort: 80, PublicPort: 8080, Type: 'tcp' },
      { PrivatePort: 9000, Type: 'tcp' },
    ],
  );
});
