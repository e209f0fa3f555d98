import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { TestDaemon } from '#tests/daemon.ts';
import { probeResults, type RawCall, syscallProbe } from '#tests/syscall-probe.ts';
import { TestContainers } from '#tests/test-containers.ts';
import { importRoot } from '#tests/test-images.ts';

let daemon: TestDaemon;
let containers: TestContainers;

before(async () => {
  daemon = await TestDaemon.start();
  await daemon.loadBusybox();
  containers = new TestContainers(daemon);
});

after(() => daemon[Symbol.asyncDispose]());

/** A field of /proc/self/status in a container. */
async function statusOf(host: Readonly<Record<string, unknown>>): Promise<Map<string, string>> {
  const { output } = await containers.runToEnd({ cmd: 'cat /proc/self/status', host });
  return new Map(output.split('\n').map((line) => line.split(/:\s+/, 2) as [string, string]));
}

test('confinement: no descriptor but the three reaches a program, at start and by exec', async () => {
  const id = await containers.run();
  for (const where of ['1', '$$']) {
    // A last command would be run in the shell's own process.
    const { output } = await containers.exec(id, `ls /proc/${where}/fd; true`);
    assert.deepEqual(output.trim().split(/\s+/), ['0', '1', '2']);
  }
  await containers.remove(id);
});

test('confinement: no working directory leads out of the root, whatever descriptor it names', async () => {
  const outside = `../../../../../../../../..${daemon.dir}/daemon.json`;
  for (let fd = 3; fd < 24; fd += 1) {
    const id = await containers.create({
      cmd: `ls ${outside}`,
      config: { WorkingDir: `/proc/self/fd/${fd}` },
    });
    const started = await daemon.ask('POST', `/containers/${id}/start`);
    if (started.status === 204) assert.notEqual(await containers.exitCode(id), 0, `descriptor ${fd}`);
    await containers.remove(id);
  }
  const running = await containers.run();
  const exec = { Cmd: ['ls', outside], WorkingDir: '/proc/self/fd/7', AttachStdout: true };
  const made = await daemon.ask('POST', `/containers/${running}/exec`, exec);
  if (made.status === 201) {
    const { Id } = JSON.parse(made.body.toString()) as { Id: string };
    await daemon.ask('POST', `/exec/${Id}/start`, {});
    const { ExitCode } = JSON.parse((await daemon.ask('GET', `/exec/${Id}/json`)).body.toString()) as {
      ExitCode: number;
    };
    assert.notEqual(ExitCode, 0);
  }
  await containers.remove(running);
});

test('confinement: /dev is new, and has what a container needs and no more', async () => {
  const { output } = await containers.runToEnd({ cmd: 'grep " /dev " /proc/mounts; ls /dev' });
  assert.match(output, /^tmpfs \/dev tmpfs rw,nosuid/);
  const names = output.split('\n').slice(1, -1);
  const wanted = ['core', 'fd', 'full', 'mqueue', 'null', 'ptmx', 'pts', 'random', 'shm', 'stderr'];
  assert.deepEqual(names, [...wanted, 'stdin', 'stdout', 'tty', 'urandom', 'zero']);
});

test('confinement: what /proc and /sys tell of the host is masked, and what would change it is read-only', async () => {
  const masked =
    '/proc/acpi /proc/asound /proc/interrupts /proc/kcore /proc/keys /proc/latency_stats /proc/sched_debug /proc/scsi ' +
    '/proc/timer_list /proc/timer_stats /sys/firmware /sys/devices/virtual/powercap';
  const check = masked
    .split(' ')
    .map((path) => `[ -d ${path} ] && ls ${path}; [ -f ${path} ] && cat ${path}`);
  const { output: told } = await containers.runToEnd({ cmd: `${check.join('; ')}; true` });
  assert.equal(told, '');
  const writes = [
    'echo 1 >/proc/sys/kernel/panic',
    'echo h >/proc/sysrq-trigger',
    'touch /sys/x',
    'echo 1 >/proc/irq/default_smp_affinity',
    // The hierarchy of v1, else v2.
    'cd /sys/fs/cgroup/memory || cd /sys/fs/cgroup && mkdir x',
  ];
  for (const write of writes) {
    const { exitCode, output } = await containers.runToEnd({ cmd: `(${write}) 2>&1` });
    assert.notEqual(exitCode, 0, write);
    assert.match(output, /Read-only file system|Permission denied|nonexistent|No such file/, write);
  }
});

test('confinement: capabilities are the fourteen, none, or all; never inheritable or ambient', async () => {
  const fourteen = '00000000a80425fb';
  const none = '0000000000000000';
  const daemonHas = /^CapBnd:\s+(\w+)$/m.exec(readFileSync(`/proc/${daemon.pid}/status`, 'utf8'))?.[1];
  const cases: [Readonly<Record<string, unknown>>, string | undefined][] = [
    [{}, fourteen],
    [{ CapDrop: ['ALL'] }, none],
    [{ CapDrop: ['ALL'], CapAdd: ['NET_RAW'] }, '0000000000002000'],
    [{ Privileged: true }, daemonHas],
  ];
  for (const [host, wanted] of cases) {
    const status = await statusOf(host);
    const found = ['CapEff', 'CapPrm', 'CapBnd', 'CapInh', 'CapAmb'].map((name) => status.get(name));
    assert.deepEqual(found, [wanted, wanted, wanted, none, none], JSON.stringify(host));
  }
});

test('confinement: seccomp and no_new_privs are on as asked for', async () => {
  assert.deepEqual([(await statusOf({})).get('Seccomp'), (await statusOf({})).get('NoNewPrivs')], ['2', '0']);
  assert.equal((await statusOf({ SecurityOpt: ['seccomp=unconfined'] })).get('Seccomp'), '0');
  assert.equal((await statusOf({ Privileged: true })).get('Seccomp'), '0');
  assert.equal((await statusOf({ SecurityOpt: ['no-new-privileges'] })).get('NoNewPrivs'), '1');
});

test('confinement: dangerous system calls are refused, useful ones are not', async () => {
  const refused: Readonly<Record<string, RawCall>> = {
    io_uring_setup: [425, 1, 0],
    'socket AF_ALG': [41, 38, 5, 0],
    'socket AF_VSOCK': [41, 40, 1, 0],
    keyctl: [250, 0, 0],
    add_key: [248, 0, 0],
    request_key: [249, 0, 0],
    bpf: [321, 0, 0],
    userfaultfd: [323, 0],
    'unshare CLONE_NEWUSER': [272, 0x10000000],
    'clone CLONE_NEWUSER': [56, 0x10000011, 0, 0, 0, 0],
    'clone CLONE_NEWNET': [56, 0x40000011, 0, 0, 0, 0],
    mount: [165, 0, 0, 0, 0],
    kexec_load: [246, 0, 0, 0],
    open_by_handle_at: [304, 0, 0, 0],
    init_module: [175, 0, 0, 0],
  };
  const allowed: Readonly<Record<string, RawCall>> = { getpid: [39], 'socket AF_INET': [41, 2, 1, 0] };
  const probe = syscallProbe([...Object.values(refused), ...Object.values(allowed)]);
  await importRoot(daemon, 'probe', { entries: { 'bin/probe': probe } });
  // As text the bytes would not come through.
  const { output } = await containers.runToEnd({ image: 'probe', cmd: '/bin/probe | od -An -v -tx1' });
  const results = probeResults(Buffer.from(output.replaceAll(/\s/g, ''), 'hex'));
  const [EPERM, ENOSYS] = [-1, -38];
  for (const [index, name] of Object.keys(refused).entries()) {
    // Programs know that clone exists: they are told that they may not.
    const expected = name.startsWith('clone') ? [EPERM] : [EPERM, ENOSYS];
    assert.ok(expected.includes(results[index] ?? 0), `${name}: ${results[index]}`);
  }
  for (const [index, name] of Object.keys(allowed).entries()) {
    const result = results[Object.keys(refused).length + index] ?? EPERM;
    assert.ok(result >= 0, `${name}: ${result}`);
  }
});

test('confinement: the runtime that starts containers cannot be overwritten from inside', async () => {
  const sealed = readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(join(daemon.dir, 'run/runtimes')));
  assert.ok(sealed.length > 0);
  for (const line of sealed) assert.match(line.split(' ')[5] ?? '', /^ro,/);
});
