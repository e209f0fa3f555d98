import { existsSync, rmSync } from 'node:fs';
import type { ContainerRecord } from './model.ts';
import { dropMountPoint } from './mount-point.ts';
import type { ContainerParts } from './parts.ts';
import { dropSubpaths } from './subpaths.ts';

/**
 * Takes apart what a run made, whatever of it exists: processes and cgroup, network, mounts, the run's folder. Safe to
 * repeat, and to call for a start that stopped anywhere.
 */
export async function releaseRun(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  const { id, spec } = record;
  const run = parts.dirs.runOf(id);
  parts.networks.release(record);
  await parts.runtimes.get(spec.hostConfig.Runtime ?? '')?.oci.delete(id);
  await endVolumes(parts, record);
  parts.shm.remove(id);
  parts.terminals.forget(id);
  rmSync(parts.dirs.exitFileOf(id), { force: true });
  if (!existsSync(run)) return;
  dropMountPoint(parts.dirs.rootfsOf(id));
  dropSubpaths(run);
  rmSync(run, { recursive: true, force: true });
}

/** The run does not use its volumes any more. Safe to repeat. */
export async function endVolumes(parts: ContainerParts, { id, spec }: ContainerRecord): Promise<void> {
  for (const point of spec.mounts) {
    if (point.Type === 'volume') await parts.volumes.endRun(point.Name ?? '', id);
  }
}
