import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { controllerDirectory, detectCgroups, hasController } from '#/kernel/cgroup/layout.ts';
import { removeCgroup } from '#/kernel/cgroup/processes.ts';
import { TestDaemon } from '#tests/daemon.ts';
import { leakCheck } from '#tests/leak-check.ts';
import { TestContainers, valueOf } from '#tests/test-containers.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
  await containers.runToEnd({ cmd: 'true' });
});

after(() => daemon[Symbol.asyncDispose]());

const layout = detectCgroups();
const MiB = 1 << 20;

/** A file of a control group and what it has to say: in v1, in v2. */
type Expected = readonly [controller: string, v1: readonly [string, string], v2: readonly [string, string]];

/** Text of a file in the control group of a container, below `parent`. */
function groupFile(id: string, file: Expected, parent: string = daemon.cgroupParent): [string, string] {
  const [controller, v1, v2] = file;
  const found = controllerDirectory(layout, controller, join(parent, id));
  assert.ok(found !== undefined, `the controller ${controller} is there`);
  const [name, expected] = found.version === 1 ? v1 : v2;
  return [readFileSync(join(found.directory, name), 'utf8').trim().replaceAll('\t', ' '), expected];
}

const blockDevice = ((): { path: string; number: string } => {
  const source = ['/dev/vda', '/dev/sda', '/dev/nvme0n1', '/dev/loop0'].find((path) => existsSync(path));
  assert.ok(source !== undefined, 'this machine has a block device');
  const { rdev } = statSync(source);
  return { path: source, number: `${rdev >> 8}:${rdev & 0xff}` };
})();
const rate = (Rate: number): readonly unknown[] => [{ Path: blockDevice.path, Rate }];
const throttle = (kind: string, v2: string, value: number): Expected => [
  'blkio',
  [`blkio.throttle.${kind}_device`, `${blockDevice.number} ${value}`],
  ['io.max', v2],
];
const ioMax = (changed: string): string => {
  const words = ['rbps=max', 'wbps=max', 'riops=max', 'wiops=max'];
  const key = changed.slice(0, changed.indexOf('='));
  return `${blockDevice.number} ${words.map((word) => (word.startsWith(key) ? changed : word)).join(' ')}`;
};

const limits: readonly (readonly [
  title: string,
  host: Readonly<Record<string, unknown>>,
  ...expected: Expected[],
])[] = [
  [
    'memory, and swap as large',
    { Memory: 32 * MiB },
    ['memory', ['memory.limit_in_bytes', `${32 * MiB}`], ['memory.max', `${32 * MiB}`]],
    ['memory', ['memory.memsw.limit_in_bytes', `${64 * MiB}`], ['memory.swap.max', `${32 * MiB}`]],
  ],
  [
    'memory and swap',
    { Memory: 32 * MiB, MemorySwap: 48 * MiB },
    ['memory', ['memory.memsw.limit_in_bytes', `${48 * MiB}`], ['memory.swap.max', `${16 * MiB}`]],
  ],
  [
    'memory without swap',
    { Memory: 32 * MiB, MemorySwap: 32 * MiB },
    ['memory', ['memory.memsw.limit_in_bytes', `${32 * MiB}`], ['memory.swap.max', '0']],
  ],
  [
    'memory reservation',
    { MemoryReservation: 24 * MiB },
    ['memory', ['memory.soft_limit_in_bytes', `${24 * MiB}`], ['memory.low', `${24 * MiB}`]],
  ],
  [
    'swappiness, which v2 does not have',
    { Memory: 32 * MiB, MemorySwappiness: 33 },
    ['memory', ['memory.swappiness', '33'], ['memory.max', `${32 * MiB}`]],
  ],
  [
    'no killing when memory runs out, which v2 does not have',
    { Memory: 32 * MiB, OomKillDisable: true },
    [
      'memory',
      ['memory.oom_control', 'oom_kill_disable 1\nunder_oom 0\noom_kill 0'],
      ['memory.max', `${32 * MiB}`],
    ],
  ],
  [
    'CPUs',
    { NanoCpus: 500_000_000 },
    ['cpu', ['cpu.cfs_quota_us', '50000'], ['cpu.max', '50000 100000']],
    ['cpu', ['cpu.cfs_period_us', '100000'], ['cpu.max', '50000 100000']],
  ],
  [
    'CPU quota and period',
    { CpuQuota: 20_000, CpuPeriod: 50_000 },
    ['cpu', ['cpu.cfs_quota_us', '20000'], ['cpu.max', '20000 50000']],
    ['cpu', ['cpu.cfs_period_us', '50000'], ['cpu.max', '20000 50000']],
  ],
  ['CPU shares', { CpuShares: 512 }, ['cpu', ['cpu.shares', '512'], ['cpu.weight', '20']]],
  [
    'places of CPUs and memory',
    { CpusetCpus: '0', CpusetMems: '0' },
    ['cpuset', ['cpuset.cpus', '0'], ['cpuset.cpus', '0']],
    ['cpuset', ['cpuset.mems', '0'], ['cpuset.mems', '0']],
  ],
  ['processes', { PidsLimit: 77 }, ['pids', ['pids.max', '77'], ['pids.max', '77']]],
  [
    'bytes read from a block device',
    { BlkioDeviceReadBps: rate(2 * MiB) },
    throttle('read_bps', ioMax(`rbps=${2 * MiB}`), 2 * MiB),
  ],
  [
    'bytes written to a block device',
    { BlkioDeviceWriteBps: rate(3 * MiB) },
    throttle('write_bps', ioMax(`wbps=${3 * MiB}`), 3 * MiB),
  ],
  [
    'reads from a block device',
    { BlkioDeviceReadIOps: rate(400) },
    throttle('read_iops', ioMax('riops=400'), 400),
  ],
  [
    'writes to a block device',
    { BlkioDeviceWriteIOps: rate(500) },
    throttle('write_iops', ioMax('wiops=500'), 500),
  ],
];

for (const [title, host, ...expected] of limits) {
  test(`limits: ${title}`, async (t) => {
    if (expected.some(([controller]) => !hasController(layout, controller))) {
      t.skip('the kernel has no such controller');
      return;
    }
    await leakCheck(daemon, async () => {
      const id = await containers.run({ host });
      for (const file of expected) {
        const [found, wanted] = groupFile(id, file);
        assert.equal(found, wanted, file[0]);
      }
      await containers.remove(id);
    });
  });
}

test('limits: what this kernel cannot keep is left out, with a warning', async () => {
  const host = { Memory: 32 * MiB, MemorySwappiness: 33, OomKillDisable: true };
  const { Id, Warnings } = valueOf(await containers.tryCreate({ host }), 201) as {
    Id: string;
    Warnings: readonly string[];
  };
  await containers.post(`${Id}/start`, 204);
  const { HostConfig } = (await containers.inspect(Id)) as unknown as {
    HostConfig: Readonly<Record<string, unknown>>;
  };
  const kept = [HostConfig['MemorySwappiness'], HostConfig['OomKillDisable'], Warnings.length];
  assert.deepEqual(kept, layout.mode === 'v2' ? [null, null, 2] : [33, true, 0]);
  await containers.remove(Id);
});

test('limits: a change while the container runs is in force at once', async () => {
  const id = await containers.run({ host: { Memory: 32 * MiB, PidsLimit: 50 } });
  await containers.post(`${id}/update`, 200, {
    Memory: 40 * MiB,
    MemorySwap: 80 * MiB,
    PidsLimit: 60,
    CpuShares: 256,
  });
  const changed: readonly Expected[] = [
    ['memory', ['memory.limit_in_bytes', `${40 * MiB}`], ['memory.max', `${40 * MiB}`]],
    ['memory', ['memory.memsw.limit_in_bytes', `${80 * MiB}`], ['memory.swap.max', `${40 * MiB}`]],
    ['pids', ['pids.max', '60'], ['pids.max', '60']],
    ['cpu', ['cpu.shares', '256'], ['cpu.weight', '10']],
  ];
  for (const file of changed) {
    const [found, wanted] = groupFile(id, file);
    assert.equal(found, wanted, file[0]);
  }
  await containers.remove(id);
});

test('limits: those of processes and CPU time can go while the container runs', async () => {
  const id = await containers.run({ host: { PidsLimit: 50, CpuQuota: 20_000, CpuPeriod: 100_000 } });
  // Older versions of the API have no limit of processes to change.
  await daemon.ask('POST', `/v1.39/containers/${id}/update`, { PidsLimit: 0 });
  assert.equal(groupFile(id, ['pids', ['pids.max', '50'], ['pids.max', '50']])[0], '50');
  await containers.post(`${id}/update`, 200, { PidsLimit: -1, CpuQuota: -1 });
  const changed: readonly Expected[] = [
    ['pids', ['pids.max', 'max'], ['pids.max', 'max']],
    ['cpu', ['cpu.cfs_quota_us', '-1'], ['cpu.max', 'max 100000']],
  ];
  for (const file of changed) {
    const [found, wanted] = groupFile(id, file);
    assert.equal(found, wanted, file[0]);
  }
  await containers.remove(id);
});

test('limits: writable control groups are asked for by a security option', async () => {
  const cmd = 'cd /sys/fs/cgroup; [ -d pids ] && cd pids; mkdir mine';
  for (const [option, code] of [
    ['writable-cgroups', 0],
    ['writable-cgroups=true', 0],
    ['writable-cgroups=false', 1],
  ] as const) {
    const { exitCode, output } = await containers.runToEnd({ cmd, host: { SecurityOpt: [option] } });
    assert.equal(exitCode, code, `${option}: ${output}`);
  }
  await containers.tryCreate({ host: { SecurityOpt: ['writable-cgroups=1'] } }).then((answer) => {
    assert.match(answer.body.toString(), /invalid --security-opt 2: \\"writable-cgroups=1\\"/);
  });
});

test('limits: the cgroup parent that is asked for', async () => {
  const parent = `${daemon.cgroupParent}-other`;
  const id = await containers.run({ host: { CgroupParent: parent, PidsLimit: 33 } });
  const [found, wanted] = groupFile(id, ['pids', ['pids.max', '33'], ['pids.max', '33']], parent);
  assert.equal(found, wanted);
  const { Pid } = (await containers.inspect(id)).State;
  assert.ok(readFileSync(`/proc/${Pid}/cgroup`, 'utf8').includes(`${parent}/${id}`));
  await containers.remove(id);
  assert.equal(existsSync(controllerDirectory(layout, 'pids', join(parent, id))?.directory ?? ''), false);
  removeCgroup(layout, parent);
});

test('limits: too much memory ends the container, and it is noted that it was that', async () => {
  const id = await containers.run({
    cmd: 'x=$(head -c 100m /dev/zero | tr "\\0" x); echo ${#x}',
    host: { Memory: 16 * MiB, MemorySwap: 16 * MiB },
  });
  assert.equal(await containers.exitCode(id), 137);
  assert.equal((await containers.inspect(id)).State.OOMKilled, true);
  await containers.remove(id);
});

test('limits: oom score, ulimits (never above what the daemon may give), sysctls, size of /dev/shm', async () => {
  const own = execFileSync('sh', ['-c', 'ulimit -Hn'], { encoding: 'utf8' }).trim();
  const most = own === 'unlimited' ? 4096 : Math.min(4096, Number(own));
  const { output, exitCode } = await containers.runToEnd({
    cmd: [
      'cat /proc/self/oom_score_adj',
      'ulimit -Sn; ulimit -Hn',
      'ulimit -Hc; ulimit -Ht',
      'cat /proc/sys/kernel/msgmax /proc/sys/net/core/somaxconn',
      'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2',
    ].join('; '),
    host: {
      OomScoreAdj: 321,
      Ulimits: [
        { Name: 'nofile', Soft: 1000, Hard: most },
        { Name: 'core', Soft: 0, Hard: 0 },
        { Name: 'cpu', Soft: 30, Hard: 60 },
      ],
      Sysctls: { 'kernel.msgmax': '4000', 'net.core.somaxconn': '77' },
      ShmSize: 8 * MiB,
    },
  });
  assert.equal(exitCode, 0, output);
  assert.deepEqual(output.trim().split('\n'), [
    '321',
    '1000',
    String(most),
    '0',
    '60',
    '4000',
    '77',
    String(8 << 10),
  ]);
  const above = await containers.runToEnd({
    cmd: 'ulimit -Hn',
    host: { Ulimits: [{ Name: 'nofile', Soft: 1024, Hard: 1_048_576 }] },
  });
  assert.match(above.output, /^\d+\n$/);
  assert.ok(Number(above.output) <= 1_048_576);
});

/** The namespaces of a container by kind, as the host sees them. */
async function namespacesOf(id: string): Promise<Record<string, string>> {
  const { Pid } = (await containers.inspect(id)).State;
  return namespacesOfPid(Pid);
}

function namespacesOfPid(pid: number): Record<string, string> {
  const kinds = ['cgroup', 'ipc', 'mnt', 'net', 'pid', 'uts'];
  return Object.fromEntries(kinds.map((kind) => [kind, readlinkSync(`/proc/${pid}/ns/${kind}`)]));
}

test('namespaces: of its own, of the host, of another container', async () => {
  await leakCheck(daemon, async () => {
    const host = namespacesOfPid(daemon.pid);
    const other = await containers.run({ name: 'other', host: { IpcMode: 'shareable' } });
    const others = await namespacesOf(other);
    const modes: readonly (readonly [
      Record<string, unknown>,
      kind: string,
      'own' | Readonly<Record<string, string>>,
    ])[] = [
      [{}, 'pid', 'own'],
      [{}, 'uts', 'own'],
      [{}, 'net', 'own'],
      [{ IpcMode: 'private' }, 'ipc', 'own'],
      [{ IpcMode: 'none' }, 'ipc', 'own'],
      [{ CgroupnsMode: 'private' }, 'cgroup', 'own'],
      [{ CgroupnsMode: 'host' }, 'cgroup', host],
      [{ PidMode: 'host' }, 'pid', host],
      [{ IpcMode: 'host' }, 'ipc', host],
      [{ UTSMode: 'host' }, 'uts', host],
      [{ NetworkMode: 'host' }, 'net', host],
      [{ PidMode: 'container:other' }, 'pid', others],
      [{ IpcMode: 'container:other' }, 'ipc', others],
      [{ NetworkMode: 'container:other' }, 'net', others],
    ];
    for (const [mode, kind, expected] of modes) {
      const id = await containers.run({ host: mode });
      const found = (await namespacesOf(id))[kind];
      const what = JSON.stringify(mode);
      if (expected === 'own') assert.ok(found !== host[kind] && found !== others[kind], what);
      else assert.equal(found, expected[kind], what);
      await containers.remove(id);
    }
    await containers.remove(other);
  });
});

test('namespaces: /dev/shm goes with the IPC namespace; one that is private cannot be joined', async () => {
  await leakCheck(daemon, async () => {
    const donor = await containers.run({ name: 'donor', host: { IpcMode: 'shareable' } });
    const lonely = await containers.run({ name: 'lonely', host: { IpcMode: 'private' } });
    assert.equal((await containers.exec(donor, 'echo shared >/dev/shm/x')).exitCode, 0);
    const joined = { cmd: 'cat /dev/shm/x', host: { IpcMode: 'container:donor' } };
    assert.equal((await containers.runToEnd(joined)).output, 'shared\n');
    const none = await containers.runToEnd({
      cmd: 'grep -c " /dev/shm " /proc/mounts',
      host: { IpcMode: 'none' },
    });
    assert.equal(none.output, '0\n');
    const refused = await containers.create({ host: { IpcMode: 'container:lonely' } });
    const { message } = (await containers.post(`${refused}/start`, 500)) as { message: string };
    assert.match(message, /non-shareable IPC \(hint: use IpcMode:shareable for the donor container\)$/);
    for (const id of [donor, lonely, refused]) await containers.remove(id);
  });
});

test('devices: one, a whole directory, and only what was asked for may be done', async () => {
  await leakCheck(daemon, async () => {
    const device = (path: string, inside: string, access: string): Record<string, unknown> => ({
      Devices: [{ PathOnHost: path, PathInContainer: inside, CgroupPermissions: access }],
    });
    const readable = await containers.runToEnd({
      cmd: 'head -c1 /dev/mine | wc -c; echo x >/dev/mine',
      host: device('/dev/zero', '/dev/mine', 'rwm'),
    });
    assert.deepEqual(readable, { exitCode: 0, output: '1\n' });
    const block = blockDevice.path;
    const denied = await containers.runToEnd({
      cmd: 'ls /dev/disk >/dev/null && { : <>/dev/disk; } 2>&1',
      host: device(block, '/dev/disk', 'r'),
    });
    assert.match(denied.output, /Operation not permitted/);
    const folder = await containers.runToEnd({
      cmd: 'ls /dev/net-of-host',
      host: device('/dev/net', '/dev/net-of-host', 'rwm'),
    });
    assert.equal(folder.output, 'tun\n');
  });
});

test('binds: read-only holds for what is mounted below, unless that is not wanted', async () => {
  await leakCheck(daemon, async () => {
    const bind = (BindOptions: Record<string, unknown>): Record<string, unknown> => ({
      Mounts: [{ Type: 'bind', Source: daemon.dir, Target: '/host', ReadOnly: true, BindOptions }],
    });
    const id = await containers.run({ host: { IpcMode: 'shareable' } });
    const cmd = `touch /host/x; touch /host/run/shm/${id}/shm/y && echo below`;
    const both = await containers.runToEnd({ cmd, host: bind({}) });
    assert.doesNotMatch(both.output, /below/);
    const top = await containers.runToEnd({ cmd, host: bind({ ReadOnlyNonRecursive: true }) });
    assert.match(top.output, /host\/x: Read-only file system/);
    assert.match(top.output, /^below$/m);
    const alone = await containers.runToEnd({
      cmd: `ls -A /host/run/shm/${id}/shm`,
      host: bind({ NonRecursive: true }),
    });
    assert.equal(alone.output, '');
    await containers.remove(id);
  });
});
