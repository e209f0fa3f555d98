import { invalid, isKind } from '#/base/errors.ts';
import { parseTimestamp } from '#/base/timestamp.ts';
import type { CacheRecord, PruneRequest } from './record.ts';

type Matches = (record: CacheRecord, value: string) => boolean;

const matchers: ReadonlyMap<string, Matches> = new Map<string, Matches>([
  ['id', ({ id }, value) => id.startsWith(value)],
  ['parent', ({ parents }, value) => parents.some((parent) => parent.startsWith(value))],
  ['type', ({ kind }, value) => kind === value],
  ['description', ({ description }, value) => description.includes(value)],
  ['inuse', ({ inUse }, value) => inUse === isTrue(value)],
  ['shared', ({ shared }, value) => shared === isTrue(value)],
  ['private', ({ shared }, value) => shared !== isTrue(value)],
]);

/**
 * Which records a request means: those that match its filters, and of these as many as its bounds demand, the least recently
 * used first. What is in use is never among them. Throws `invalid` for an unknown filter.
 */
export function chooseForRemoval(
  records: readonly CacheRecord[],
  request: PruneRequest,
  { now, free }: { now: number; free: number },
): CacheRecord[] {
  const matching = records.filter(matcherOf(request.filters, now));
  const candidates = matching
    .filter(({ inUse, shared }) => !inUse && (request.all || !shared))
    .toSorted((a, b) => a.lastUsedAt.getTime() - b.lastUsedAt.getTime());
  const { maxUsed, reserved = 0, minFree } = request;
  if (maxUsed === undefined && minFree === undefined && reserved === 0) return candidates;
  let used = sizeOf(matching);
  let available = free;
  const tooMuch = (): boolean =>
    used > reserved &&
    (maxUsed === undefined && minFree === undefined
      ? true
      : (maxUsed !== undefined && used > maxUsed) || (minFree !== undefined && available < minFree));
  const chosen: CacheRecord[] = [];
  for (const record of candidates) {
    if (!tooMuch()) break;
    chosen.push(record);
    if (record.shared) continue;
    used -= record.size;
    available += record.size;
  }
  return chosen;
}

/** What counts against the bounds: images have the rest anyway. */
function sizeOf(records: readonly CacheRecord[]): number {
  return records.filter(({ shared }) => !shared).reduce((sum, { size }) => sum + size, 0);
}

function matcherOf(filters: PruneRequest['filters'], now: number): (record: CacheRecord) => boolean {
  const tests: ((record: CacheRecord) => boolean)[] = [];
  for (const [name, values] of filters) {
    if (name === 'until' || name === 'unused-for') {
      const limits = values.map((value) => Number(timeOf(name, value, now) / 1_000_000n));
      tests.push(({ lastUsedAt }) => limits.every((limit) => lastUsedAt.getTime() <= limit));
      continue;
    }
    const matches = matchers.get(name);
    if (matches === undefined) throw invalid(`invalid filter '${name}'`);
    tests.push((record) => values.some((value) => matches(record, value)));
  }
  return (record) => tests.every((test) => test(record));
}

function timeOf(name: string, text: string, now: number): bigint {
  try {
    return parseTimestamp(text, now);
  } catch (error) {
    if (!isKind(error, 'invalid')) throw error;
    const expected = `"${name}" filter expects a duration (e.g., '24h') or a timestamp`;
    throw invalid(`${expected}: ${error.message}`, error);
  }
}

/** A filter without a value is true. */
function isTrue(value: string): boolean {
  if (['', '1', 't', 'T', 'true', 'TRUE', 'True'].includes(value)) return true;
  if (['0', 'f', 'F', 'false', 'FALSE', 'False'].includes(value)) return false;
  throw invalid(`invalid boolean value: ${value}`);
}
