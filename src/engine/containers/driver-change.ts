import { conflict, isKind } from '#/base/errors.ts';
import { shortId } from '#/base/ids.ts';
import type { ImageRecord } from '#/storage/images/record.ts';
import type { ContainerRecord } from './model.ts';
import type { ContainerParts } from './parts.ts';

/** Unpacks the layers of an image again that only another storage driver has. Throws `conflict` if that cannot be done. */
export async function ensureUnpacked(
  { layers, snapshots, log }: ContainerParts,
  { id, chainId }: ImageRecord,
): Promise<void> {
  if (chainId === undefined || snapshots.exists(chainId)) return;
  log.info('unpacking an image again, for another storage driver', { id, driver: snapshots.driver });
  try {
    await layers.restore(chainId);
  } catch (error) {
    // To clients "not found" would mean the image, which they would then pull.
    if (!isKind(error, 'notFound')) throw error;
    throw conflict(
      `image ${shortId(id)} cannot be used with the storage driver "${snapshots.driver}": what is here of it was unpacked by another driver, and its archives are not kept. Pull, load or build it again, or start the daemon with the other driver`,
      error,
    );
  }
}

/** Throws `conflict` for a container whose files another storage driver has. */
export function refuseOtherDriver({ snapshots }: ContainerParts, { id, name, spec }: ContainerRecord): void {
  if (spec.driver === snapshots.driver || snapshots.exists(id)) return;
  throw conflict(
    `container "${name}" was created with the storage driver "${spec.driver}", the daemon uses "${snapshots.driver}" now: start the daemon with --storage-driver=${spec.driver}, or create the container again`,
  );
}

/** Bytes that a container has written; none where another storage driver has its files. */
export async function writtenBytes({ snapshots }: ContainerParts, id: string): Promise<number> {
  return snapshots.exists(id) ? (await snapshots.usage(id)).bytes : 0;
}
