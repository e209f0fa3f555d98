import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { unmount } from '../mount.ts';
import { isMountPoint, type MountInfo, parseMountInfo } from '../mountinfo.ts';
import {
  type CgroupLayout,
  cgroupDirs,
  controllerDirectory,
  detectCgroups,
  mountLeftoverControllers,
  unmountLeftoverControllers,
} from './layout.ts';

function mountsOf(text: string): MountInfo[] {
  return parseMountInfo(text);
}

test('detectCgroups: a v1 host, with controllers that share a hierarchy', () => {
  const layout = detectCgroups(
    mountsOf(
      '30 25 0:26 / /sys/fs/cgroup ro,nosuid shared:5 - tmpfs tmpfs ro,mode=755\n' +
        '31 30 0:27 / /sys/fs/cgroup/systemd rw shared:6 - cgroup cgroup rw,xattr,release_agent=/x,name=systemd\n' +
        '32 30 0:28 / /sys/fs/cgroup/cpu,cpuacct rw shared:7 - cgroup cgroup rw,cpu,cpuacct\n' +
        '33 30 0:28 / /elsewhere rw shared:7 - cgroup cgroup rw,cpu,cpuacct\n',
    ),
  );
  assert.deepEqual(layout, {
    mode: 'v1',
    v1: new Map([
      ['name=systemd', '/sys/fs/cgroup/systemd'],
      ['cpu', '/sys/fs/cgroup/cpu,cpuacct'],
      ['cpuacct', '/sys/fs/cgroup/cpu,cpuacct'],
    ]),
    v2: undefined,
    v2Controllers: [],
  });
  assert.deepEqual(cgroupDirs(layout, '/skiff/x'), [
    '/sys/fs/cgroup/systemd/skiff/x',
    '/sys/fs/cgroup/cpu,cpuacct/skiff/x',
  ]);
});

test('detectCgroups: v2 and hybrid tell what v2 owns', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cgroup2-'));
  writeFileSync(join(dir, 'cgroup.controllers'), 'cpu io memory\n');
  const unified = `40 25 0:30 / ${dir} rw - cgroup2 cgroup2 rw\n`;
  const v2 = detectCgroups(mountsOf(unified));
  assert.deepEqual([v2.mode, v2.v2, v2.v2Controllers], ['v2', dir, ['cpu', 'io', 'memory']]);
  assert.deepEqual(controllerDirectory(v2, 'blkio', '/a'), { version: 2, directory: `${dir}/a` });
  assert.deepEqual(controllerDirectory(v2, 'cpuacct', '/a'), { version: 2, directory: `${dir}/a` });
  assert.equal(controllerDirectory(v2, 'pids', '/a'), undefined);
  const hybrid = detectCgroups(mountsOf(`${unified}41 25 0:31 / /v1/pids rw - cgroup cgroup rw,pids\n`));
  assert.equal(hybrid.mode, 'hybrid');
  assert.deepEqual(controllerDirectory(hybrid, 'pids', '/a'), { version: 1, directory: '/v1/pids/a' });
  assert.deepEqual(controllerDirectory(hybrid, 'memory', '/a'), { version: 2, directory: `${dir}/a` });
  assert.equal(controllerDirectory(hybrid, 'cpuacct', '/a'), undefined);
  rmSync(dir, { recursive: true });
});

test('detectCgroups: no cgroups at all is an error', () => {
  assert.throws(() => detectCgroups([]), /no cgroup file system/);
});

test('cgroupDirs: refuses paths that leave the hierarchy or name its root', () => {
  const layout = detectCgroups();
  for (const path of ['', '/', 'a', '/a/../..', '/a//b', '/a/', '/../a', '/a/./b', '/a\0b']) {
    assert.throws(() => cgroupDirs(layout, path), { kind: 'invalid' }, JSON.stringify(path));
  }
});

/** Hierarchies are the machine's: where v2 has them all, mounting one as v1 would take a controller from everybody. */
const onlyWithV1 = { skip: detectCgroups().mode === 'v2' && 'this machine has v2 alone' };

/** A controller that can be mounted, whoever owns it: kernels without perf_event have this one. */
const spare = readFileSync('/proc/cgroups', 'utf8').includes('perf_event') ? 'perf_event' : 'freezer';

test('mountLeftoverControllers: v1 gets what v2 owned, and the undo takes it back', onlyWithV1, () => {
  const dir = mkdtempSync(join(tmpdir(), 'cgroup-'));
  const before = detectCgroups();
  // Then whatever this host has left.
  const leftover = [...new Set([spare, ...(before.mode === 'hybrid' ? before.v2Controllers : [])])];
  {
    using _mounts = mountLeftoverControllers({ ...before, mode: 'hybrid', v2Controllers: leftover }, dir);
    const during = detectCgroups();
    assert.deepEqual(during.mode === 'hybrid' ? during.v2Controllers : [], []);
    for (const name of leftover) {
      assert.ok(during.v1.has(name), name);
      assert.ok(existsSync(join(dir, name, 'cgroup.procs')), name);
    }
  }
  assert.ok(new Set(emptied(dir)).isSupersetOf(new Set(leftover)));
  assert.deepEqual(detectCgroups().v1, before.v1);
  rmSync(dir, { recursive: true });
});

/** The directories, which must have nothing mounted on them any more. */
function emptied(dir: string): string[] {
  const names = readdirSync(dir).toSorted();
  for (const name of names) assert.deepEqual(readdirSync(join(dir, name)), [], name);
  return names;
}

function knownHierarchies(): string[] {
  const lines = readFileSync('/proc/self/cgroup', 'utf8').matchAll(/^\d+:([^:]+):/gm);
  return [...lines].map((match) => match[1] ?? '');
}

test('mountLeftoverControllers: mounts hierarchies that only another mount namespace has', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cgroup-'));
  const before = detectCgroups();
  // Every v1 hierarchy of the machine is unknown to this layout, as in a mount namespace that was made before them.
  const blind: CgroupLayout = { mode: 'v1', v1: new Map(), v2: undefined, v2Controllers: [] };
  const names = knownHierarchies()
    .map((name) => name.replace('name=', ''))
    .toSorted();
  {
    using _mounts = mountLeftoverControllers(blind, dir);
    assert.deepEqual(readdirSync(dir).toSorted(), names);
    for (const name of names) assert.ok(existsSync(join(dir, name, 'cgroup.procs')), name);
    assert.deepEqual(new Set(before.v1.keys()).difference(new Set(detectCgroups().v1.keys())), new Set());
  }
  assert.deepEqual(emptied(dir), names);
  rmSync(dir, { recursive: true });
});

/**
 * Hierarchies are the machine's: daemons of other tests may have groups in this one just now, for which it has to be left, and
 * is unmounted here. Fails when it is left without that.
 */
function unmountUnlessOthersHaveGroups(dir: string): void {
  const hierarchy = join(dir, spare);
  for (let tries = 0; tries < 10 && isMountPoint(hierarchy); tries++) {
    const groups = readdirSync(hierarchy, { withFileTypes: true }).some((entry) => entry.isDirectory());
    if (groups) unmount(hierarchy);
    else unmountLeftoverControllers(dir);
  }
  assert.ok(!isMountPoint(hierarchy));
}

test('unmountLeftoverControllers: leaves what has groups, and the mounts of others', onlyWithV1, () => {
  const dir = mkdtempSync(join(tmpdir(), 'cgroup-'));
  const elsewhere = mkdtempSync(join(tmpdir(), 'cgroup-'));
  // The machine's own hierarchies count as mounted: others may have groups in them.
  const v1 = new Map(knownHierarchies().map((name) => [name, '/elsewhere']));
  const layout: CgroupLayout = { mode: 'hybrid', v1, v2: undefined, v2Controllers: [spare] };
  const group = join(dir, spare, 'skiff-test');
  using _others = mountLeftoverControllers(layout, elsewhere);
  mountLeftoverControllers(layout, dir);
  mkdirSync(group);
  unmountLeftoverControllers(dir);
  assert.ok(existsSync(group));
  rmdirSync(group);
  unmountUnlessOthersHaveGroups(dir);
  assert.ok(existsSync(join(elsewhere, spare, 'cgroup.procs')));
  rmSync(dir, { recursive: true });
});

test(
  'unmountLeftoverControllers: leaves what is mounted at the same place in another mount namespace',
  onlyWithV1,
  async () => {
    const dir = mkdtempSync(join(tmpdir(), 'cgroup-'));
    const v1 = new Map(knownHierarchies().map((name) => [name, '/elsewhere']));
    mountLeftoverControllers({ mode: 'hybrid', v1, v2: undefined, v2Controllers: [spare] }, dir);
    const look = `echo ready; read _; ls ${spare}/cgroup.procs`;
    const other = spawn('unshare', ['--mount', 'sh', '-c', look], { cwd: dir, stdio: 'pipe' });
    const lines = createInterface(other.stdout)[Symbol.asyncIterator]();
    assert.equal((await lines.next()).value, 'ready');
    unmountUnlessOthersHaveGroups(dir);
    other.stdin.end('\n');
    assert.equal((await lines.next()).value, `${spare}/cgroup.procs`);
    rmSync(dir, { recursive: true });
  },
);

test('mountLeftoverControllers: does nothing on v2', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cgroup-'));
  mountLeftoverControllers({ ...detectCgroups(), mode: 'v2', v2Controllers: ['cpu'] }, dir);
  assert.deepEqual(readdirSync(dir), []);
  rmSync(dir, { recursive: true });
});

test('mountLeftoverControllers: a failure takes back what was mounted before it', () => {
  const dir = mkdtempSync(join(tmpdir(), 'cgroup-'));
  const { v1 } = detectCgroups();
  const layout: CgroupLayout = {
    mode: 'hybrid',
    v1,
    v2: undefined,
    v2Controllers: [...v1.keys()]
      .filter((name) => !name.includes('='))
      .slice(0, 1)
      .concat('nonesuch'),
  };
  assert.throws(() => mountLeftoverControllers(layout, dir), { code: 'EINVAL', path: join(dir, 'nonesuch') });
  emptied(dir);
  rmSync(dir, { recursive: true });
});
