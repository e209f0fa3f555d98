import assert from 'node:assert/strict';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fillCpusets } from './cpusets.ts';
import { detectCgroups } from './layout.ts';
import { removeCgroup } from './processes.ts';

test('fillCpusets: a group of v1 that has no processors gets those above it', (t) => {
  const layout = detectCgroups();
  const root = layout.v1.get('cpuset');
  if (root === undefined) {
    t.skip('there is no cpuset hierarchy of v1 here');
    return;
  }
  const name = `skiff-test-${process.ppid}-${process.pid}`;
  mkdirSync(join(root, name));
  try {
    fillCpusets(layout, `/${name}/below`);
    const read = (path: string): string => readFileSync(join(root, path, 'cpuset.cpus'), 'utf8');
    assert.notEqual(read('').trim(), '');
    assert.equal(read(name), read(''));
    assert.equal(read(`${name}/below`), read(''));
  } finally {
    removeCgroup(layout, `/${name}`);
  }
});
