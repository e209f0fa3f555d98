import { create, fromBinary, toBinary } from '@bufbuild/protobuf';
import type { Logger } from '#/base/log.ts';
import type { BuildHistory } from '#/builder/history/build-history.ts';
import type { Digest } from '#/oci/digest.ts';
import type { Job } from '../control/job.ts';
import { GrpcError, grpcCodes } from '../grpc/status.ts';
import {
  type BuildHistoryEvent,
  BuildHistoryEventSchema,
  BuildHistoryEventType,
  type BuildHistoryRecord,
  BuildHistoryRecordSchema,
  type StatusResponse,
} from '../messages/control_pb.ts';
import { Attachments, type Ending } from './attachments.ts';
import { endedRecord, recordOf } from './record.ts';
import { decodeStatusLog } from './status-log.ts';

/** Which builds clients want to hear of. */
export interface HistoryWish {
  /** Only this build; empty is all. */
  readonly ref: string;
  readonly isActiveOnly: boolean;
  /** Ends after what is known now. */
  readonly isEarlyExit: boolean;
  /** The latest so many, the latest first; 0 is all. */
  readonly limit: number;
  readonly filter: (record: BuildHistoryRecord) => boolean;
}

/** Builds under way, and those that have ended, as BuildKit's clients see them. */
export class History {
  readonly #kept: BuildHistory;
  readonly #log: Logger;
  readonly #active = new Map<string, Job>();
  readonly #listeners = new Set<(event: BuildHistoryEvent) => void>();

  constructor({ kept, log }: { kept: BuildHistory; log: Logger }) {
    this.#kept = kept;
    this.#log = log;
  }

  /** A build begins; gives what takes its end. */
  begin(job: Job): (ending: Ending) => void {
    this.#active.set(job.ref, job);
    this.#tell(BuildHistoryEventType.STARTED, recordOf(job));
    return (ending) => {
      this.#active.delete(job.ref);
      const { parts, blobs } = new Attachments(job, ending);
      const record = endedRecord(job, ending, parts);
      try {
        const { startedAt: created, ref } = job;
        const bytes = toBinary(BuildHistoryRecordSchema, record);
        const kept = { ref, created, completed: ending.completed, isPinned: false, record: bytes };
        for (const old of this.#kept.add(kept, blobs)) this.#tellOfRemoval(old);
      } catch (error) {
        // A full disk: the build has been made all the same.
        this.#log.warn('cannot keep a build in the history', { ref: job.ref, error });
      }
      this.#tell(BuildHistoryEventType.COMPLETE, record);
    };
  }

  /** All that was told of a build that has ended; undefined if it is not known. */
  told(ref: string): Iterable<StatusResponse> | undefined {
    const record = this.#record(ref);
    if (record === undefined) return undefined;
    const log = record.logs && this.#kept.blob(record.logs.digest as Digest);
    return log === undefined ? [] : decodeStatusLog(log);
  }

  /** What belongs to a build, by its digest. */
  blob(digest: Digest): Uint8Array | undefined {
    return this.#kept.blob(digest);
  }

  /** What was, then what comes. */
  async *follow(wish: HistoryWish, { signal }: { signal: AbortSignal }): AsyncGenerator<BuildHistoryEvent> {
    const pending = this.#known(wish);
    if (wish.isEarlyExit) {
      yield* pending;
      return;
    }
    let wake = (): void => {};
    const listener = (event: BuildHistoryEvent): void => {
      if (event.record === undefined || !isWanted(event.record, wish)) return;
      pending.push(event);
      wake();
    };
    const stop = (): void => wake();
    this.#listeners.add(listener);
    signal.addEventListener('abort', stop);
    try {
      while (!signal.aborted) {
        const event = pending.shift();
        if (event !== undefined) yield event;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.#listeners.delete(listener);
    }
  }

  /** Keeps a build for good, or lets it go. */
  pin(ref: string, isPinned: boolean): void {
    const record = this.#record(ref);
    if (record === undefined) throw unknownBuild(ref);
    this.#kept.pin(ref, isPinned);
    this.#tell(BuildHistoryEventType.COMPLETE, Object.assign(record, { pinned: isPinned }));
  }

  /** Forgets a build. */
  delete(ref: string): void {
    if (this.#record(ref) === undefined) throw unknownBuild(ref);
    this.#kept.delete(ref);
    this.#tellOfRemoval(ref);
  }

  #record(ref: string): BuildHistoryRecord | undefined {
    const kept = this.#kept.find(ref);
    return kept && recordIn(kept);
  }

  #known(wish: HistoryWish): BuildHistoryEvent[] {
    const kept = wish.isActiveOnly ? [] : this.#kept.list().map(recordIn);
    const active = [...this.#active.values()].map(recordOf);
    const wanted = [...kept, ...active].filter((record) => isWanted(record, wish));
    const sorted = wish.limit > 0 ? wanted.toReversed().slice(0, wish.limit) : wanted;
    return sorted.map((record) => {
      const isActive = record.completedAt === undefined;
      return eventOf(isActive ? BuildHistoryEventType.STARTED : BuildHistoryEventType.COMPLETE, record);
    });
  }

  #tellOfRemoval(ref: string): void {
    this.#tell(BuildHistoryEventType.DELETED, create(BuildHistoryRecordSchema, { ref }));
  }

  #tell(type: BuildHistoryEventType, record: BuildHistoryRecord): void {
    const event = eventOf(type, record);
    for (const listener of this.#listeners) listener(event);
  }
}

function recordIn({ record, isPinned }: { record: Uint8Array; isPinned: boolean }): BuildHistoryRecord {
  return Object.assign(fromBinary(BuildHistoryRecordSchema, record), { pinned: isPinned });
}

function isWanted(record: BuildHistoryRecord, { ref, isActiveOnly, filter }: HistoryWish): boolean {
  if (ref !== '' && record.ref !== ref) return false;
  if (isActiveOnly && record.completedAt !== undefined) return false;
  return filter(record);
}

function eventOf(type: BuildHistoryEventType, record: BuildHistoryRecord): BuildHistoryEvent {
  return create(BuildHistoryEventSchema, { type, record });
}

/** BuildKit's clients show another code in front of the message. */
function unknownBuild(ref: string): GrpcError {
  return new GrpcError(grpcCodes.unknown, `there is no build ${JSON.stringify(ref)} in the history`);
}
