import type { MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { PruneRequest as BuilderPrune, CacheRecord } from '#/builder/cache/record.ts';
import type { PruneRequest, UsageRecordSchema } from '../messages/control_pb.ts';
import { conditionOf, type Fields } from './conditions.ts';

/** A record of the cache as BuildKit's clients know it. */
export function usageRecord(record: CacheRecord): MessageInitShape<typeof UsageRecordSchema> {
  return {
    id: record.id,
    mutable: isMutable(record),
    inUse: record.inUse,
    size: BigInt(record.size),
    parent: record.parents.join(';'),
    createdAt: timestampFromDate(record.createdAt),
    lastUsedAt: timestampFromDate(record.lastUsedAt),
    usageCount: BigInt(record.usageCount),
    description: record.description,
    recordType: record.kind,
    shared: record.shared,
    parents: [...record.parents],
  };
}

/** What is to be removed, with the filters applied to what there is now. */
export function pruneRequest(request: PruneRequest, records: readonly CacheRecord[]): BuilderPrune {
  const filters = new Map<string, string[]>();
  if (request.filter.some((filter) => filter !== '')) {
    filters.set(
      'id',
      records.filter(matching(request.filter)).map(({ id }) => id),
    );
  }
  const age = Number(request.keepDuration / 1_000_000_000n);
  if (age > 0) filters.set('until', [`${age}s`]);
  return {
    all: request.all,
    filters,
    maxUsed: bytes(request.maxUsedSpace),
    reserved: bytes(request.reservedSpace),
    minFree: bytes(request.minFreeSpace),
  };
}

/** 0 says nothing. */
function bytes(value: bigint): number | undefined {
  return value <= 0n ? undefined : Number(value);
}

type Test = (record: CacheRecord) => boolean;

/** The records that one of the filters takes: `type==regular,inuse` is one filter of two conditions. No filter takes all. */
export function matching(filters: readonly string[]): Test {
  const tests = filters.filter((filter) => filter !== '').map(conditionsOf);
  return (record) => tests.length === 0 || tests.some((test) => test(record));
}

function conditionsOf(filter: string): Test {
  const tests = filter.split(',').map((text) => conditionOf(text, known));
  return (record) => tests.every((test) => test(record));
}

/** What a field says; undefined if it does not hold. */
const fields: Readonly<Record<string, (record: CacheRecord) => string | undefined>> = {
  id: ({ id }) => id,
  parents: ({ parents }) => (parents.length === 0 ? undefined : parents.join(';')),
  description: ({ description }) => description || undefined,
  type: ({ kind }) => kind,
  inuse: ({ inUse }) => holds(inUse),
  shared: ({ shared }) => holds(shared),
  private: ({ shared }) => holds(!shared),
  mutable: (record) => holds(isMutable(record)),
  immutable: (record) => holds(!isMutable(record)),
};

const known: Fields<CacheRecord> = {
  names: new Set(Object.keys(fields)),
  read: (record, field) => fields[field]?.(record),
};

function holds(condition: boolean): string | undefined {
  return condition ? '' : undefined;
}

function isMutable({ kind }: CacheRecord): boolean {
  return kind === 'exec.cachemount' || kind === 'source.local';
}
