import { invalid, isKind } from '#/base/errors.ts';
import { parseTimestamp } from '#/base/timestamp.ts';
import type { Filters } from '#/wire/filters.ts';

import { hasLabel } from './list.ts';
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
      const { bytes } = await parts.snapshots.usage(record.id);
      await removeContainer(parts, record.id, { force: false, volumes: false });
      deleted.push(record.id);
      reclaimed += bytes;
    } catch (error) {
      // Started or removed by somebody else meanwhile.
      if (!isKind(error, 'conflict') && !isKind(error, 'notFound')) throw error;
    }
  }
  parts.events.publish({
    type: 'container',
    action: 'prune',
    actor: { id: '', attributes: { reclaimed: String(reclaimed) } },
  });
  return { deleted, reclaimed };
}

function pruneFilter(filters: Filters): (record: ContainerRecord) => boolean {
  for (const name of filters.keys()) {
    if (!['label', 'label!', 'until'].includes(name)) throw invalid(`invalid filter '${name}'`);
  }
  const until = filters.get('until') ?? [];
  if (until.length > 1) throw invalid('more than one until filter specified');
  const limit = until[0] === undefined ? undefined : parseTimestamp(until[0], Date.now());
  return ({ created, spec }) => {
    const labels = spec.config.Labels ?? {};
    return (
      (limit === undefined || BigInt(Date.parse(created)) * 1_000_000n < limit) &&
      (filters.get('label') ?? []).every((label) => hasLabel(labels, label)) &&
      !(filters.get('label!') ?? []).some((label) => hasLabel(labels, label))
    );
  };
}
