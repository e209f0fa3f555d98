import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { blockDevice, hostDevices, lookUpDevice, parseDeviceRule } from './devices.ts';
import { mergeTmpfsOptions, rootfsPropagation } from './mounts.ts';
import { ociResources } from './resources.ts';
import { ociRlimits, readLimits } from './rlimits.ts';
import { checkSysctls } from './sysctls.ts';

test('parseDeviceRule: takes types, numbers and stars', () => {
  assert.deepEqual(parseDeviceRule('c 1:3 rwm'), {
    allow: true,
    type: 'c',
    major: 1,
    minor: 3,
    access: 'rwm',
  });
  assert.deepEqual(parseDeviceRule('b 8:* r'), { allow: true, type: 'b', major: 8, access: 'r' });
  assert.deepEqual(parseDeviceRule('a *:* m'), { allow: true, type: 'a', access: 'm' });
  for (const text of ['', 'c 1:3', 'x 1:3 r', 'c 1 r', 'c -1:3 r', 'c 1:3 rx', 'c 1:3 r\n']) {
    assert.throws(() => parseDeviceRule(text), /invalid device cgroup rule format/);
  }
});

test('lookUpDevice: finds the numbers of a node on the host', () => {
  const request = { hostPath: '/dev/null', containerPath: '/dev/void', access: 'rw' };
  const { nodes, rules } = lookUpDevice(request);
  assert.deepEqual(rules, [{ allow: true, type: 'c', major: 1, minor: 3, access: 'rw' }]);
  const [{ path, type, major, minor, fileMode } = {}] = nodes;
  assert.deepEqual([path, type, major, minor, fileMode], ['/dev/void', 'c', 1, 3, 0o666]);
});

test('lookUpDevice: says what is wrong', () => {
  const look = (hostPath: string, access: string) => () =>
    lookUpDevice({ hostPath, containerPath: '/dev/x', access });
  assert.throws(look('/dev/nope', 'r'), /custom device "\/dev\/nope": no such file or directory/);
  assert.throws(look('/etc/passwd', 'r'), /not a device node/);
  assert.throws(look('/etc', 'r'), /not a device node/);
  assert.throws(look('/dev/null', 'rr'), /invalid device mode: rr/);
});

test('hostDevices: lists devices but not those that a container has of its own', () => {
  const paths = hostDevices().map(({ path }) => path);
  assert.ok(paths.length > 0 && paths.every((path) => path.startsWith('/dev/')));
  assert.ok(!paths.includes('/dev/null') && !paths.some((path) => path.startsWith('/dev/pts/')));
});

test('blockDevice: refuses what is none', () => {
  assert.throws(() => blockDevice('/dev/null'), /not a block device/);
  assert.throws(() => blockDevice('/dev/nope'), /no such file/);
});

test('mergeTmpfsOptions: the later of two opposites wins, unknown words are invalid', () => {
  const merged = mergeTmpfsOptions(
    ['noexec', 'nosuid', 'nodev'],
    ['exec', 'size=1m', 'size=64m', 'mode=1777'],
  );
  assert.deepEqual(merged.toSorted(), ['exec', 'mode=1777', 'nodev', 'nosuid', 'size=64m']);
  for (const word of ['bind', 'size', 'size=', 'x=1', 'ro=1']) {
    assert.throws(() => mergeTmpfsOptions([], [word]), /invalid tmpfs option/);
  }
});

test('rootfsPropagation: follows the widest of the mounts', () => {
  const bind = { kind: 'bind', source: '/a', target: '/b', readonly: 'no' } as const;
  assert.equal(rootfsPropagation([bind]), undefined);
  assert.equal(rootfsPropagation([{ ...bind, propagation: 'rslave' }]), 'rslave');
  const both = [{ ...bind, propagation: 'slave' } as const, { ...bind, propagation: 'rshared' } as const];
  assert.equal(rootfsPropagation(both), 'shared');
});

test('ociResources: nothing asked for is nothing set', () => {
  assert.deepEqual(ociResources({ memory: 0, cpuShares: 0, memorySwappiness: -1 }, { swap: true }), {});
});

test('ociResources: CPUs become a quota, swap needs the kernel', () => {
  const input = {
    nanoCpus: 1_500_000_000,
    memory: 1024,
    memorySwap: 2048,
    pidsLimit: -1,
    memorySwappiness: 0,
  };
  assert.deepEqual(ociResources(input, { swap: true }), {
    cpu: { quota: 150_000, period: 100_000 },
    memory: { limit: 1024, swap: 2048, swappiness: 0 },
    pids: { limit: -1 },
  });
  assert.equal(ociResources(input, { swap: false }).memory?.swap, undefined);
  assert.deepEqual(ociResources({ cpuQuota: -1, cpuPeriod: 1000 }, { swap: true }), {
    cpu: { period: 1000 },
  });
});

test('ociResources: block devices', () => {
  const limit = [{ major: 8, minor: 0, value: 100 }];
  const { blockIO } = ociResources(
    { blkioWeight: 300, blkioWeightDevice: limit, blkioReadBps: limit },
    { swap: true },
  );
  assert.deepEqual(blockIO, {
    weight: 300,
    weightDevice: [{ major: 8, minor: 0, weight: 100 }],
    throttleReadBpsDevice: [{ major: 8, minor: 0, rate: 100 }],
  });
});

test("ociRlimits: never above the daemon's own without CAP_SYS_RESOURCE", () => {
  const own = new Map([['nofile', { soft: 10, hard: 100 }]]);
  const limit = fc.integer({ min: -1, max: 1000 });
  fc.assert(
    fc.property(limit, limit, (a, b) => {
      const unlimited = (value: number): number => (value === -1 ? Number.POSITIVE_INFINITY : value);
      const [soft, hard] = unlimited(a) <= unlimited(b) ? [a, b] : [b, a];
      const [result] = ociRlimits([{ name: 'nofile', soft, hard }], { own, mayRaise: false });
      assert.equal(result?.hard, Math.min(unlimited(hard), 100));
      assert.equal(result?.soft, Math.min(unlimited(soft), 100));
    }),
  );
});

test('ociRlimits: unlimited is 2^64-1, and what is wrong is invalid', () => {
  const [free] = ociRlimits([{ name: 'core', soft: -1, hard: -1 }], { own: new Map(), mayRaise: true });
  assert.deepEqual(free, { type: 'RLIMIT_CORE', soft: 2n ** 64n - 1n, hard: 2n ** 64n - 1n });
  const options = { own: new Map(), mayRaise: true };
  assert.throws(() => ociRlimits([{ name: 'as', soft: 1, hard: 1 }], options), /invalid ulimit type: as/);
  assert.throws(() => ociRlimits([{ name: 'cpu', soft: -1, hard: 1 }], options), /less than or equal/);
});

test('readLimits: knows all limits of this process', () => {
  const limits = readLimits();
  assert.equal(limits.size, 15);
  assert.ok((limits.get('nofile')?.hard ?? 0) !== 0);
});

test('checkSysctls: only what has a namespace of its own', () => {
  const own = { pid: 'new', network: 'new', ipc: 'new', uts: 'new', cgroup: 'new' } as const;
  checkSysctls({ 'net.ipv4.ip_forward': '1', 'kernel.shmmax': '1', 'fs.mqueue.msg_max': '1' }, own);
  assert.throws(() => checkSysctls({ 'kernel.panic': '1' }, own), /not in a separate kernel namespace/);
  assert.throws(() => checkSysctls({ 'net/../kernel.panic': '1' }, own), /not a valid name/);
  assert.throws(() => checkSysctls({ 'net.x': '1' }, { ...own, network: 'host' }), /host network namespace/);
  assert.throws(() => checkSysctls({ 'kernel.sem': '1' }, { ...own, ipc: 'host' }), /host ipc namespace/);
});
