import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, readFileSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { type CgroupLayout, controllerDirectory, detectCgroups } from './layout.ts';
import { unlimitCpu, unlimitPids } from './unlimit.ts';

test('unlimitPids and unlimitCpu: take limits away that the kernel holds', () => {
  const layout = detectCgroups();
  const group = `/skiff-unlimit-${process.pid}`;
  const place = (controller: string) => controllerDirectory(layout, controller, group);
  const [pids, cpu] = [place('pids'), place('cpu')];
  for (const found of [pids, cpu]) if (found !== undefined) mkdirSync(found.directory, { recursive: true });
  try {
    if (pids !== undefined) {
      writeFileSync(join(pids.directory, 'pids.max'), '32');
      unlimitPids(layout, group);
      assert.equal(readFileSync(join(pids.directory, 'pids.max'), 'utf8'), 'max\n');
    }
    if (cpu !== undefined) {
      const [file, limit, none] =
        cpu.version === 1
          ? ['cpu.cfs_quota_us', '20000', '-1\n']
          : ['cpu.max', '20000 100000', 'max 100000\n'];
      writeFileSync(join(cpu.directory, file), limit);
      unlimitCpu(layout, group);
      assert.equal(readFileSync(join(cpu.directory, file), 'utf8'), none);
    }
  } finally {
    for (const directory of new Set([pids?.directory, cpu?.directory]))
      if (directory !== undefined) rmdirSync(directory);
  }
});

test('unlimitCpu: on v2 writes what keeps the period', () => {
  const root = mkdtempSync(join(tmpdir(), 'unlimit-'));
  const layout: CgroupLayout = { mode: 'v2', v1: new Map(), v2: root, v2Controllers: ['cpu', 'pids'] };
  mkdirSync(join(root, 'g'));
  unlimitCpu(layout, '/g');
  unlimitPids(layout, '/g');
  assert.equal(readFileSync(join(root, 'g/cpu.max'), 'utf8'), 'max');
  assert.equal(readFileSync(join(root, 'g/pids.max'), 'utf8'), 'max');
  rmSync(root, { recursive: true });
});
