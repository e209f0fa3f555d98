import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, test } from 'node:test';
import { type CgroupLayout, detectCgroups } from './layout.ts';
import { type CgroupSupport, cgroupSupport } from './support.ts';

let dir: string;

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'cgroup-support-'));
  make('proc/cmdline', 'quiet\n');
});

afterEach(() => rmSync(dir, { recursive: true }));

function make(path: string, text: string = ''): void {
  mkdirSync(dirname(join(dir, path)), { recursive: true });
  writeFileSync(join(dir, path), text);
}

function supportOf(layout: CgroupLayout): CgroupSupport {
  return cgroupSupport(layout, { proc: join(dir, 'proc'), sys: join(dir, 'sys') });
}

/** v2 alone, with these controllers. */
function unified(...v2Controllers: readonly string[]): CgroupLayout {
  return { mode: 'v2', v1: new Map(), v2: join(dir, 'cgroup'), v2Controllers };
}

const nothing: CgroupSupport = {
  memory: false,
  swap: false,
  swappiness: false,
  oomKillDisable: false,
  pids: false,
  cpu: false,
  cpuset: false,
  blkioWeight: false,
};

test('cgroupSupport: v2 with every controller, as Debian has it', () => {
  make('proc/swaps');
  make('cgroup/io.cost.qos');
  assert.deepEqual(supportOf(unified('cpuset', 'cpu', 'io', 'memory', 'pids')), {
    ...nothing,
    memory: true,
    swap: true,
    pids: true,
    cpu: true,
    cpuset: true,
    blkioWeight: true,
  });
});

test('cgroupSupport: v2 with few controllers', () => {
  make('proc/swaps');
  assert.deepEqual(supportOf(unified('cpu', 'pids')), { ...nothing, pids: true, cpu: true });
  assert.deepEqual(supportOf(unified()), nothing);
});

test('cgroupSupport: v2 weighs block I/O by its cost or by BFQ', () => {
  assert.equal(supportOf(unified('io')).blkioWeight, false);
  mkdirSync(join(dir, 'sys/module/bfq'), { recursive: true });
  assert.equal(supportOf(unified('io')).blkioWeight, true);
});

test('cgroupSupport: v2 of a kernel that does not account swap', () => {
  assert.equal(supportOf(unified('memory')).swap, false);
  make('proc/swaps');
  assert.equal(supportOf(unified('memory')).swap, true);
  make('proc/cmdline', 'quiet swapaccount=0 ro\n');
  assert.deepEqual(supportOf(unified('memory')), { ...nothing, memory: true });
});

test('cgroupSupport: v1, by its files; v2 beside it has the rest', () => {
  for (const file of ['memory.memsw.limit_in_bytes', 'memory.swappiness', 'memory.oom_control'])
    make(`memory/${file}`);
  mkdirSync(join(dir, 'blkio'));
  const v1 = new Map(['memory', 'blkio', 'cpuset'].map((name) => [name, join(dir, name)]));
  const layout: CgroupLayout = { mode: 'hybrid', v1, v2: join(dir, 'unified'), v2Controllers: ['pids'] };
  assert.deepEqual(supportOf(layout), {
    memory: true,
    swap: true,
    swappiness: true,
    oomKillDisable: true,
    pids: true,
    cpu: false,
    cpuset: true,
    blkioWeight: false,
  });
  make('blkio/blkio.weight');
  rmSync(join(dir, 'memory/memory.memsw.limit_in_bytes'));
  const { swap, blkioWeight } = supportOf(layout);
  assert.deepEqual({ swap, blkioWeight }, { swap: false, blkioWeight: true });
});

test('cgroupSupport: this machine', () => {
  const { memory, pids, cpu } = cgroupSupport(detectCgroups());
  assert.deepEqual({ memory, pids, cpu }, { memory: true, pids: true, cpu: true });
});
