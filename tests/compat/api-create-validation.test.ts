import assert from 'node:assert/strict';
import { cpus } from 'node:os';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { TestContainers, valueOf } from '#tests/test-containers.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start();
  containers = new TestContainers(daemon);
  await daemon.loadBusybox();
});

after(() => daemon[Symbol.asyncDispose]());

type Refusal = readonly [request: object, status: number, message: string | RegExp];

async function refuse(cases: readonly Refusal[]): Promise<void> {
  for (const [request, status, message] of cases) {
    const answer = await daemon.ask('POST', '/containers/create', { Image: 'busybox', ...request });
    const { message: said } = valueOf(answer, status) as { message: string };
    if (typeof message === 'string') assert.equal(said, message, JSON.stringify(request));
    else assert.match(said, message, JSON.stringify(request));
  }
  assert.deepEqual(await containers.list(), []);
}

const refuseHost = (cases: readonly Refusal[]): Promise<void> =>
  refuse(cases.map(([HostConfig, status, message]) => [{ HostConfig }, status, message]));

test('create: memory and swap', () =>
  refuseHost([
    [{ Memory: 1000 }, 400, 'Minimum memory limit allowed is 6MB'],
    [
      { Memory: 1e7, MemorySwap: 5e6 },
      400,
      'Minimum memoryswap limit should be larger than memory limit, see usage',
    ],
    [
      { MemorySwap: 5e6 },
      400,
      'You should always set the Memory limit when using Memoryswap limit, see usage',
    ],
    [
      { Memory: 1e7, MemoryReservation: 5e7 },
      400,
      'Minimum memory limit can not be less than memory reservation limit, see usage',
    ],
    [{ MemoryReservation: 5000 }, 400, 'Minimum memory reservation allowed is 6MB'],
    [{ MemorySwappiness: 101 }, 400, 'Invalid value: 101, valid memory swappiness range is 0-100'],
    [{ OomScoreAdj: 2000 }, 400, 'Invalid value 2000, range for oom score adj is [-1000, 1000]'],
    [{ ShmSize: -1 }, 400, 'SHM size can not be less than 0'],
  ]));

test('create: processors', () => {
  const count = cpus().length;
  const range = `range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`;
  return refuseHost([
    [
      { NanoCpus: 1e9, CpuQuota: 1000 },
      400,
      'Conflicting options: Nano CPUs and CPU Quota cannot both be set',
    ],
    [
      { NanoCpus: 1e9, CpuPeriod: 1000 },
      400,
      'Conflicting options: Nano CPUs and CPU Period cannot both be set',
    ],
    [{ NanoCpus: 1e15 }, 400, range],
    [{ NanoCpus: -1 }, 400, range],
    [
      { CpuPeriod: 10 },
      400,
      'CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)',
    ],
    [{ CpuQuota: 10 }, 400, 'CPU cfs quota can not be less than 1ms (i.e. 1000)'],
    [{ CpusetCpus: '0-999' }, 400, /^Requested CPUs are not available - requested 0-999, available: 0/],
    [{ CpusetCpus: 'a' }, 400, 'Invalid value a for cpuset cpus: invalid format: a'],
    [{ CpusetMems: '99' }, 400, /^Requested memory nodes are not available - requested 99, available: 0/],
  ]);
});

test('create: restart policy', () =>
  refuseHost([
    [
      { RestartPolicy: { Name: 'foo' } },
      400,
      "invalid restart policy: unknown policy 'foo'; use one of 'no', 'always', 'on-failure', or 'unless-stopped'",
    ],
    [
      { RestartPolicy: { Name: 'always', MaximumRetryCount: 3 } },
      400,
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    ],
    [
      { RestartPolicy: { Name: 'on-failure', MaximumRetryCount: -3 } },
      400,
      'invalid restart policy: maximum retry count cannot be negative',
    ],
    [
      { AutoRemove: true, RestartPolicy: { Name: 'always' } },
      400,
      "can't create 'AutoRemove' container with restart policy",
    ],
  ]));

test('create: binds', () =>
  refuseHost([
    [
      { Binds: ['foo'] },
      500,
      `invalid volume specification: 'foo': invalid mount config for type "volume": invalid mount path: 'foo' mount path must be absolute`,
    ],
    [
      { Binds: ['/a:b'] },
      500,
      `invalid volume specification: '/a:b': invalid mount config for type "bind": invalid mount path: 'b' mount path must be absolute`,
    ],
    [
      { Binds: ['/a:/'] },
      500,
      `invalid volume specification: '/a:/': invalid mount config for type "bind": invalid specification: destination can't be '/'`,
    ],
    [{ Binds: ['/a:/b:zz'] }, 500, 'invalid mode: zz'],
    [{ Binds: ['/a:/b:ro,rw'] }, 500, 'invalid mode: ro,rw'],
    [{ Binds: ['/a:/b', '/c:/b'] }, 400, 'Duplicate mount point: /b'],
    [
      { Binds: ['a/b:/b'] },
      400,
      'create a/b: "a/b" includes invalid characters for a local volume name, only "[a-zA-Z0-9][a-zA-Z0-9_.-]" are allowed. If you intended to pass a host directory, use absolute path',
    ],
    [{ Binds: ['a:/b:c:d'] }, 500, "invalid volume specification: 'a:/b:c:d'"],
    [{ VolumesFrom: ['nonexist'] }, 400, 'No such container: nonexist'],
  ]));

test('create: mounts', () =>
  refuseHost([
    [
      { Mounts: [{ Type: 'bind', Source: '/nonexist', Target: '/x' }] },
      400,
      'invalid mount config for type "bind": bind source path does not exist: /nonexist',
    ],
    [
      { Mounts: [{ Type: 'bind', Target: '/x' }] },
      400,
      'invalid mount config for type "bind": field Source must not be empty',
    ],
    [
      { Mounts: [{ Type: 'foo', Target: '/x' }] },
      400,
      'invalid mount config for type "foo": mount type unknown',
    ],
    [
      { Mounts: [{ Type: 'tmpfs', Source: '/a', Target: '/x' }] },
      400,
      'invalid mount config for type "tmpfs": field Source must not be specified',
    ],
    [
      { Mounts: [{ Type: 'volume', Source: 'ab', Target: '' }] },
      400,
      'invalid mount config for type "volume": field Target must not be empty',
    ],
    [
      {
        Mounts: [
          { Type: 'volume', Source: 'ab', Target: '/x' },
          { Type: 'tmpfs', Target: '/x' },
        ],
      },
      400,
      'Duplicate mount point: /x',
    ],
    [{ Tmpfs: { x: '' } }, 400, "invalid mount path: 'x' mount path must be absolute"],
  ]));

test('create: namespaces and networks', async () => {
  await refuseHost([
    [
      { NetworkMode: 'container:' },
      400,
      'invalid network mode: invalid container format container:<name|id>',
    ],
    [{ UTSMode: 'foo' }, 400, 'invalid UTS mode: foo'],
    [{ PidMode: 'foo' }, 400, 'invalid PID mode: foo'],
    [{ PidMode: 'container:nonexist' }, 400, 'No such container: nonexist'],
    [{ IpcMode: 'foo' }, 400, 'invalid IPC mode: foo'],
    [{ IpcMode: 'container:nonexist' }, 400, 'No such container: nonexist'],
    [{ CgroupnsMode: 'foo' }, 400, 'invalid cgroup namespace mode: foo'],
    [{ ExtraHosts: ['foo'] }, 400, 'bad format for add-host: "foo"'],
    [{ ExtraHosts: ['foo:bar'] }, 400, 'invalid IP address in add-host: "bar"'],
    [{ Links: ['foo'] }, 400, 'could not get container for foo: No such container: foo'],
    [{ PortBindings: { '80/tcp': [{ HostPort: 'abc' }] } }, 400, 'invalid port specification: "abc"'],
    [{ PortBindings: { '80000/tcp': [{ HostPort: '80' }] } }, 400, 'invalid port specification: "80000"'],
    [{ PortBindings: { '80/tcp': [{ HostPort: '99999' }] } }, 400, 'invalid port specification: "99999"'],
  ]);
  await refuse([
    [
      { Hostname: 'a', HostConfig: { NetworkMode: 'container:x' } },
      400,
      'conflicting options: hostname and the network mode',
    ],
    [
      {
        NetworkingConfig: { EndpointsConfig: { bridge: { IPAMConfig: { IPv4Address: 'x' } } } },
      },
      400,
      'invalid config for network bridge: invalid endpoint settings:\n* user specified IP address is supported on user defined networks only\n* invalid IPv4 address: x\n* user specified IP address is supported only when connecting to networks with user configured subnets',
    ],
    [
      { Hostname: 'a', HostConfig: { UTSMode: 'host' } },
      400,
      'conflicting options: hostname and the UTS mode',
    ],
  ]);
});

test('create: rights, logs, runtime', () =>
  refuseHost([
    [{ CapAdd: ['FOO'] }, 400, 'invalid CapAdd: unknown capability: "CAP_FOO"'],
    [{ CapDrop: ['FOO'] }, 400, 'invalid CapDrop: unknown capability: "CAP_FOO"'],
    [{ SecurityOpt: ['foo'] }, 500, 'invalid --security-opt 1: "foo"'],
    [{ SecurityOpt: ['foo=bar'] }, 500, 'invalid --security-opt 2: "foo=bar"'],
    [{ LogConfig: { Type: 'foo' } }, 400, 'error looking up logging plugin foo: plugin "foo" not found'],
    [
      { LogConfig: { Type: 'json-file', Config: { foo: 'bar' } } },
      400,
      "unknown log opt 'foo' for json-file log driver",
    ],
    [{ LogConfig: { Type: 'syslog' } }, 501, 'the log driver "syslog" is not implemented'],
    [{ Runtime: 'foo' }, 400, 'unknown or invalid runtime name: foo'],
    [
      { Annotations: { '': 'a' } },
      400,
      'invalid Annotations: the empty string is not permitted as an annotation key',
    ],
    [
      { VolumeDriver: 'foo', Binds: ['data:/data'] },
      404,
      'create data: error looking up volume plugin foo: plugin "foo" not found',
    ],
    [{ Isolation: 'foo' }, 400, "invalid isolation (foo): linux only supports 'default'"],
    [{ StorageOpt: { size: '1G' } }, 501, /--storage-opt is not implemented/],
  ]));

test('create: the config', async () => {
  await refuse([
    [{ Image: '' }, 400, 'no command specified'],
    [{ Image: 'nonexist' }, 404, 'No such image: nonexist:latest'],
    [{ Image: 'UPPER' }, 400, /invalid reference format/],
    [{ WorkingDir: 'rel' }, 400, "the working directory 'rel' is invalid, it needs to be an absolute path"],
    [{ Env: ['=x'] }, 400, 'invalid environment variable: =x'],
    [{ Env: [''] }, 400, 'invalid environment variable: '],
    [{ StopSignal: 'FOO' }, 400, 'invalid signal: FOO'],
    [
      { Healthcheck: { Interval: 5 } },
      400,
      /Interval in Healthcheck cannot be less than (1ms|one millisecond)/,
    ],
  ]);
  for (const [name, status, message] of [
    ['a%20b', 400, 'Invalid container name (a b), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed'],
    ['a', 400, 'Invalid container name (a), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed'],
  ] as const) {
    const answer = await containers.tryCreate({ name });
    assert.deepEqual(valueOf(answer, status), { message });
  }
});

test('create: for a platform', async () => {
  const create = (platform: string): Promise<unknown> =>
    daemon.json('POST', `/containers/create?platform=${platform}`, { Image: 'busybox' });
  assert.deepEqual(await create('bogus/x/y/z'), {
    status: 400,
    value: { message: '"bogus/x/y/z": cannot parse platform specifier: invalid argument' },
  });
  const { status, value } = (await create('linux/s390x')) as { status: number; value: { message: string } };
  assert.equal(status, 404);
  assert.match(
    value.message,
    /^image with reference busybox was found but its platform \(linux\/\w+\) does not match the specified platform \(linux\/s390x\)$/,
  );
});

test('create: what is looked at when the container starts only', async () => {
  for (const [host, message] of [
    [{ NetworkMode: 'nonexist' }, /network nonexist not found/],
    [
      { NetworkMode: 'container:nonexist' },
      /joining network namespace of container: No such container: nonexist/,
    ],
    [{ Tmpfs: { '/x': 'foo=bar' } }, /foo/],
    [{ Dns: ['x'] }, /bad nameserver address x: ParseAddr\("x"\): unable to parse IP/],
    [{ Ulimits: [{ Name: 'foo', Soft: 1, Hard: 1 }] }, /invalid ulimit type: foo/],
    [{ SecurityOpt: ['seccomp={bad'] }, /seccomp/],
    [
      { Devices: [{ PathOnHost: '/dev/nonexist', PathInContainer: '/dev/x', CgroupPermissions: 'rwm' }] },
      /\/dev\/nonexist/,
    ],
    [{ DeviceCgroupRules: ['foo'] }, /invalid device cgroup rule format: 'foo'/],
    [{ GroupAdd: ['nonexist'] }, /unable to find group nonexist/],
    [{ Sysctls: { foo: 'bar' } }, /foo/],
  ] as const) {
    const id = await containers.create({ host });
    const answer = await daemon.ask('POST', `/containers/${id}/start`);
    assert.ok(answer.status >= 400 && answer.status !== 501, `${JSON.stringify(host)}: ${answer.status}`);
    assert.match((JSON.parse(answer.body.toString()) as { message: string }).message, message);
    const { State } = await containers.inspect(id);
    assert.deepEqual([State.Status, State.Running], ['created', false]);
    assert.match(State.Error, message);
    await containers.remove(id);
  }
});

test('create: warnings', async () => {
  const id = await containers.create();
  await containers.remove(id);
  for (const [HostConfig, warning] of [
    [
      { OomKillDisable: true },
      'OOM killer is disabled for the container, but no memory limit is set, this can result in the system running out of resources.',
    ],
    [
      { NetworkMode: 'host', PortBindings: { '80/tcp': [{ HostPort: '8080' }] } },
      'Published ports are discarded when using host network mode',
    ],
  ] as const) {
    const { value } = await daemon.json('POST', '/containers/create', { Image: 'busybox', HostConfig });
    const { Id, Warnings } = value as { Id: string; Warnings: string[] };
    assert.deepEqual(Warnings, [warning]);
    await containers.remove(Id);
  }
});
