import { createInterface } from 'node:readline';
import { humanSize } from '#/base/units.ts';
import { pruneBuildCache } from '#/client/build.ts';
import type { Client } from '#/client/client.ts';
import { type FilterValues, pruneContainers } from '#/client/containers.ts';
import { pruneImages } from '#/client/images.ts';
import { pruneNetworks } from '#/client/networks.ts';
import { pruneVolumes } from '#/client/volumes.ts';
import type { Context } from './command.ts';

/** What a prune did: the lines to print, and the bytes that it freed. */
export interface PruneReport {
  readonly text: string;
  readonly bytes: number;
}

const nothing: PruneReport = { text: '', bytes: 0 };

/** Asks whether to go on; only y and Y mean yes. `separator` stands before the question. */
export async function confirm(
  { stdin, stdout }: Context,
  warning: string,
  separator: string = '\n',
): Promise<boolean> {
  stdout.write(`${warning}${separator}Are you sure you want to continue? [y/N] `);
  const lines = createInterface({ input: stdin });
  const answer = await new Promise<string>((resolve) => {
    lines.once('line', resolve);
    lines.once('close', () => resolve(''));
  });
  lines.close();
  return answer.trim().toLowerCase() === 'y';
}

function listed(title: string, items: readonly string[], bytes: number): PruneReport {
  return items.length === 0
    ? nothing
    : { text: `${title}:\n${items.map((item) => `${item}\n`).join('')}\n`, bytes };
}

export async function pruneStoppedContainers(client: Client, filters: FilterValues): Promise<PruneReport> {
  const { ContainersDeleted, SpaceReclaimed } = await pruneContainers(client, filters);
  return listed('Deleted Containers', ContainersDeleted ?? [], SpaceReclaimed);
}

export async function pruneUnusedNetworks(client: Client, filters: FilterValues): Promise<PruneReport> {
  const { NetworksDeleted } = await pruneNetworks(client, filters);
  return listed('Deleted Networks', NetworksDeleted ?? [], 0);
}

/** Removes dangling images or, with `all`, every image without a container. */
export async function pruneUnusedImages(
  client: Client,
  filters: FilterValues,
  { all }: { all: boolean },
): Promise<PruneReport> {
  const { ImagesDeleted, SpaceReclaimed } = await pruneImages(client, {
    ...filters,
    dangling: [String(!all)],
  });
  const lines = (ImagesDeleted ?? []).map(({ Untagged, Deleted }) =>
    Untagged ? `untagged: ${Untagged}` : `deleted: ${Deleted ?? ''}`,
  );
  return listed('Deleted Images', lines, SpaceReclaimed);
}

/** Removes anonymous volumes or, with `all`, every volume without a container. */
export async function pruneUnusedVolumes(
  client: Client,
  filters: FilterValues,
  { all }: { all: boolean },
): Promise<PruneReport> {
  const { VolumesDeleted, SpaceReclaimed } = await pruneVolumes(client, {
    ...filters,
    ...(all && { all: ['true'] }),
  });
  return listed('Deleted Volumes', VolumesDeleted ?? [], SpaceReclaimed);
}

/** Removes cache of builds that nothing builds on or, with `all`, all that no build works with. */
export async function pruneUnusedCache(
  client: Client,
  filters: FilterValues,
  options: { all: boolean; reservedSpace?: number; maxUsedSpace?: number; minFreeSpace?: number },
): Promise<PruneReport> {
  const { CachesDeleted, SpaceReclaimed } = await pruneBuildCache(client, { ...options, filters });
  return listed('Deleted build cache objects', CachesDeleted ?? [], SpaceReclaimed);
}

/** Prints what was removed and how much space came free. */
export function reportPrune({ stdout }: Pick<Context, 'stdout'>, { text, bytes }: PruneReport): void {
  stdout.write(`${text}Total reclaimed space: ${humanSize(bytes)}\n`);
}
