import { readdirSync, readFileSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { type CgroupLayout, cgroupDirs } from './layout.ts';

/** The processes in the group `path` and in groups below it; none when it does not exist. */
export function cgroupPids(layout: CgroupLayout, path: string): number[] {
  const pids = new Set<number>();
  for (const directory of cgroupDirs(layout, path)) {
    for (const group of tree(directory)) {
      for (const pid of readPids(group)) pids.add(pid);
    }
  }
  return [...pids].toSorted((a, b) => a - b);
}

/**
 * Removes the group `path` with all groups below it from every hierarchy. EBUSY when a process is still in it (one that
 * has just been killed may be, for a moment). A group that does not exist is fine.
 */
export function removeCgroup(layout: CgroupLayout, path: string): void {
  for (const directory of cgroupDirs(layout, path)) {
    for (const group of tree(directory)) {
      try {
        rmdirSync(group);
      } catch (error) {
        if (!isSystemError(error, 'ENOENT')) throw error;
      }
    }
  }
}

/** A directory and those below it, the deepest first. */
function tree(directory: string): string[] {
  let entries: string[];
  try {
    entries = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => entry.name);
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENODEV')) return [];
    throw error;
  }
  return [...entries.flatMap((name) => tree(join(directory, name))), directory];
}

function readPids(group: string): number[] {
  let text: string;
  try {
    text = readFileSync(join(group, 'cgroup.procs'), 'utf8');
  } catch (error) {
    // EOPNOTSUPP: a threaded group of v2, whose processes are listed in the group above.
    if (isSystemError(error, 'ENOENT', 'ENODEV', 'ENOTSUP')) return [];
    throw error;
  }
  // 0 stands for a process that this PID namespace does not see.
  return text
    .split('\n')
    .map(Number)
    .filter((pid) => pid > 0);
}
