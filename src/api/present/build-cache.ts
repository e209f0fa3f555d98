import type { CacheRecord } from '#/builder/cache/record.ts';
import type { BuildCacheRecord } from '#/wire/system.ts';

/** A record of the build cache as `GET /system/df` has it. */
export function presentCacheRecord(record: CacheRecord): BuildCacheRecord {
  const { id, parents, kind, description, inUse, shared, size, createdAt, lastUsedAt, usageCount, reason } =
    record;
  return {
    ID: id,
    ...(parents.length > 0 && { Parents: parents }),
    Type: kind,
    Description: description,
    InUse: inUse,
    Shared: shared,
    Size: size,
    CreatedAt: createdAt.toISOString(),
    LastUsedAt: usageCount === 0 ? null : lastUsedAt.toISOString(),
    UsageCount: usageCount,
    ...(reason !== undefined && { Reason: reason }),
  };
}
