import { create } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { Job } from '../control/job.ts';
import { type BuildHistoryRecord, BuildHistoryRecordSchema } from '../messages/control_pb.ts';
import { StatusSchema } from '../messages/status_pb.ts';
import type { Ending } from './attachments.ts';

/** What a record says of what belongs to the build. */
export type RecordParts = Partial<
  Pick<BuildHistoryRecord, 'logs' | 'trace' | 'externalError' | 'result' | 'results'>
>;

/** What is known of a build while it is under way. */
export function recordOf(job: Job): BuildHistoryRecord {
  const { total, completed, cached, warnings } = job.feed.counts;
  return create(BuildHistoryRecordSchema, {
    ref: job.ref,
    frontend: 'dockerfile.v0',
    frontendAttrs: shownAttributes(job.input.attributes),
    exporters: job.input.exporters.map(({ type, attributes }) => ({
      type,
      attrs: Object.fromEntries(attributes),
    })),
    createdAt: timestampFromDate(job.startedAt),
    numTotalSteps: total,
    numCompletedSteps: completed,
    numCachedSteps: cached,
    numWarnings: warnings,
  });
}

/** What is known of a build that has ended. */
export function endedRecord(
  job: Job,
  { completed, result, error }: Ending,
  parts: RecordParts,
): BuildHistoryRecord {
  return Object.assign(recordOf(job), {
    ...parts,
    completedAt: timestampFromDate(completed),
    ...(error !== undefined && {
      error: create(StatusSchema, { code: error.code, message: error.message }),
    }),
    exporterResponse: Object.fromEntries(result?.metadata ?? []),
  });
}

/** Attributes without what lets somebody into a registry, a store of caches or a repository. */
function shownAttributes(attributes: ReadonlyMap<string, string>): Record<string, string> {
  return Object.fromEntries(
    [...attributes].flatMap(([name, value]) => {
      if (name === 'cache-imports') return [];
      const isAddress = name === 'context' || name.startsWith('context:') || name === 'vcs:source';
      return [[name, isAddress ? withoutCredentials(value) : value]];
    }),
  );
}

/** An address without the user and the password in it. */
function withoutCredentials(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)[^/@]*@/i, '$1xxxxx:xxxxx@');
}
