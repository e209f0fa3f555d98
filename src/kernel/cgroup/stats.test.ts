import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { isSystemError } from '#/base/errors.ts';
import { type CgroupLayout, cgroupDirs, detectCgroups } from './layout.ts';
import { cgroupPids, removeCgroup } from './processes.ts';
import { oomKills, readCgroupStats } from './stats.ts';

/** A group that no other run of this test uses. */
const group = `/skiff-unit-${process.pid}-${Date.now().toString(36)}`;

/** Waits until the kernel has let go of processes that ended. */
async function removeSoon(layout: CgroupLayout): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      removeCgroup(layout, group);
      return;
    } catch (error) {
      if (!isSystemError(error, 'EBUSY') || attempt === 200) throw error;
      await delay(10);
    }
  }
}

test('readCgroupStats: a real group with a process that works', async () => {
  const layout = detectCgroups();
  // In v1's cpuset a group takes no process before it has been given CPUs.
  const dirs = cgroupDirs(layout, group).filter((dir) => !dir.includes('cpuset'));
  const child = spawn('sh', [
    '-c',
    'read go; i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done; echo done; read stop',
  ]);
  const ended = once(child, 'exit');
  const pid = child.pid ?? 0;
  try {
    for (const dir of dirs) mkdirSync(join(dir, 'below'), { recursive: true });
    for (const dir of dirs) writeFileSync(join(dir, 'below', 'cgroup.procs'), String(pid));
    assert.deepEqual(cgroupPids(layout, group), [pid]);
    assert.throws(() => removeCgroup(layout, group), { code: 'EBUSY' });
    child.stdin.write('\n');
    await once(child.stdout, 'data');
    const stats = readCgroupStats(layout, group);
    assert.ok(stats.cpu.total > 10_000_000, `${stats.cpu.total} ns of CPU time`);
    // v1 samples these two at each clock tick, so they can be well off the exact total.
    const { user, system } = stats.cpu;
    assert.ok(user + system > 0, `user ${user}, system ${system} of ${stats.cpu.total} ns`);
    assert.equal(stats.pids.current, 1);
    assert.equal(stats.pids.limit, undefined);
    assert.ok(stats.memory.usage > 0 && stats.memory.maxUsage >= stats.memory.usage);
    assert.equal(stats.memory.limit, undefined);
    assert.ok(Object.keys(stats.memory.stat).length > 10);
    assert.equal(oomKills(layout, group), 0);
  } finally {
    child.kill('SIGKILL');
    await ended;
    await removeSoon(layout);
  }
  assert.deepEqual(dirs.filter(existsSync), []);
  assert.deepEqual(cgroupPids(layout, group), []);
  removeCgroup(layout, group);
});

test('readCgroupStats: a group that is gone has used nothing', () => {
  const stats = readCgroupStats(detectCgroups(), `${group}-none`);
  assert.equal(stats.cpu.total, 0);
  assert.deepEqual(stats.memory, {
    usage: 0,
    maxUsage: 0,
    limit: undefined,
    failures: 0,
    stat: {},
    oomKills: 0,
  });
  assert.deepEqual(stats.pids, { current: 0, limit: undefined });
  assert.deepEqual(stats.blkio, { bytes: [], operations: [] });
});

function writeFiles(dir: string, files: Readonly<Record<string, string>>): void {
  mkdirSync(dir, { recursive: true });
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text);
}

// No host has all layouts; these are files as the kernel writes them.
test('readCgroupStats: the files of v2', () => {
  const v2 = mkdtempSync(join(tmpdir(), 'cgroup2-'));
  writeFiles(join(v2, 'g'), {
    'cpu.stat':
      'usage_usec 3000\nuser_usec 1000\nsystem_usec 2000\nnice_usec 0\nnr_periods 10\nnr_throttled 4\nthrottled_usec 77\n',
    'memory.current': '4096\n',
    'memory.peak': '8192\n',
    'memory.max': '1048576\n',
    'memory.stat': 'anon 1\nfile 2\ninactive_file 3\n',
    'memory.events': 'low 0\nhigh 0\nmax 5\noom 1\noom_kill 2\noom_group_kill 0\n',
    'pids.current': '3\n',
    'pids.max': 'max\n',
    'io.stat': '8:0 rbytes=4096 wbytes=512 rios=1 wios=2 dbytes=0 dios=0\n259:1 \n',
  });
  const layout: CgroupLayout = {
    mode: 'v2',
    v1: new Map(),
    v2,
    v2Controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'],
  };
  const [first, second] = [
    { major: 8, minor: 0 },
    { major: 8, minor: 0 },
  ];
  assert.deepEqual(readCgroupStats(layout, '/g'), {
    cpu: {
      total: 3_000_000,
      user: 1_000_000,
      system: 2_000_000,
      perCpu: [],
      periods: 10,
      throttledPeriods: 4,
      throttledTime: 77_000,
    },
    memory: {
      usage: 4096,
      maxUsage: 8192,
      limit: 1048576,
      failures: 5,
      stat: { anon: 1, file: 2, inactive_file: 3 },
      oomKills: 2,
    },
    pids: { current: 3, limit: undefined },
    blkio: {
      bytes: [
        { ...first, op: 'read', value: 4096 },
        { ...first, op: 'write', value: 512 },
        { ...first, op: 'discard', value: 0 },
      ],
      operations: [
        { ...second, op: 'read', value: 1 },
        { ...second, op: 'write', value: 2 },
        { ...second, op: 'discard', value: 0 },
      ],
    },
  });
  assert.equal(oomKills(layout, '/g'), 2);
  rmSync(v2, { recursive: true });
});

test('readCgroupStats: the files of v1', () => {
  const root = mkdtempSync(join(tmpdir(), 'cgroup1-'));
  const names = ['cpu', 'cpuacct', 'memory', 'pids', 'blkio'];
  writeFiles(join(root, 'cpu/g'), { 'cpu.stat': 'nr_periods 9\nnr_throttled 3\nthrottled_time 123\n' });
  writeFiles(join(root, 'cpuacct/g'), {
    'cpuacct.usage': '30\n',
    'cpuacct.usage_user': '10\n',
    'cpuacct.usage_sys': '20\n',
    'cpuacct.usage_percpu': '14 16 \n',
  });
  writeFiles(join(root, 'memory/g'), {
    'memory.usage_in_bytes': '100\n',
    'memory.max_usage_in_bytes': '200\n',
    'memory.limit_in_bytes': '9223372036854771712\n',
    'memory.failcnt': '6\n',
    'memory.stat': 'cache 1\ntotal_inactive_file 2\n',
    'memory.oom_control': 'oom_kill_disable 0\nunder_oom 0\noom_kill 1\n',
  });
  writeFiles(join(root, 'pids/g'), { 'pids.current': '5\n', 'pids.max': '100\n' });
  writeFiles(join(root, 'blkio/g'), {
    'blkio.throttle.io_service_bytes_recursive': '254:0 Read 10\n254:0 Write 20\n254:0 Total 30\nTotal 30\n',
    'blkio.throttle.io_serviced_recursive': '254:0 Sync 1\nTotal 1\n',
  });
  const layout: CgroupLayout = {
    mode: 'v1',
    v1: new Map(names.map((name) => [name, join(root, name)])),
    v2: undefined,
    v2Controllers: [],
  };
  const device = { major: 254, minor: 0 };
  assert.deepEqual(readCgroupStats(layout, '/g'), {
    cpu: {
      total: 30,
      user: 10,
      system: 20,
      perCpu: [14, 16],
      periods: 9,
      throttledPeriods: 3,
      throttledTime: 123,
    },
    memory: {
      usage: 100,
      maxUsage: 200,
      limit: undefined,
      failures: 6,
      stat: { cache: 1, total_inactive_file: 2 },
      oomKills: 1,
    },
    pids: { current: 5, limit: 100 },
    blkio: {
      bytes: [
        { ...device, op: 'read', value: 10 },
        { ...device, op: 'write', value: 20 },
        { ...device, op: 'total', value: 30 },
      ],
      operations: [{ ...device, op: 'sync', value: 1 }],
    },
  });
  rmSync(root, { recursive: true });
});
