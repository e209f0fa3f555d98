import { existsSync, readdirSync, rmSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { messageOf } from '#/base/errors.ts';
import { isFullId } from '#/base/ids.ts';
import { dropMountPoint } from '#/kernel/mount-point.ts';
import { isAlive as isProcessAlive } from '#/kernel/proc.ts';
import type { ContainerExit, ProcessRef } from '#/runtime/exit-watcher.ts';
import { undoIncomplete } from './create.ts';
import { endRunLocked, followExit } from './exit.ts';
import { endLeftRun } from './left-run.ts';
import { type ContainerRecord, isAlive, lastRun, transition } from './model.ts';
import { type ContainerParts, runtimeOf } from './parts.ts';
import { releaseRun } from './release.ts';
import { shouldStartAtBoot } from './restart-policy.ts';
import { startContainer } from './start.ts';
import { dropSubpaths } from './subpaths.ts';
import { removeLocked } from './take-apart.ts';

/** What stands for the exit code of a run whose end nobody saw: the machine went down. */
const unseenExitCode = 255;
/** How long the monitor of a container that has ended may take to say so. Milliseconds. */
const monitorPatience = 5_000;

/** The containers whose processes still run, to be known before their networks are looked at. */
export function liveContainers(parts: ContainerParts): Set<string> {
  return new Set(
    parts.store
      .all()
      .filter(isRunning)
      .map(({ id }) => id),
  );
}

function isRunning({ state }: ContainerRecord): boolean {
  return isAlive(state) && isProcessAlive(state.init.pid, state.init.startTime);
}

/**
 * Makes rows and kernel agree when the daemon starts: takes over what runs, handles exits that were missed, finishes
 * removals, undoes starts and creations that were cut off, and removes what belongs to nobody.
 */
export async function reconcileContainers(parts: ContainerParts): Promise<void> {
  await undoIncomplete(parts);
  // Those that run come first: what they share with others (the mount of a volume) must not go with these.
  const live = liveContainers(parts);
  const order = parts.store.all().toSorted((a, b) => Number(live.has(b.id)) - Number(live.has(a.id)));
  for (const { id } of order) {
    using _held = await parts.locks.acquire(id);
    const record = parts.store.get(id);
    try {
      if (record !== undefined) await reconcileOne(parts, record);
    } catch (error) {
      // One container must not keep all the others from coming up. One that runs is followed all the
      // same, one that waits for its next start gets it.
      parts.log.error('cannot bring a container into order', { id, error });
      const now = parts.store.get(id);
      if (now?.state.kind === 'restarting') parts.restarts.schedule(now);
      else if (now !== undefined) followExit(parts, now);
    }
  }
  await removeOrphans(parts);
}

async function reconcileOne(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  const { id, state } = record;
  switch (state.kind) {
    case 'running':
    case 'paused':
      if (isRunning(record)) await takeOver(parts, record);
      else await endRunLocked(parts, record, await missedExit(parts, id, state.monitor));
      return;
    case 'removing':
      await removeLocked(parts, record, { volumes: state.volumes });
      return;
    case 'restarting':
      if (existsSync(parts.dirs.runOf(id))) await undoStart(parts, record);
      parts.restarts.schedule(record);
      return;
    case 'created':
    case 'exited':
      if (existsSync(parts.dirs.runOf(id))) await undoStart(parts, record);
      if (record.spec.hostConfig.AutoRemove && wasTried(record))
        await removeLocked(parts, record, { volumes: true });
      return;
    case 'creating':
    case 'dead':
      if (existsSync(parts.dirs.runOf(id))) await undoStart(parts, record);
      return;
    default:
      state satisfies never;
  }
}

async function takeOver(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  const { id, state, spec } = record;
  if (!isAlive(state)) return;
  for (const point of spec.mounts) {
    if (point.Type === 'volume') await parts.volumes.prepare(point.Name ?? '', id);
  }
  // The daemon can have died between freezing and noting it.
  const paused = (await runtimeOf(parts, record).oci.state(id))?.status === 'paused';
  const kind = paused ? 'paused' : 'running';
  const current = state.kind === kind ? record : parts.store.update(transition(record, { ...state, kind }));
  followExit(parts, current);
}

/** How a run ended that does not go on; its monitor can be about to say so. */
async function missedExit(parts: ContainerParts, id: string, monitor: ProcessRef): Promise<ContainerExit> {
  const signal = AbortSignal.timeout(monitorPatience);
  try {
    const exit = await parts.exits.wait(id, { monitor, signal });
    if (!exit.lost) return exit;
  } catch (error) {
    if (!signal.aborted) throw error;
    parts.log.warn('the monitor of a container that has ended does not say how', { id });
  }
  return { exitCode: unseenExitCode, finishedAt: new Date(), lost: true };
}

/** Whether a container that does not run has been started, or somebody has tried to. */
function wasTried({ state }: ContainerRecord): boolean {
  return state.kind === 'exited' || (state.kind === 'created' && state.error !== '');
}

/** A start that was cut off: nobody was told that it succeeded, so it is taken back. */
async function undoStart(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  await endLeftRun(parts, record.id);
  await releaseRun(parts, record);
}

/** What is left of containers that have no row: of runs, exit codes, writable layers, files. */
async function removeOrphans(parts: ContainerParts): Promise<void> {
  const gone = (id: string): boolean => parts.store.get(id) === undefined;
  const roots = [parts.dirs.runs, ...[...parts.runtimes.values()].map(({ oci }) => oci.root)];
  for (const id of new Set(roots.flatMap(foldersIn).filter(gone))) {
    await attempt(parts, id, () => removeOrphanRun(parts, id));
  }
  for (const id of foldersIn(parts.dirs.exits)) {
    const state = parts.store.get(id)?.state;
    if (state === undefined || !isAlive(state)) rmSync(parts.dirs.exitFileOf(id), { force: true });
  }
  const left = parts.snapshots
    .list()
    .filter(({ name, kind }) => kind === 'active' && isFullId(name) && gone(name));
  for (const { name } of left) await attempt(parts, name, () => parts.snapshots.remove(name));
  // They may have been all that kept the layers of an image that is gone.
  if (left.length > 0) await parts.layers.collect();
  for (const id of foldersIn(parts.dirs.data).filter(gone)) {
    await attempt(parts, id, () => rm(parts.dirs.dataOf(id), { recursive: true, force: true }));
  }
}

/** What belongs to nobody must not keep the daemon from coming up. */
async function attempt(parts: ContainerParts, id: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    parts.log.error('cannot remove what is left of a container', { id, error });
  }
}

async function removeOrphanRun(parts: ContainerParts, id: string): Promise<void> {
  await endLeftRun(parts, id);
  dropMountPoint(parts.dirs.rootfsOf(id));
  dropSubpaths(parts.dirs.runOf(id));
  rmSync(parts.dirs.runOf(id), { recursive: true, force: true });
  parts.shm.remove(id);
}

function foldersIn(path: string): string[] {
  return readdirSync(path).filter(isFullId);
}

/** Starts the containers that their restart policy wants up when the daemon comes up. */
export async function startAtBoot(parts: ContainerParts): Promise<void> {
  for (const record of parts.store.all().toReversed()) {
    if (record.state.kind !== 'exited') continue;
    const policy = record.spec.hostConfig.RestartPolicy;
    const exitCode = lastRun(record.state)?.exitCode ?? 0;
    if (!shouldStartAtBoot({ ...record, policy, exitCode })) continue;
    try {
      await startContainer(parts, record.id);
    } catch (error) {
      parts.log.error('cannot start a container at boot', { id: record.id, error: messageOf(error) });
    }
  }
}
