import { humanSize } from '#/base/units.ts';
import type { BuildCacheRecord, DiskUsage } from '#/wire/system.ts';
import { containerKind } from './containers.ts';
import { imageKind, imageRows } from './images.ts';
import { type ListKind, parseListFormat, renderList } from './list.ts';
import { ago } from './times.ts';
import { volumeKind } from './volumes.ts';

/** One kind of thing. Sizes are bytes. */
export interface DiskUsageRow {
  readonly type: string;
  readonly total: number;
  readonly active: number;
  readonly size: number;
  readonly reclaimable: number;
  /** Whether the share that can be reclaimed is shown. */
  readonly percent: boolean;
}

const column = (header: string, value: (row: DiskUsageRow) => string) => ({ header, value });

/** The columns of `system df`. */
export const diskUsageKind: ListKind<DiskUsageRow> = {
  type: '*formatter.diskUsageImagesContext',
  columns: {
    Active: column('ACTIVE', ({ active }) => String(active)),
    Reclaimable: column('RECLAIMABLE', ({ size, reclaimable, percent }) => {
      const share = percent && size > 0 ? ` (${Math.trunc((reclaimable * 100) / size)}%)` : '';
      return humanSize(reclaimable) + share;
    }),
    Size: column('SIZE', ({ size }) => humanSize(size)),
    TotalCount: column('TOTAL', ({ total }) => String(total)),
    Type: column('TYPE', ({ type }) => type),
  },
};

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

const ownSize = (cache: readonly BuildCacheRecord[]): number =>
  sum(cache.filter(({ Shared }) => !Shared).map(({ Size }) => Size));

/** The totals: images, containers, volumes, build cache. */
export function diskUsageRows({
  LayersSize,
  Images,
  Containers,
  Volumes,
  BuildCache,
}: DiskUsage): DiskUsageRow[] {
  const images = Images ?? [];
  const containers = Containers ?? [];
  const volumes = (Volumes ?? []).map(({ UsageData }) => UsageData ?? { RefCount: 0, Size: -1 });
  const cache = BuildCache ?? [];
  const usedByImages = images
    .filter(({ Containers: count, Size, SharedSize }) => count !== 0 && Size !== -1 && SharedSize !== -1)
    .map(({ Size, SharedSize }) => Size - SharedSize);
  const running = new Set(['running', 'paused', 'restarting']);
  const stopped = containers.filter(({ State }) => !running.has(State));
  const known = volumes.filter(({ Size }) => Size !== -1);
  const row = (
    type: string,
    figures: Omit<DiskUsageRow, 'type' | 'percent'>,
    percent = true,
  ): DiskUsageRow => ({
    type,
    ...figures,
    percent,
  });
  return [
    row('Images', {
      total: images.length,
      active: images.filter(({ Containers: count }) => count > 0).length,
      size: LayersSize,
      reclaimable: LayersSize - sum(usedByImages),
    }),
    row('Containers', {
      total: containers.length,
      active: containers.length - stopped.length,
      size: sum(containers.map(({ SizeRw = 0 }) => SizeRw)),
      reclaimable: sum(stopped.map(({ SizeRw = 0 }) => SizeRw)),
    }),
    row('Local Volumes', {
      total: volumes.length,
      active: volumes.filter(({ RefCount }) => RefCount > 0).length,
      size: sum(known.map(({ Size }) => Size)),
      reclaimable: sum(known.filter(({ RefCount }) => RefCount === 0).map(({ Size }) => Size)),
    }),
    row(
      'Build Cache',
      {
        total: cache.length,
        active: cache.filter(({ InUse }) => InUse).length,
        size: ownSize(cache),
        reclaimable:
          ownSize(cache) - sum(cache.filter(({ InUse, Shared }) => InUse && !Shared).map(({ Size }) => Size)),
      },
      false,
    ),
  ];
}

const cacheKind: ListKind<BuildCacheRecord> = {
  type: '*formatter.buildCacheContext',
  columns: {
    ID: { header: 'CACHE ID', value: ({ ID, InUse }) => `${ID.slice(0, 12)}${InUse ? '*' : ''}` },
    CacheType: { header: 'CACHE TYPE', value: ({ Type }) => Type },
    Size: { header: 'SIZE', value: ({ Size }) => humanSize(Size, 3) },
    CreatedSince: { header: 'CREATED', value: ({ CreatedAt }) => ago(Date.parse(CreatedAt) / 1000) },
    LastUsedSince: {
      header: 'LAST USED',
      value: ({ LastUsedAt }) => (LastUsedAt === null ? '' : ago(Date.parse(LastUsedAt) / 1000)),
    },
    UsageCount: { header: 'USAGE', value: ({ UsageCount }) => String(UsageCount) },
    Shared: { header: 'SHARED', value: ({ Shared }) => String(Shared) },
  },
};

/** What was never used comes first, then what was used longest ago. */
function byLastUse(a: BuildCacheRecord, b: BuildCacheRecord): number {
  const time = ({ LastUsedAt }: BuildCacheRecord): number =>
    LastUsedAt === null ? 0 : Date.parse(LastUsedAt);
  return time(a) - time(b) || (a.ID < b.ID ? -1 : 1);
}

/** `system df --verbose`: a table for each kind of thing. */
export function diskUsageDetails({ Images, Containers, Volumes, BuildCache }: DiskUsage): string {
  const table = <T>(kind: ListKind<T>, rows: readonly T[], standard: string): string =>
    renderList(kind, rows, parseListFormat('', { standard: `table ${standard}` }));
  // An image with several names is still one image.
  const images = (Images ?? []).flatMap((image) => imageRows(image, { digests: false }).slice(0, 1));
  const containers = (Containers ?? []).map((container) => ({ ...container, SizeRootFs: 0 }));
  const cache = (BuildCache ?? []).toSorted(byLastUse);
  return [
    'Images space usage:\n\n',
    table(
      imageKind({ truncate: true }),
      images,
      '{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t{{.Size}}\t{{.SharedSize}}\t{{.UniqueSize}}\t{{.Containers}}',
    ),
    '\nContainers space usage:\n\n',
    table(
      containerKind({ truncate: true }),
      containers,
      '{{.ID}}\t{{.Image}}\t{{.Command}}\t{{.LocalVolumes}}\t{{.Size}}\t{{.RunningFor}}\t{{.Status}}\t{{.Names}}',
    ),
    '\nLocal Volumes space usage:\n\n',
    table(volumeKind, Volumes ?? [], '{{.Name}}\t{{.Links}}\t{{.Size}}'),
    `\nBuild cache usage: ${humanSize(ownSize(cache))}\n\n`,
    table(
      cacheKind,
      cache,
      '{{.ID}}\t{{.CacheType}}\t{{.Size}}\t{{.CreatedSince}}\t{{.LastUsedSince}}\t{{.UsageCount}}\t{{.Shared}}',
    ),
  ].join('');
}
