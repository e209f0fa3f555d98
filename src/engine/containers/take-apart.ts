import { rmSync } from 'node:fs';
import { internal, messageOf } from '#/base/errors.ts';
import { attributesOf } from './attributes.ts';
import { type ContainerRecord, type Finished, lastRun, transition } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { endVolumes, releaseEnded, releaseRun } from './release.ts';

/** Removes a container that does not run; the caller holds its lock. What cannot be removed stays as `dead`. */
export async function removeLocked(
  parts: ContainerParts,
  record: ContainerRecord,
  { volumes }: { volumes: boolean },
): Promise<void> {
  const last = lastRun(record.state);
  const removing = parts.store.update(transition(record, { kind: 'removing', last, volumes }));
  const result = { exitCode: last?.exitCode ?? 0 };
  try {
    await takeApart(parts, removing, { volumes });
  } catch (error) {
    parts.store.update(transition(removing, { kind: 'dead', last, error: messageOf(error) }));
    parts.waits.removed(record.id, { ...result, error: messageOf(error) });
    throw internal(`cannot remove container "/${record.name}": ${messageOf(error)}`, error);
  }
  publishDestroy(parts, record);
  parts.waits.removed(record.id, result);
}

/**
 * Removes a container with auto-remove that has ended; the caller holds its lock. The row goes first, so that whoever
 * waits need not wait for the rest: `clearEnded` does that. What the death of the daemon leaves of it belongs to nobody,
 * and goes at its start.
 */
export async function removeEnded(
  parts: ContainerParts,
  record: ContainerRecord,
  { finished, publishDie }: { finished: Finished; publishDie: () => void },
): Promise<void> {
  const { id } = record;
  const { exitCode } = finished;
  await endVolumes(parts, record);
  await parts.volumes.giveBack(id, { names: volumesOf(record), remove: true });
  parts.store.delete(id);
  publishDie();
  parts.waits.exited(id, { exitCode });
  publishDestroy(parts, record);
  parts.waits.removed(id, { exitCode });
  parts.attachments.abandon(id);
}

/** Frees what a container held that `removeEnded` has removed. Safe to repeat. */
export async function clearEnded(parts: ContainerParts, record: ContainerRecord): Promise<void> {
  await releaseEnded(parts, record);
  await removeFiles(parts, record);
}

function publishDestroy(parts: ContainerParts, record: ContainerRecord): void {
  const actor = { id: record.id, attributes: attributesOf(record) };
  parts.events.publish({ type: 'container', action: 'destroy', actor });
}

/** Frees all that a container holds, its row last. Safe to repeat and for one that is half made. */
export async function takeApart(
  parts: ContainerParts,
  record: ContainerRecord,
  { volumes }: { volumes: boolean },
): Promise<void> {
  const { id } = record;
  await releaseRun(parts, record);
  parts.attachments.abandon(id);
  // One that is half made may have volumes that its record does not tell of yet.
  const names = record.state.kind === 'creating' ? undefined : volumesOf(record);
  await parts.volumes.giveBack(id, { names, remove: volumes });
  await removeFiles(parts, record);
  parts.store.delete(id);
}

/** The names of a container's volumes. */
function volumesOf({ spec }: ContainerRecord): string[] {
  return spec.mounts.flatMap(({ Type, Name }) => (Type === 'volume' && Name !== undefined ? [Name] : []));
}

async function removeFiles(parts: ContainerParts, { id, imageId }: ContainerRecord): Promise<void> {
  if (parts.snapshots.exists(id)) await parts.snapshots.remove(id);
  rmSync(parts.dirs.dataOf(id), { recursive: true, force: true });
  parts.forgetExecs(id);
  await parts.images.containerRemoved(imageId);
}
