import { humanSize } from '#/base/units.ts';
import type { FilterValues } from '#/client/containers.ts';
import type { BuildCacheRecord } from '#/wire/system.ts';
import type { ListKind } from './list.ts';
import { ago } from './times.ts';

/** What `builder du` shows of a record, by Docker's names. */
export const cacheRecordKind: ListKind<BuildCacheRecord> = {
  type: '*formatter.buildCacheContext',
  columns: {
    ID: { header: 'ID', value: ({ ID, InUse }) => `${ID}${InUse ? '*' : ''}` },
    Reclaimable: { header: 'RECLAIMABLE', value: ({ InUse }) => String(!InUse) },
    Size: { header: 'SIZE', value: ({ Size, Shared }) => `${humanSize(Size)}${Shared ? '*' : ''}` },
    LastAccessed: { header: 'LAST ACCESSED', value: ({ LastUsedAt }) => lastUse(LastUsedAt) },
    Type: { header: 'TYPE', value: ({ Type }) => Type },
    Description: { header: 'DESCRIPTION', value: ({ Description }) => Description },
    Shared: { header: 'SHARED', value: ({ Shared }) => String(Shared) },
    UsageCount: { header: 'USAGE COUNT', value: ({ UsageCount }) => String(UsageCount) },
    CreatedAt: { header: 'CREATED AT', value: ({ CreatedAt }) => CreatedAt },
    LastUsedAt: { header: 'LAST USED AT', value: ({ LastUsedAt }) => LastUsedAt ?? '' },
  },
};

const lastUse = (time: string | null): string => (time === null ? '' : ago(Date.parse(time) / 1000));

/** All there is to say of a record, in lines. */
export function cacheDetails(record: BuildCacheRecord): string {
  const { ID, Type, Description, InUse, Shared, Size, CreatedAt, LastUsedAt, UsageCount } = record;
  const lines: [string, string][] = [
    ['ID', ID],
    ...(record.Parents === undefined || record.Parents.length === 0
      ? []
      : [['Parents', record.Parents.join(', ')] as [string, string]]),
    ['Created at', CreatedAt],
    ['Reclaimable', String(!InUse)],
    ['Shared', String(Shared)],
    ['Size', humanSize(Size)],
    ['Description', Description],
    ['Usage count', String(UsageCount)],
    ...(LastUsedAt === null ? [] : [['Last used', lastUse(LastUsedAt)] as [string, string]]),
    ['Type', Type],
    ...(record.Reason === undefined ? [] : [['Kept', record.Reason] as [string, string]]),
  ];
  return lines.map(([name, value]) => `${`${name}:`.padEnd(14)}${value}\n`).join('');
}

/** Whether a record has one of the values of each filter. Throws an Error for a filter that there is not. */
export function matchesFilters(record: BuildCacheRecord, filters: FilterValues): boolean {
  const checks: Readonly<Record<string, (value: string) => boolean>> = {
    id: (value) => record.ID.startsWith(value),
    parent: (value) => record.Parents?.includes(value) === true,
    type: (value) => record.Type === value,
    description: (value) => record.Description.includes(value),
    inuse: () => record.InUse,
    shared: () => record.Shared,
    private: () => !record.Shared,
  };
  return Object.entries(filters).every(([name, values]) => {
    const check = Object.hasOwn(checks, name) ? checks[name] : undefined;
    if (check === undefined) throw new Error(`invalid filter '${name}'`);
    return values.some(check);
  });
}
