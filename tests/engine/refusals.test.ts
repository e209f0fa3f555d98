import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
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

/**
 * What Docker refuses when a container is created, and what only when it is started, in its words. Where a value of the
 * client's makes no sense to the runtime Docker answers 500, Skiff 400.
 */
const refusals: readonly (readonly [
  host: Readonly<Record<string, unknown>>,
  when: 'create' | 'start',
  status: number,
  message: RegExp,
])[] = [
  [{ ShmSize: -1 }, 'create', 400, /^SHM size can not be less than 0$/],
  [{ CpusetCpus: '9999' }, 'create', 400, /^Requested CPUs are not available - requested 9999/],
  [{ IpcMode: 'container:nonesuch' }, 'create', 400, /^No such container: nonesuch$/],
  [{ Ulimits: [{ Name: 'bogus', Soft: 1, Hard: 1 }] }, 'start', 400, /^invalid ulimit type: bogus$/],
  [
    { Sysctls: { 'kernel.foo': '1' } },
    'start',
    400,
    /sysctl ["']kernel\.foo["'] is not in a separate kernel namespace$/,
  ],
  [
    { Sysctls: { 'net.core.somaxconn': '1' }, NetworkMode: 'host' },
    'start',
    400,
    /sysctl ["']net\.core\.somaxconn["'] not allowed in host network namespace$/,
  ],
  [
    { Devices: [{ PathOnHost: '/dev/nonesuch', PathInContainer: '/dev/x', CgroupPermissions: 'rwm' }] },
    'start',
    500,
    /^error gathering device information while adding custom device "\/dev\/nonesuch": no such file or directory$/,
  ],
  [
    { BlkioDeviceReadBps: [{ Path: '/dev/nonesuch', Rate: 5 }] },
    'start',
    400,
    /^stat \/dev\/nonesuch: no such file or directory$/,
  ],
  [{ DeviceCgroupRules: ['bogus'] }, 'start', 500, /^invalid device cgroup rule format: 'bogus'$/],
];

for (const [host, when, status, message] of refusals) {
  test(`refusals: ${JSON.stringify(host)}`, async () => {
    await leakCheck(daemon, async () => {
      const created = await containers.tryCreate({ host });
      if (when === 'create') {
        assert.match((valueOf(created, status) as { message: string }).message, message);
        return;
      }
      const { Id } = valueOf(created, 201) as { Id: string };
      const refused = (await containers.post(`${Id}/start`, status)) as { message: string };
      assert.match(refused.message, message);
      const { State } = await containers.inspect(Id);
      assert.deepEqual([State.Status, State.Running, State.Error], ['created', false, refused.message]);
      await containers.remove(Id);
    });
  });
}

test('health checks: are not run, and nothing claims that they are', async () => {
  const id = await containers.run({
    config: { Healthcheck: { Test: ['CMD-SHELL', 'touch /checked'], Interval: 1_000_000 } },
  });
  const inspected = valueOf(await daemon.ask('GET', `/containers/${id}/json`), 200);
  assert.equal((inspected as { State: { Health?: unknown } }).State.Health, undefined);
  const [listed] = valueOf(await daemon.ask('GET', '/containers/json'), 200) as { Status: string }[];
  assert.match(listed?.Status ?? '', /^Up (\d+|Less than a) seconds?$/);
  await containers.remove(id);
});
