import type { FilterValues } from '#/client/containers.ts';
import { type Command, defineCommand } from '../../command.ts';
import { boolFlag, filterFlag } from '../../flags/flag.ts';
import { naturalOrder } from '../../format/ids.ts';
import {
  confirm,
  pruneStoppedContainers,
  pruneUnusedCache,
  pruneUnusedImages,
  pruneUnusedNetworks,
  pruneUnusedVolumes,
  reportPrune,
} from '../../prune.ts';

export const command: Command = defineCommand({
  usage: '[OPTIONS]',
  arity: { max: 0 },
  flags: {
    all: boolFlag('Every image without a container, not only those without a name', { short: 'a' }),
    filter: filterFlag('Only those that match, e.g. "label=name"'),
    force: boolFlag('Do not ask', { short: 'f' }),
    volumes: boolFlag('Anonymous volumes too'),
  },
  async run(ctx, { flags }) {
    const { client } = ctx;
    const { filter } = flags;
    if (flags.volumes && filter['until'] !== undefined) {
      throw new Error('ERROR: The "until" filter is not supported with "--volumes"');
    }
    if (!flags.force && !(await confirm(ctx, warning(flags)))) return;
    const reports = [await pruneStoppedContainers(client, filter), await pruneUnusedNetworks(client, filter)];
    if (flags.volumes) reports.push(await pruneUnusedVolumes(client, filter, { all: false }));
    reports.push(await pruneUnusedImages(client, filter, flags));
    reports.push(await pruneUnusedCache(client, cacheFilters(filter), { all: flags.all }));
    reportPrune(ctx, {
      text: reports.map(({ text }) => text).join(''),
      bytes: reports.reduce((total, { bytes }) => total + bytes, 0),
    });
  },
});

/** Cache has no labels. */
function cacheFilters(filter: FilterValues): FilterValues {
  return Object.fromEntries(Object.entries(filter).filter(([name]) => !['label', 'label!'].includes(name)));
}

function warning({
  all,
  volumes,
  filter,
}: {
  all: boolean;
  volumes: boolean;
  filter: Readonly<Record<string, readonly string[]>>;
}): string {
  const items = [
    'all stopped containers',
    'all networks not used by at least one container',
    ...(volumes ? ['all anonymous volumes not used by at least one container'] : []),
    all ? 'all images without at least one container associated to them' : 'all dangling images',
    all ? 'all build cache' : 'unused build cache',
  ];
  const filters = ['label', 'label!', 'until'].flatMap((name) =>
    (filter[name] ?? []).map((value) => `${name}=${value}`),
  );
  const lines = (texts: readonly string[]): string => texts.map((text) => `\n  - ${text}`).join('');
  const filtered =
    filters.length === 0
      ? ''
      : `\n  Items to be pruned will be filtered with:${lines(filters.sort(naturalOrder))}\n`;
  return `WARNING! This will remove:${lines(items)}\n${filtered}`;
}
