import { existsSync, rmSync } from 'node:fs';
import type { ContainerRecord } from './model.ts';
import { dropMountPoint } from './mount-point.ts';
import type { ContainerParts } from './parts.ts';

/**
 * Takes apart what a run made, whatever of it exists: processes and cgroup, network, mounts, the run's folder. Safe to
 * repeat, and to call for a start that stopped anywhere.
 */
export async function releaseRun(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  const { id, spec } = record;
  const run = parts.dirs.runOf(id);
  parts.networks.release(record);
  await parts.runtimes.get(spec.hostConfig.Runtime ?? '')?.delete(id, { force: true });
  for (const point of spec.mounts) {
    if (point.Type === 'volume') await parts.volumes.unmount(point.Name ?? '', id);
  }
  parts.shm.remove(id);
  parts.exits.forget(id);
  if (!existsSync(run)) return;
  dropMountPoint(parts.dirs.rootfsOf(id));
  rmSync(run, { recursive: true, force: true });
}
