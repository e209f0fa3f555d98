import { conflict } from '#/base/errors.ts';
import { endRunLocked } from './exit.ts';
import { type ContainerRecord, isAlive } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { killAndWait, publishKill } from './stop.ts';
import { removeLocked } from './take-apart.ts';

/** How to remove a container. */
export interface RemoveOptions {
  /** Kill it if it runs. */
  readonly force: boolean;
  /** Also its anonymous volumes. */
  readonly volumes: boolean;
}

/** Removes a container and all that belongs to it. */
export async function removeContainer(
  parts: ContainerParts,
  ref: string,
  options: RemoveOptions,
): Promise<void> {
  const { id } = parts.store.find(ref);
  using _held = await parts.locks.acquire(id);
  const record = parts.store.get(id);
  if (record === undefined) throw conflict(`removal of container ${ref} is already in progress`);
  if (!options.force) refuseActive(record, ref);
  parts.restarts.reset(id);
  const stopped = isAlive(record.state) ? await killLocked(parts, record) : record;
  if (stopped !== undefined) await removeLocked(parts, stopped, options);
}

function refuseActive({ state }: ContainerRecord, ref: string): void {
  const reasons: Readonly<Record<string, string>> = {
    running: 'container is running: stop the container before removing or force remove',
    paused: 'container is paused and must be unpaused first',
    restarting: 'container is restarting: stop the container before removing or force remove',
  };
  const reason = reasons[state.kind];
  if (reason !== undefined) throw conflict(`cannot remove container "${ref}": ${reason}`);
}

/** Ends a run at once; what is left of the container, or nothing if it was to be removed after its end anyway. */
async function killLocked(
  parts: ContainerParts,
  record: ContainerRecord,
): Promise<ContainerRecord | undefined> {
  const marked = parts.store.update({ ...record, manuallyStopped: true });
  publishKill(parts, record, 9);
  const exit = await killAndWait(parts, marked);
  await endRunLocked(parts, marked, exit);
  return parts.store.get(record.id);
}
