import { messageOf } from '#/base/errors.ts';
import { nowText } from '#/base/time.ts';
import { attributesOf } from './attributes.ts';
import { type ContainerRecord, type Finished, isAlive, type Run, transition } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { releaseRun } from './release.ts';
import { shouldRestart } from './restart-policy.ts';
import { removeLocked } from './take-apart.ts';

/** The exit code of a run whose end nobody saw, for example because the machine went down. */
const unknownExit = 255;

/**
 * The container's first process ended: frees what the run held, notes the result, tells who waits, and goes on as the
 * restart policy or auto-remove say. `exitCode` is undefined if it could not be found out.
 */
export async function handleExit(
  parts: ContainerParts,
  id: string,
  exitCode: number | undefined,
): Promise<void> {
  using _held = await parts.locks.acquire(id);
  const record = parts.store.get(id);
  if (record === undefined || !isAlive(record.state)) return;
  await endRunLocked(parts, record, exitCode);
}

/** As `handleExit`, for a caller that holds the lock. */
export async function endRunLocked(
  parts: ContainerParts,
  record: ContainerRecord,
  exitCode: number | undefined,
): Promise<void> {
  if (!isAlive(record.state)) return;
  const { id } = record;
  const finished = finish(parts, record.state, { id, exitCode });
  // The ports are free before anybody hears of the exit: whoever waited may start a container with the same ones.
  await releaseRun(parts, record);
  const again = shouldRestart({
    ...record,
    policy: record.spec.hostConfig.RestartPolicy,
    exitCode: finished.exitCode,
  });
  const ended = parts.store.update(
    transition(record, { ...finished, kind: again ? 'restarting' : 'exited' }),
  );
  publishDie(parts, ended, finished);
  if (again) parts.restarts.schedule(ended);
  parts.waits.exited(id, { exitCode: finished.exitCode });
  if (!again && record.spec.hostConfig.AutoRemove) await autoRemove(parts, ended);
}

function finish(
  parts: ContainerParts,
  run: Run,
  { id, exitCode }: { id: string; exitCode: number | undefined },
): Finished {
  return {
    exitCode: exitCode ?? unknownExit,
    startedAt: run.startedAt,
    finishedAt: nowText(),
    oomKilled: parts.wasOomKilled(id),
    error: '',
  };
}

function publishDie(parts: ContainerParts, record: ContainerRecord, finished: Finished): void {
  const attributes = attributesOf(record);
  const seconds = Math.max(
    0,
    Math.floor((Date.parse(finished.finishedAt) - Date.parse(finished.startedAt)) / 1000),
  );
  if (finished.oomKilled)
    parts.events.publish({ type: 'container', action: 'oom', actor: { id: record.id, attributes } });
  parts.events.publish({
    type: 'container',
    action: 'die',
    actor: {
      id: record.id,
      attributes: { ...attributes, execDuration: String(seconds), exitCode: String(finished.exitCode) },
    },
  });
}

async function autoRemove(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  try {
    await removeLocked(parts, record, { volumes: true });
  } catch (error) {
    // Nobody asked, so nobody is there to be told; the container stays as dead, to be removed again.
    parts.log.error('cannot remove a container that ended', { id: record.id, error: messageOf(error) });
  }
}
