import { existsSync, rmSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { dropMountPoint } from '#/kernel/mount-point.ts';
import type { ContainerRecord } from './model.ts';
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

/** How long clients are given to hear of an end before the rest is taken apart. Milliseconds. */
const hearing = 2;

/**
 * `releaseRun` for a container that has just ended and whose waiters were told. Taking it apart keeps this thread for 5 to
 * 10 ms, mostly in system calls; before that answers go out and streams end: that makes `run --rm` shorter by as much.
 */
export async function releaseEnded(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  await sleep(hearing);
  await releaseRun(parts, record);
}

/** The run does not use its volumes any more. Safe to repeat. */
export async function endVolumes(parts: ContainerParts, { id, spec }: ContainerRecord): Promise<void> {
  for (const point of spec.mounts) {
    if (point.Type === 'volume') await parts.volumes.endRun(point.Name ?? '', id);
  }
}
