import assert from 'node:assert/strict';
import { test } from 'node:test';
import { containerConfig, createBody, execCreateBody, updateBody } from './containers.ts';
import { hostConfig } from './host-config.ts';

test('hostConfig: the zero value is what Docker shows for a container that asked for nothing', () => {
  // HostConfig as a Docker 28.5 daemon decodes `{}`, before it fills in defaults.
  const zero =
    '{"Binds":null,"ContainerIDFile":"","LogConfig":{"Type":"","Config":null},"NetworkMode":"","PortBindings":null,"RestartPolicy":{"Name":"","MaximumRetryCount":0},"AutoRemove":false,"VolumeDriver":"","VolumesFrom":null,"ConsoleSize":[0,0],"CapAdd":null,"CapDrop":null,"CgroupnsMode":"","Dns":null,"DnsOptions":null,"DnsSearch":null,"ExtraHosts":null,"GroupAdd":null,"IpcMode":"","Cgroup":"","Links":null,"OomScoreAdj":0,"PidMode":"","Privileged":false,"PublishAllPorts":false,"ReadonlyRootfs":false,"SecurityOpt":null,"UTSMode":"","UsernsMode":"","ShmSize":0,"Isolation":"","CpuShares":0,"Memory":0,"NanoCpus":0,"CgroupParent":"","BlkioWeight":0,"BlkioWeightDevice":null,"BlkioDeviceReadBps":null,"BlkioDeviceWriteBps":null,"BlkioDeviceReadIOps":null,"BlkioDeviceWriteIOps":null,"CpuPeriod":0,"CpuQuota":0,"CpuRealtimePeriod":0,"CpuRealtimeRuntime":0,"CpusetCpus":"","CpusetMems":"","Devices":null,"DeviceCgroupRules":null,"DeviceRequests":null,"MemoryReservation":0,"MemorySwap":0,"MemorySwappiness":null,"OomKillDisable":null,"PidsLimit":null,"Ulimits":null,"CpuCount":0,"CpuPercent":0,"IOMaximumIOps":0,"IOMaximumBandwidth":0,"MaskedPaths":null,"ReadonlyPaths":null}';
  assert.equal(JSON.stringify(hostConfig({}, '')), zero);
});

test('containerConfig: the zero value', () => {
  assert.equal(
    JSON.stringify(containerConfig({}, '')),
    '{"Hostname":"","Domainname":"","User":"","AttachStdin":false,"AttachStdout":false,"AttachStderr":false,"Tty":false,"OpenStdin":false,"StdinOnce":false,"Env":null,"Cmd":null,"Image":"","Volumes":null,"WorkingDir":"","Entrypoint":null,"OnBuild":null,"Labels":null}',
  );
});

test('createBody: the three parts', () => {
  const {
    config,
    hostConfig: host,
    networking,
  } = createBody(
    {
      Image: 'busybox',
      Cmd: 'true',
      ExposedPorts: { '80/tcp': {} },
      HostConfig: {
        Memory: 5,
        PortBindings: { '80/tcp': [{ HostPort: '8080' }], '81/tcp': null },
        Mounts: [{ Type: 'bind', Source: '/a', Target: '/b', BindOptions: { Propagation: 'rslave' } }],
      },
      NetworkingConfig: { EndpointsConfig: { n: { Aliases: ['x'] }, m: null } },
    },
    '',
  );
  assert.deepEqual(config.Cmd, ['true']);
  assert.deepEqual(host.PortBindings, { '80/tcp': [{ HostIp: '', HostPort: '8080' }], '81/tcp': null });
  assert.deepEqual(host.Mounts, [
    { Type: 'bind', Source: '/a', Target: '/b', BindOptions: { Propagation: 'rslave' } },
  ]);
  assert.deepEqual(networking.EndpointsConfig?.['n']?.Aliases, ['x']);
  assert.equal(networking.EndpointsConfig?.['m'], null);
});

test('createBody: refuses a request without a config', () => {
  for (const body of [{}, null, { HostConfig: {} }, { unknown: 1 }]) {
    assert.throws(() => createBody(body, ''), {
      kind: 'invalid',
      message: 'config cannot be empty in order to create a container',
    });
  }
});

test('createBody: refuses a mount type that does not exist', () => {
  assert.throws(() => createBody({ Image: 'x', HostConfig: { Mounts: [{ Type: 'foo' }] } }, ''), {
    message: 'invalid mount config for type "foo": mount type unknown',
  });
});

test('updateBody: the restart policy stands beside the limits', () => {
  const { resources, restartPolicy } = updateBody({ Memory: 1, RestartPolicy: { Name: 'always' } }, '');
  assert.equal(resources.Memory, 1);
  assert.deepEqual(restartPolicy, { Name: 'always', MaximumRetryCount: 0 });
});

test('execCreateBody: zero values', () => {
  assert.deepEqual(execCreateBody({ Cmd: ['a'] }, '').Cmd, ['a']);
  assert.deepEqual(execCreateBody({}, '').Cmd, []);
});
