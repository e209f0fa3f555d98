import { rmSync } from 'node:fs';
import { internal, messageOf } from '#/base/errors.ts';
import { attributesOf } from './attributes.ts';
import { type ContainerRecord, lastRun, transition } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { releaseRun } from './release.ts';

/** Removes a container that does not run; the caller holds its lock. What cannot be removed stays as `dead`. */
export async function removeLocked(
  parts: ContainerParts,
  record: ContainerRecord,
  { volumes }: { volumes: boolean },
): Promise<void> {
  const last = lastRun(record.state);
  const removing = parts.store.update(transition(record, { kind: 'removing', last }));
  const result = { exitCode: last?.exitCode ?? 0 };
  try {
    await takeApart(parts, removing, { volumes });
  } catch (error) {
    parts.store.update(transition(removing, { kind: 'dead', last, error: messageOf(error) }));
    parts.waits.removed(record.id, { ...result, error: messageOf(error) });
    throw internal(`cannot remove container "/${record.name}": ${messageOf(error)}`, error);
  }
  parts.events.publish({
    type: 'container',
    action: 'destroy',
    actor: { id: record.id, attributes: attributesOf(record) },
  });
  parts.waits.removed(record.id, result);
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
  if (parts.snapshots.exists(id)) await parts.snapshots.remove(id);
  await parts.volumes.giveBack(id, { remove: volumes });
  rmSync(parts.dirs.dataOf(id), { recursive: true, force: true });
  parts.store.delete(id);
  await parts.images.containerRemoved(record.imageId);
}
