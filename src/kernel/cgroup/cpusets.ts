import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CgroupLayout, controllerDirectory } from './layout.ts';

/** What a group of v1 must have before a process can be in it or below it. */
const files = ['cpuset.cpus', 'cpuset.mems'] as const;

/**
 * Makes the group `path` in the cpuset hierarchy of v1, with those above it, and gives each that has no processors or memory
 * nodes those of the group above: runtimes do so only for groups that they make themselves. Does nothing elsewhere.
 */
export function fillCpusets(layout: CgroupLayout, path: string): void {
  const found = controllerDirectory(layout, 'cpuset', path);
  if (found === undefined || found.version !== 1) return;
  let above = layout.v1.get('cpuset') ?? '';
  for (const name of path.split('/').filter((part) => part !== '')) {
    const group = join(above, name);
    mkdirSync(group, { recursive: true });
    for (const file of files) {
      if (read(group, file) === '') writeFileSync(join(group, file), read(above, file));
    }
    above = group;
  }
}

function read(group: string, file: string): string {
  return readFileSync(join(group, file), 'utf8').trim();
}
