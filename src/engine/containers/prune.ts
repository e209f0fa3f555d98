import { isKind } from '#/base/errors.ts';
import type { Filters } from '#/wire/filters.ts';
import { checkFilterNames, prunesLabels, untilFilter } from '../filters.ts';
import { writtenBytes } from './driver-change.ts';
import type { ContainerRecord } from './model.ts';
import type { ContainerParts } from './parts.ts';
import { removeContainer } from './remove.ts';

/** Removes every container that does not run and meets the filters (`label`, `label!`, `until`). */
export async function pruneContainers(
  parts: ContainerParts,
  filters: Filters,
): Promise<{ deleted: string[]; reclaimed: number }> {
  const chosen = pruneFilter(filters);
  const deleted: string[] = [];
  let reclaimed = 0;
  for (const record of parts.store.all()) {
    if (!['created', 'exited', 'dead'].includes(record.state.kind) || !chosen(record)) continue;
    try {
      const bytes = await writtenBytes(parts, record.id);
      await removeContainer(parts, record.id, { force: false, volumes: false });
      deleted.push(record.id);
      reclaimed += bytes;
    } catch (error) {
      // Started or removed by somebody else meanwhile.
      if (!isKind(error, 'conflict') && !isKind(error, 'notFound')) throw error;
    }
  }
  const attributes = { reclaimed: String(reclaimed) };
  parts.events.publish({ type: 'container', action: 'prune', actor: { id: '', attributes } });
  return { deleted, reclaimed };
}

function pruneFilter(filters: Filters): (record: ContainerRecord) => boolean {
  checkFilterNames(filters, ['label', 'label!', 'until']);
  const until = untilFilter(filters);
  return ({ created, spec }) =>
    (until === undefined || BigInt(Date.parse(created)) * 1_000_000n < until) &&
    prunesLabels(filters, spec.config.Labels);
}
