import { timestampMs } from '@bufbuild/protobuf/wkt';
import { invalid, messageOf } from '#/base/errors.ts';
import { parseTimestamp } from '#/base/timestamp.ts';
import { parseGoDuration } from '#/base/units.ts';
import { parseGitUrl } from '#/builder/sources/git/git-url.ts';
import { csvFields } from '../control/attributes.ts';
import { conditionOf, type Fields } from '../control/conditions.ts';
import type { BuildHistoryRecord } from '../messages/control_pb.ts';

type Test = (record: BuildHistoryRecord) => boolean;

/**
 * The builds that one of the filters takes. Each is a line of CSV with conditions: of `ref`, `status` and `repository`
 * (`status==error`, `ref~=abc`), or of times (`startedAt>=2024-01-02T03:04:05Z`, `completedAt<24h` ago, `duration>1m`). No filter
 * takes all. Throws `invalid`.
 */
export function historyFilter(filters: readonly string[], { now }: { now: Date }): Test {
  const tests = filters.map((filter) => {
    const conditions = csvFields(filter).map((text) => timeCondition(text, now) ?? conditionOf(text, fields));
    return (record: BuildHistoryRecord) => conditions.every((test) => test(record));
  });
  return (record) => tests.length === 0 || tests.some((test) => test(record));
}

const fields: Fields<BuildHistoryRecord> = {
  names: new Set(['ref', 'status', 'repository']),
  read: (record, field) => {
    switch (field) {
      case 'ref':
        return record.ref;
      case 'status':
        return statusOf(record);
      default:
        return repositoryOf(record);
    }
  },
};

function statusOf({ completedAt, error }: BuildHistoryRecord): string {
  if (completedAt === undefined) return 'running';
  if (error === undefined) return 'completed';
  return error.message.includes('context canceled') ? 'canceled' : 'error';
}

function repositoryOf({ frontendAttrs }: BuildHistoryRecord): string | undefined {
  const source = frontendAttrs['vcs:source'];
  if (source !== undefined) return source;
  try {
    return parseGitUrl(frontendAttrs['context'] ?? '')?.remote;
  } catch {
    // An address that no build could use.
    return undefined;
  }
}

/** Times of a record in milliseconds; a build under way has no end, and has taken no time. */
const times: Readonly<Record<string, (record: BuildHistoryRecord) => number>> = {
  startedAt: ({ createdAt }) => (createdAt === undefined ? 0 : timestampMs(createdAt)),
  completedAt: ({ completedAt }) => (completedAt === undefined ? 0 : timestampMs(completedAt)),
  duration: ({ createdAt, completedAt }) =>
    createdAt === undefined || completedAt === undefined
      ? 0
      : timestampMs(completedAt) - timestampMs(createdAt),
};

/** A comparison with a time; undefined: the condition is of another kind. */
function timeCondition(text: string, now: Date): Test | undefined {
  const [, field = '', operator, value = ''] = /^([a-zA-Z]+)(>=|<=|>|<)(.*)$/.exec(text) ?? [];
  const read = Object.hasOwn(times, field) ? times[field] : undefined;
  if (operator === undefined || read === undefined) return undefined;
  const limit = field === 'duration' ? durationIn(value) : momentIn(value, now);
  switch (operator) {
    case '>=':
      return (record) => read(record) >= limit;
    case '<=':
      return (record) => read(record) <= limit;
    case '>':
      return (record) => read(record) > limit;
    default:
      return (record) => read(record) < limit;
  }
}

/** `1m30s` in milliseconds. */
function durationIn(text: string): number {
  try {
    return parseGoDuration(text) / 1e6;
  } catch (error) {
    throw invalid(`invalid duration ${text}: ${messageOf(error)}`, error);
  }
}

/** A time, or how long it is ago. */
function momentIn(text: string, now: Date): number {
  try {
    return Number(parseTimestamp(text, now.getTime()) / 1_000_000n);
  } catch (error) {
    throw invalid(`invalid time ${text}`, error);
  }
}
