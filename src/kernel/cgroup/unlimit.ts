import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type CgroupLayout, controllerDirectory } from './layout.ts';

/** Takes away the limit on the number of processes of the group `path`. ENOENT: there is no such group. */
export function unlimitPids(layout: CgroupLayout, path: string): void {
  write(layout, path, { controller: 'pids', v1: ['pids.max', 'max'], v2: ['pids.max', 'max'] });
}

/** Takes away the quota of CPU time of the group `path`; the period stays. ENOENT: there is no such group. */
export function unlimitCpu(layout: CgroupLayout, path: string): void {
  write(layout, path, { controller: 'cpu', v1: ['cpu.cfs_quota_us', '-1'], v2: ['cpu.max', 'max'] });
}

/** A file of a group, and what to write. */
type Setting = readonly [file: string, value: string];

function write(
  layout: CgroupLayout,
  path: string,
  { controller, ...settings }: { controller: string; v1: Setting; v2: Setting },
): void {
  const place = controllerDirectory(layout, controller, path);
  if (place === undefined) return;
  const [file, value] = place.version === 1 ? settings.v1 : settings.v2;
  writeFileSync(join(place.directory, file), value);
}
