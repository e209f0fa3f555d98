import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { detectCgroups } from '#/kernel/cgroup/layout.ts';
import { type Ended, RuntimeFixture } from '#tests/oci-bundle.ts';
import { buildSpec, specJson } from './build.ts';
import { resolveCapabilities } from './capabilities.ts';
import { lookUpDevice, parseDeviceRule } from './devices.ts';
import { type HostFacts, readHostFacts } from './host.ts';
import { resolveInRootfs } from './rootfs.ts';
import { evaluateSeccomp, parseSeccompProfile } from './seccomp.ts';

const box = new RuntimeFixture();
after(() => box[Symbol.dispose]());

function output({ exitCode, stdout, stderr }: Ended): string {
  assert.equal(exitCode, 0, stderr);
  return stdout.trim();
}

test('buildSpec: the default container has fourteen capabilities, a filter, its own names, masks and /dev', () => {
  const text = output(
    box.shell(`grep -E "Cap|Seccomp:" /proc/self/status; hostname; ls /dev; id; echo $HOME
      grep " /proc/sys " /proc/self/mountinfo | cut -d " " -f 6; wc -c < /proc/timer_list; ls /sys/firmware
      df -k /dev/shm | tail -1 | tr -s " " | cut -d " " -f 2`),
  );
  assert.deepEqual(text.split(/\s*\n\s*/), [
    'CapInh:\t0000000000000000',
    'CapPrm:\t00000000a80425fb',
    'CapEff:\t00000000a80425fb',
    'CapBnd:\t00000000a80425fb',
    'CapAmb:\t0000000000000000',
    'Seccomp:\t2',
    'box',
    'core',
    'fd',
    'full',
    'mqueue',
    'null',
    'ptmx',
    'pts',
    'random',
    'shm',
    'stderr',
    'stdin',
    'stdout',
    'tty',
    'urandom',
    'zero',
    'uid=0(root) gid=0(root) groups=0(root)',
    '/root',
    'ro,relatime',
    '0',
    '65536',
  ]);
});

test('buildSpec: other users have no effective capabilities, and their groups', () => {
  const user = { uid: 1000, gid: 1000, groups: [10, 29], home: '/home/alice' };
  const text = output(
    box.shell(
      'id -u; id -G; grep CapEff /proc/self/status; grep CapBnd /proc/self/status; echo $HOME',
      {},
      { user },
    ),
  );
  assert.deepEqual(
    text.split('\n').map((line) => line.split(' ').toSorted().join(' ')),
    ['1000', '10 1000 29', 'CapEff:\t0000000000000000', 'CapBnd:\t00000000a80425fb', '/home/alice'],
  );
});

test('buildSpec: new namespaces, mounts and raw devices are refused', () => {
  const line =
    'unshare -U true; unshare -m true; mount -t tmpfs x /tmp; mknod /tmp/disk b 8 0; cat /tmp/disk';
  const { stderr } = box.shell(`cd /dev/shm; ${line.replaceAll('/tmp/disk', '/dev/disk')}`);
  assert.equal(stderr.match(/Operation not permitted|permission denied/g)?.length, 4, stderr);
});

test('buildSpec: no_new_privs when asked', () => {
  const text = output(box.shell('grep NoNewPrivs /proc/self/status', {}, { noNewPrivileges: true }));
  assert.equal(text, 'NoNewPrivs:\t1');
});

test('buildSpec: privileged has all that the daemon holds, nothing masked, all devices', () => {
  const full = lookUpDevice({ hostPath: '/dev/full', containerPath: '/dev/other', access: 'rwm' });
  const text = output(
    box.shell(
      'grep -E "CapEff|Seccomp:" /proc/self/status; grep -c "/proc/" /proc/self/mountinfo; unshare -m echo ok; ls /dev/other; head -c0 /dev/other && echo may',
      {
        privileged: true,
        devices: full.nodes,
      },
    ),
  );
  const [capabilities = '', ...rest] = text.split('\n');
  const own = /CapBnd:\s*(\w+)/.exec(readFileSync('/proc/self/status', 'utf8'))?.[1];
  assert.equal(capabilities, `CapEff:\t${own}`);
  assert.deepEqual(rest, ['Seccomp:\t0', '0', 'ok', '/dev/other', 'may']);
});

test('buildSpec: mounts what users ask for, parents first, over symbolic links of the image', () => {
  const source = join(box.dir, 'source');
  mkdirSync(join(source, 'sub'), { recursive: true });
  writeFileSync(join(source, 'file'), 'content\n');
  symlinkSync('/tmp', join(box.rootfs, 'link'));
  const text = output(
    box.shell(
      `cat /data/file; touch /data/x 2>&1; cat /deep/a/b/file; cat /tmp/in/file; echo y > /scratch/y && cat /scratch/y
       stat -c %a /scratch; cat /proc/uptime`,
      {
        readonlyRootfs: true,
        mounts: [
          { kind: 'bind', source, target: '/deep/a/b', readonly: 'no' },
          { kind: 'tmpfs', target: '/deep', options: ['size=1m'] },
          { kind: 'bind', source, target: '/data/', readonly: 'recursive' },
          { kind: 'bind', source, target: '/link/in', readonly: 'yes' },
          { kind: 'bind', source: join(source, 'file'), target: '/proc/uptime', readonly: 'recursive' },
          { kind: 'tmpfs', target: '/scratch', options: ['mode=1770', 'uid=0'] },
        ],
      },
    ),
  );
  assert.deepEqual(text.split('\n'), [
    'content',
    'touch: /data/x: Read-only file system',
    'content',
    'content',
    'y',
    '1770',
    'content',
  ]);
});

test('buildSpec: nobody mounts over /dev, /proc, /sys, or the root, also not through links', () => {
  symlinkSync('/proc', join(box.rootfs, 'sneaky'));
  symlinkSync('../../../proc/self', join(box.rootfs, 'tmp/sneaky'));
  symlinkSync('loop', join(box.rootfs, 'loop'));
  const targets = [
    '/',
    '/dev',
    '/proc/',
    '/sys',
    '//proc',
    '/tmp/../proc',
    '/proc/self',
    '/proc/sys',
    'relative',
  ];
  for (const target of [...targets, '/sneaky', '/sneaky/sys', '/tmp/sneaky', '/tmp/sneaky/sys']) {
    const mounts = [{ kind: 'tmpfs', target, options: [] } as const];
    assert.throws(() => buildSpec(box.specInput({ mounts }), box.host), /invalid mount/, target);
  }
  const mounts = [{ kind: 'tmpfs', target: '/loop/x', options: [] } as const];
  assert.throws(() => buildSpec(box.specInput({ mounts }), box.host), /ELOOP/);
});

test('resolveInRootfs: resolves links inside the root, also to what does not exist', () => {
  mkdirSync(join(box.rootfs, 'a/b'), { recursive: true });
  symlinkSync('/a', join(box.rootfs, 'abs'));
  symlinkSync('../../../../a/new', join(box.rootfs, 'a/up'));
  symlinkSync('up/../abs/missing', join(box.rootfs, 'a/chain'));
  const cases = { '/abs/b/c': '/a/b/c', '/a/up': '/a/new', '/abs/up/x/y': '/a/new/x/y', '/a/b/': '/a/b' };
  for (const [from, to] of Object.entries(cases)) assert.equal(resolveInRootfs(box.rootfs, from), to, from);
  assert.equal(resolveInRootfs(box.rootfs, '/x/../..//y/'), '/y');
});

test('buildSpec: refuses an image with a link in the place of /dev', () => {
  const rootfs = join(box.dir, 'odd');
  mkdirSync(rootfs);
  symlinkSync('/etc', join(rootfs, 'dev'));
  assert.throws(() => buildSpec(box.specInput({ rootfs }), box.host), /\/dev is not a directory/);
});

test('buildSpec: devices work as their rules say', () => {
  const { nodes, rules } = lookUpDevice({
    hostPath: '/dev/kmsg',
    containerPath: '/dev/log/msg',
    access: 'w',
  });
  const devices = { devices: nodes, deviceRules: rules };
  assert.equal(output(box.shell('echo test > /dev/log/msg && echo written', devices)), 'written');
  assert.match(box.shell(': < /dev/log/msg', devices).stderr, /Operation not permitted/);
  const made = 'mknod /dev/k c 1 11 && echo test > /dev/k && echo written';
  assert.match(box.shell(made).stderr, /Operation not permitted/);
  assert.equal(output(box.shell(made, { deviceRules: [parseDeviceRule('c 1:11 w')] })), 'written');
});

test('buildSpec: limits reach the cgroup and the process', () => {
  const v2 = box.host.cgroups === 'v2';
  const files = v2
    ? 'memory.max memory.low cpu.weight cpu.max pids.max cpuset.cpus'
    : 'memory/memory.limit_in_bytes memory/memory.soft_limit_in_bytes cpu/cpu.shares cpu/cpu.cfs_quota_us pids/pids.max cpuset/cpuset.cpus';
  const text = output(
    box.shell(
      `cd /sys/fs/cgroup; cat ${files}; ulimit -n; cat /proc/self/oom_score_adj`,
      {
        // Where the group is the root of what the container sees, in both versions.
        namespaces: { pid: 'new', network: 'new', ipc: 'new', uts: 'new', cgroup: 'new' },
        resources: {
          memory: 64 << 20,
          memorySwap: 64 << 20,
          memoryReservation: 32 << 20,
          cpuShares: 512,
          nanoCpus: 500_000_000,
          pidsLimit: 50,
          cpusetCpus: '0',
        },
      },
      { rlimits: [{ name: 'nofile', soft: 100, hard: 1 << 20 }], oomScoreAdj: 500 },
    ),
  );
  assert.deepEqual(text.split('\n'), [
    '67108864',
    '33554432',
    ...(v2 ? ['20', '50000 100000'] : ['512', '50000']),
    '50',
    '0',
    '100',
    '500',
  ]);
});

test('buildSpec: sysctls, init, read-only root, names, ipc', () => {
  const text = output(
    box.shell(
      'cat /proc/sys/net/ipv4/ip_unprivileged_port_start; cat /proc/1/comm; touch /x 2>&1; hostname; cat /proc/sys/kernel/domainname',
      {
        sysctls: { 'net.ipv4.ip_unprivileged_port_start': '0' },
        init: '/usr/bin/catatonit',
        readonlyRootfs: true,
        hostname: 'one',
        domainname: 'example.org',
      },
    ),
  );
  assert.deepEqual(text.split('\n'), [
    '0',
    'docker-init',
    'touch: /x: Read-only file system',
    'one',
    'example.org',
  ]);
});

test('buildSpec: namespaces of the host and of others by path', () => {
  const ownUts = readFileSync('/proc/sys/kernel/hostname', 'utf8').trim();
  const namespaces = {
    pid: 'host',
    network: { path: '/proc/self/ns/net' },
    ipc: 'host',
    uts: 'host',
    cgroup: 'new',
  } as const;
  const text = output(
    box.shell(
      'hostname; readlink /proc/self/ns/net; cat /proc/self/cgroup | tail -1; ls /dev/mqueue | wc -l',
      { namespaces, hostname: 'ignored' },
    ),
  );
  const [name, network, cgroup] = text.split('\n');
  assert.deepEqual([name, cgroup], [ownUts, '0::/']);
  assert.match(network ?? '', /^net:\[\d+\]$/);
});

test('buildSpec: a profile of the user decides instead of the default one', () => {
  const text = JSON.stringify({
    defaultAction: 'SCMP_ACT_ALLOW',
    syscalls: [{ names: ['mkdir', 'mkdirat'], action: 'SCMP_ACT_ERRNO', errnoRet: 13 }],
  });
  const profile = parseSeccompProfile(text);
  const { stderr } = box.shell('mkdir /tmp/new', { seccomp: { kind: 'profile', profile } });
  assert.match(stderr, /mkdir: .*Permission denied/);
  assert.equal(evaluateSeccomp(profile, { ...box.host, capabilities: [] }).architectures.length, 0);
});

test('buildSpec: sockets of AF_ALG and AF_VSOCK are refused, also with rubbish in the upper half of the register', () => {
  const program = join(box.rootfs, 'bin/sockets');
  writeFileSync(program, socketProbe());
  chmodSync(program, 0o755);
  const { stdout } = box.run({}, { args: ['/bin/sockets'] });
  rmSync(program);
  assert.equal(stdout, 'PPPO');
});

test('specJson: unlimited is written as 2^64-1', () => {
  const spec = buildSpec(box.specInput({}, { rlimits: [{ name: 'core', soft: -1, hard: -1 }] }), {
    ...box.host,
    capabilities: new Set(['CAP_SYS_RESOURCE']),
  });
  assert.match(specJson(spec), /"soft":18446744073709551615,"hard":18446744073709551615/);
  const bad = buildSpec(box.specInput({}, { env: ['A=\0'] }), box.host);
  assert.throws(() => specJson(bad), /NUL byte/);
});

test('buildSpec: what belongs to the runtime cannot be set as an annotation', () => {
  for (const name of ['run.oci.hooks.stdout', 'org.systemd.property.X']) {
    assert.throws(() => buildSpec(box.specInput({ annotations: { [name]: '/x' } }), box.host), /reserved/);
  }
});

test('buildSpec: without the default profile nothing starts, rather than without a filter', () => {
  const host = { ...box.host, seccomp: undefined };
  assert.throws(() => buildSpec(box.specInput(), host), /no default seccomp profile/);
  assert.equal(buildSpec(box.specInput({ seccomp: { kind: 'unconfined' } }), host).linux.seccomp, undefined);
});

test('buildSpec, readHostFacts: the configured profile is that of containers that ask for no other', () => {
  const path = join(box.dir, 'configured.json');
  writeFileSync(path, '{"defaultAction":"SCMP_ACT_LOG"}');
  const facts = (seccompProfile: string): HostFacts =>
    readHostFacts({ cgroups: detectCgroups(), seccompProfile });
  const action = (host: HostFacts, kind: 'default' | 'builtin'): string | undefined =>
    buildSpec(box.specInput({ seccomp: { kind } }), host).linux.seccomp?.defaultAction;
  const [configured, unconfined, builtin] = [facts(path), facts('unconfined'), facts('builtin')];
  assert.deepEqual(
    [configured, unconfined, builtin].map((host) => [action(host, 'default'), action(host, 'builtin')]),
    [
      ['SCMP_ACT_LOG', 'SCMP_ACT_ERRNO'],
      [undefined, 'SCMP_ACT_ERRNO'],
      ['SCMP_ACT_ERRNO', 'SCMP_ACT_ERRNO'],
    ],
  );
  assert.throws(() => facts('/absent'), /cannot use the seccomp profile "\/absent": ENOENT/);
  writeFileSync(path, '{');
  assert.throws(() => facts(path), /cannot use the seccomp profile .*configured.json": Decoding/);
});

test('buildSpec: added capabilities open the calls that go with them', () => {
  const capabilities = resolveCapabilities(
    { privileged: false, add: ['SYS_ADMIN'], drop: [] },
    box.host.capabilities,
  );
  assert.equal(output(box.shell('mount -t tmpfs x /tmp && unshare -m echo ok', {}, { capabilities })), 'ok');
});

/**
 * A static x86-64 program: socket() for AF_ALG, AF_VSOCK, AF_ALG + 2^32 and AF_INET, writes P for EPERM and O for a
 * descriptor each.
 */
function socketProbe(): Buffer {
  const calls = [38n, 40n, (1n << 32n) + 38n, 2n].map((family) => {
    const movabs = Buffer.alloc(10);
    movabs.writeUInt16BE(0x48bf, 0); // movabs rdi, family
    movabs.writeBigUInt64LE(family, 2);
    return Buffer.concat([
      movabs,
      // mov esi, 5 (seqpacket is valid for ALG) | 2 for INET; xor edx, edx; mov eax, 41; syscall
      Buffer.from([0xbe, family === 2n ? 2 : 5, 0, 0, 0, 0x31, 0xd2, 0xb8, 41, 0, 0, 0, 0x0f, 0x05]),
      // cmp eax, -1; mov al, 'P'; je +9 (skip); test … : cl = 'O' if eax >= 0
      Buffer.from([0x83, 0xf8, 0xff, 0xb1, 0x50, 0x74, 0x08, 0xb1, 0x4f, 0x85, 0xc0, 0x79, 0x02, 0xb1, 0x3f]),
      // push rcx; write(1, rsp, 1)
      Buffer.from([
        0x51, 0xbf, 1, 0, 0, 0, 0x48, 0x89, 0xe6, 0xba, 1, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0x0f, 0x05, 0x59,
      ]),
    ]);
  });
  // exit(0)
  const code = Buffer.concat([...calls, Buffer.from([0x31, 0xff, 0xb8, 60, 0, 0, 0, 0x0f, 0x05])]);
  const header = Buffer.alloc(120);
  header.write('\x7fELF\x02\x01\x01', 'latin1');
  header.writeUInt16LE(2, 16); // ET_EXEC
  header.writeUInt16LE(62, 18); // x86-64
  header.writeUInt32LE(1, 20);
  header.writeBigUInt64LE(0x400078n, 24); // entry
  header.writeBigUInt64LE(64n, 32); // program headers
  header.writeUInt16LE(64, 52);
  header.writeUInt16LE(56, 54);
  header.writeUInt16LE(1, 56);
  header.writeUInt32LE(1, 64); // PT_LOAD
  header.writeUInt32LE(5, 68); // r-x
  header.writeBigUInt64LE(0x400000n, 80);
  header.writeBigUInt64LE(0x400000n, 88);
  header.writeBigUInt64LE(BigInt(120 + code.length), 96);
  header.writeBigUInt64LE(BigInt(120 + code.length), 104);
  header.writeBigUInt64LE(0x1000n, 112);
  return Buffer.concat([header, code]);
}
