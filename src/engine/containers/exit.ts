import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { rfc3339Nano } from '#/base/time.ts';
import type { ContainerExit, ProcessRef } from '#/runtime/exit-watcher.ts';
import { attributesOf } from './attributes.ts';
import { rotateLog } from './log-config.ts';
import { type ContainerRecord, type Finished, isAlive, isSameRun, type Run, transition } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { releaseEnded } from './release.ts';
import { shouldRestart } from './restart-policy.ts';
import { clearEnded, removeEnded } from './take-apart.ts';

/** Milliseconds between attempts to note an end, which fails while the disk is full. */
const firstRetry = 250;
const longestRetry = 15_000;

/** Waits, in the background, for the end of the run that `record` describes, and then handles it. */
export function followExit(parts: ContainerParts, record: ContainerRecord): void {
  const { state, id } = record;
  if (!isAlive(state)) return;
  const follow = async (): Promise<void> => {
    let exit: ContainerExit | undefined;
    await repeatedly(parts, `handle the end of container ${id}`, async () => {
      exit ??= await runToEnd(parts, record, state.monitor);
      await handleExit(parts, record, exit);
    });
  };
  void follow();
}

/** Does something until it succeeds or the daemon ends, with growing pauses. */
async function repeatedly(parts: ContainerParts, what: string, work: () => Promise<void>): Promise<void> {
  for (let delay = firstRetry; ; delay = Math.min(2 * delay, longestRetry)) {
    try {
      return await work();
    } catch (error) {
      if (parts.closing.aborted) return;
      parts.log.error(`cannot ${what}; trying again`, { error });
    }
    await sleep(delay, undefined, { signal: parts.closing, ref: false }).catch(() => undefined);
    if (parts.closing.aborted) return;
  }
}

async function runToEnd(
  parts: ContainerParts,
  record: ContainerRecord,
  monitor: ProcessRef,
): Promise<ContainerExit> {
  using _rotation = startRotation(parts, record);
  return await parts.exits.wait(record.id, { monitor, signal: parts.closing });
}

/** A container whose log cannot be watched runs without rotation. */
function startRotation(parts: ContainerParts, record: ContainerRecord): Disposable {
  try {
    return rotateLog(parts, record);
  } catch (error) {
    parts.log.error('cannot rotate the log of a container', { id: record.id, error });
    return new DisposableStack();
  }
}

async function handleExit(parts: ContainerParts, run: ContainerRecord, exit: ContainerExit): Promise<void> {
  using _held = await parts.locks.acquire(run.id);
  const record = parts.store.get(run.id);
  if (record !== undefined && isSameRun(record.state, run.state)) await endRunLocked(parts, record, exit);
}

/**
 * The container's first process ended: frees what the run held, notes the result, tells who waits, and goes on as the
 * restart policy or auto-remove say. The caller holds the lock. Does nothing if the container does not run.
 */
export async function endRunLocked(
  parts: ContainerParts,
  record: ContainerRecord,
  exit: ContainerExit,
): Promise<void> {
  if (!isAlive(record.state)) return;
  const finished = finish(parts, record.state, { id: record.id, exit });
  // The ports are free before anybody hears of the exit: whoever waited may start a container with the same ones.
  // The rest can wait until they have heard, as whoever touches this container needs its lock.
  parts.networks.release(record);
  const policy = record.spec.hostConfig.RestartPolicy;
  const again = shouldRestart({ ...record, policy, exitCode: finished.exitCode });
  const ended = transition(record, { ...finished, kind: again ? 'restarting' : 'exited' });
  if (!again && record.spec.hostConfig.AutoRemove && !parts.restarts.isHeld(record.id)) {
    await removeEnded(parts, ended, { finished, publishDie: () => publishDie(parts, ended, finished) });
    clearUp(parts, ended);
    return;
  }
  parts.store.update(ended);
  publishDie(parts, ended, finished);
  if (again) parts.restarts.schedule(ended);
  parts.waits.exited(record.id, { exitCode: finished.exitCode });
  await releaseEnded(parts, record).catch((error: unknown) => {
    // Everybody has been told; the next start or removal does it again.
    parts.log.error('cannot free what a container held', { id: record.id, error });
  });
}

/** Frees, in the background, what a container held that is gone already: no later request would do it. */
function clearUp(parts: ContainerParts, record: ContainerRecord): void {
  void repeatedly(parts, `clear up after container ${record.id}`, async () => {
    using _held = await parts.locks.acquire(record.id);
    await clearEnded(parts, record);
  });
}

function finish(
  parts: ContainerParts,
  run: Run,
  { id, exit }: { id: string; exit: ContainerExit },
): Finished {
  return {
    exitCode: exit.exitCode,
    startedAt: run.startedAt,
    finishedAt: rfc3339Nano(BigInt(Math.trunc(exit.finishedAt.getTime())) * 1_000_000n),
    // conmon's note that the kernel killed for lack of memory in this cgroup.
    oomKilled: existsSync(join(parts.dirs.runOf(id), 'oom')),
    error: '',
  };
}

function publishDie(parts: ContainerParts, record: ContainerRecord, finished: Finished): void {
  const { id } = record;
  const attributes = attributesOf(record);
  const milliseconds = Date.parse(finished.finishedAt) - Date.parse(finished.startedAt);
  const execDuration = String(Math.max(0, Math.floor(milliseconds / 1000)));
  const exitCode = String(finished.exitCode);
  if (finished.oomKilled)
    parts.events.publish({ type: 'container', action: 'oom', actor: { id, attributes } });
  parts.events.publish({
    type: 'container',
    action: 'die',
    actor: { id, attributes: { ...attributes, execDuration, exitCode } },
  });
}
