import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { internal, isSystemError } from '#/base/errors.ts';
import { type CgroupLayout, cgroupDirs } from '#/kernel/cgroup/layout.ts';
import { cgroupPids, removeCgroup } from '#/kernel/cgroup/processes.ts';
import { unmount } from '#/kernel/mount.ts';
import { readMountInfo } from '#/kernel/mountinfo.ts';
import { signalProcess } from '#/kernel/pidfd.ts';
import { processStartTime } from '#/kernel/proc.ts';
import type { OciRuntime } from '#/runtime/crun.ts';

/** How long what was killed may take to be gone. Milliseconds. */
const patience = 10_000;
const pause = 10;
const SIGKILL = 9;

/**
 * Ends what a daemon that died has left of steps that ran: runtimes, processes, cgroups, mounts, folders. Call it before
 * snapshots are tidied up. Throws if something cannot be killed.
 */
export async function endLeftSteps({
  runRoot,
  runtime,
  cgroups,
  cgroupParent,
}: {
  runRoot: string;
  runtime: OciRuntime;
  cgroups: CgroupLayout;
  cgroupParent: string;
}): Promise<void> {
  if (!existsSync(runRoot)) return;
  const ids = readdirSync(runRoot);
  if (ids.length === 0) return;
  // First those who could still make something.
  for (const pid of runtimesOf(runRoot)) kill(pid);
  await gone(() => runtimesOf(runRoot));
  for (const id of ids) {
    for (const name of containersOf(runtime, id)) await runtime.delete(name);
    const group = join('/', cgroupParent, id);
    for (const pid of cgroupPids(cgroups, group)) kill(pid);
    await gone(() => cgroupPids(cgroups, group));
    if (cgroupDirs(cgroups, group).some(existsSync)) removeCgroup(cgroups, group);
  }
  unmountBelow(runRoot);
  for (const id of ids) rmSync(join(runRoot, id), { recursive: true, force: true });
}

/** The step's own, and those that somebody has started in it. */
function containersOf({ root }: OciRuntime, id: string): string[] {
  return readdirSync(root).filter((name) => name === id || name.startsWith(`${id}-`));
}

/** Processes of a runtime that was to run a step. */
function runtimesOf(runRoot: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => argumentsOf(pid).some((word) => word.startsWith(`--bundle=${runRoot}/`)))
    .map(Number);
}

function argumentsOf(pid: string): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return [];
    throw error;
  }
}

function kill(pid: number): void {
  const startTime = processStartTime(pid);
  if (startTime !== undefined) signalProcess({ pid, startTime }, SIGKILL);
}

async function gone(left: () => readonly number[]): Promise<void> {
  const deadline = performance.now() + patience;
  for (let pids = left(); pids.length > 0; pids = left()) {
    if (performance.now() > deadline)
      throw internal(`processes of an earlier build did not end: ${pids.join(', ')}`);
    await sleep(pause);
  }
}

/** Nothing that is mounted there is ours to delete. */
function unmountBelow(runRoot: string): void {
  const below = (): string[] =>
    readMountInfo()
      .map(({ mountPoint }) => mountPoint)
      .filter((mountPoint) => mountPoint.startsWith(`${runRoot}/`));
  for (const mountPoint of below().toReversed()) unmount(mountPoint, { detach: true });
  const left = below();
  if (left.length > 0)
    throw internal(`cannot tidy up ${runRoot}: something is mounted on ${left.join(', ')}`);
}
