import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { CgroupSupport } from '#/kernel/cgroup/support.ts';
import { discardUnsupported } from './discard-unsupported.ts';

const everything: CgroupSupport = {
  memory: true,
  swap: true,
  swappiness: true,
  oomKillDisable: true,
  pids: true,
  cpu: true,
  cpuset: true,
  blkioWeight: true,
};
const nothing = Object.fromEntries(
  Object.keys(everything).map((key) => [key, false]),
) as unknown as CgroupSupport;

const unlimited = {
  BlkioWeight: 0,
  BlkioWeightDevice: null,
  CpuPeriod: 0,
  CpuQuota: 0,
  CpuShares: 0,
  CpusetCpus: '',
  CpusetMems: '',
  Memory: 0,
  MemoryReservation: 0,
  MemorySwap: 0,
  MemorySwappiness: null,
  NanoCpus: 0,
  OomKillDisable: null,
  PidsLimit: null,
};
const limited = {
  ...unlimited,
  BlkioWeight: 300,
  BlkioWeightDevice: [{ Path: '/dev/vda', Weight: 200 }],
  CpuQuota: 20_000,
  CpuShares: 512,
  CpusetCpus: '0',
  Memory: 64 << 20,
  MemoryReservation: 32 << 20,
  MemorySwap: 128 << 20,
  MemorySwappiness: 10,
  OomKillDisable: true,
  PidsLimit: 9,
};

test('discardUnsupported: keeps what the kernel can do', () => {
  assert.deepEqual(discardUnsupported(limited, everything), { host: limited, warnings: [] });
});

test('discardUnsupported: leaves out what it cannot do, and says so', () => {
  const { host, warnings } = discardUnsupported(limited, nothing);
  assert.deepEqual(host, { ...unlimited, MemorySwap: -1, BlkioWeightDevice: [] });
  assert.deepEqual(
    warnings.map((warning) => warning.replace('Your kernel does not support ', '')),
    [
      'memory limit capabilities or the cgroup is not mounted. Limitation discarded.',
      'memory swappiness capabilities or the cgroup is not mounted. Memory swappiness discarded.',
      'memory soft limit capabilities or the cgroup is not mounted. Limitation discarded.',
      'OomKillDisable. OomKillDisable discarded.',
      'PIDs limit capabilities or the cgroup is not mounted. PIDs limit discarded.',
      'CPU shares or the cgroup is not mounted. Shares discarded.',
      'CPU CFS scheduler. CPU period/quota discarded.',
      'cpuset or the cgroup is not mounted. Cpuset discarded.',
      'Block I/O weight or the cgroup is not mounted. Weight discarded.',
      'Block I/O weight_device or the cgroup is not mounted. Weight-device discarded.',
    ],
  );
});

test('discardUnsupported: v2 has no choice about killing, which is no limit, and weighs memory otherwise', () => {
  const v2 = { ...everything, swappiness: false, oomKillDisable: false };
  const { host, warnings } = discardUnsupported({ ...limited, OomKillDisable: false }, v2);
  assert.deepEqual(host, { ...limited, MemorySwappiness: null, OomKillDisable: null });
  assert.equal(warnings.length, 1);
  assert.deepEqual(discardUnsupported({ ...unlimited, MemorySwappiness: -1 }, v2).warnings, []);
});

test('discardUnsupported: without limits of swap, memory is limited alone', () => {
  const { host, warnings } = discardUnsupported(limited, { ...everything, swap: false });
  assert.deepEqual(host, { ...limited, MemorySwap: -1 });
  assert.match(warnings.join(), /^Your kernel does not support swap limit .* Memory limited without swap\.$/);
});

test('discardUnsupported: a number of CPUs that cannot be kept is an error', () => {
  assert.throws(() => discardUnsupported({ ...unlimited, NanoCpus: 1e9 }, nothing), { kind: 'invalid' });
});
