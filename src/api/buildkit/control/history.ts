import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { timestampFromDate } from '@bufbuild/protobuf/wkt';
import { messageOf, notFound } from '#/base/errors.ts';
import {
  type BuildHistoryEvent,
  BuildHistoryEventSchema,
  BuildHistoryEventType,
  type BuildHistoryRecordSchema,
} from '../messages/control_pb.ts';
import type { Job } from './job.ts';

/** Builds that are remembered. */
const maxRecords = 50;

/** A build in the history. */
interface Entry {
  readonly job: Job;
  readonly number: number;
  completedAt: Date | undefined;
  response: ReadonlyMap<string, string>;
  error: unknown;
  isPinned: boolean;
}

/** How a build ends. */
export interface HistoryRecord {
  succeeded(response: ReadonlyMap<string, string>): void;
  failed(error: unknown): void;
}

/** Which builds clients want to hear of. */
export interface HistoryWish {
  /** Only this build; empty is all. */
  readonly ref: string;
  readonly isActiveOnly: boolean;
  /** Ends after what is known now. */
  readonly isEarlyExit: boolean;
  /** The latest so many; 0 is all. */
  readonly limit: number;
}

/** The latest builds, as long as the daemon runs. */
export class History {
  readonly #entries = new Map<string, Entry>();
  readonly #listeners = new Set<(event: BuildHistoryEvent) => void>();
  #count = 0;

  /** A build begins. Internal ones are not remembered. */
  begin(job: Job, { isInternal }: { isInternal: boolean }): HistoryRecord {
    const entry: Entry = {
      job,
      number: ++this.#count,
      completedAt: undefined,
      response: new Map(),
      error: undefined,
      isPinned: false,
    };
    if (!isInternal) {
      this.#entries.set(job.ref, entry);
      this.#tell(BuildHistoryEventType.STARTED, entry);
    }
    const end = (): void => {
      entry.completedAt = new Date();
      if (this.#entries.get(job.ref) === entry) this.#tell(BuildHistoryEventType.COMPLETE, entry);
      this.#forgetOld();
    };
    return {
      succeeded: (response) => {
        entry.response = response;
        end();
      },
      failed: (error) => {
        entry.error = error;
        end();
      },
    };
  }

  /** A build that is remembered. */
  job(ref: string): Job | undefined {
    return this.#entries.get(ref)?.job;
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
      if (wish.ref !== '' && event.record?.ref !== wish.ref) return;
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
    const entry = this.#entry(ref);
    entry.isPinned = isPinned;
    this.#tell(BuildHistoryEventType.COMPLETE, entry);
  }

  /** Forgets a build. */
  delete(ref: string): void {
    const entry = this.#entry(ref);
    this.#entries.delete(ref);
    this.#tell(BuildHistoryEventType.DELETED, entry);
  }

  #entry(ref: string): Entry {
    const entry = this.#entries.get(ref);
    if (entry === undefined) throw notFound(`failed to retrieve build ${JSON.stringify(ref)}: not found`);
    return entry;
  }

  #known({ ref, isActiveOnly, limit }: HistoryWish): BuildHistoryEvent[] {
    const entries = [...this.#entries.values()].filter(
      (entry) => (ref === '' || entry.job.ref === ref) && !(isActiveOnly && entry.completedAt !== undefined),
    );
    const wanted = limit > 0 ? entries.slice(-limit) : entries;
    return wanted.map((entry) => {
      const isActive = entry.completedAt === undefined;
      return eventOf(isActive ? BuildHistoryEventType.STARTED : BuildHistoryEventType.COMPLETE, entry);
    });
  }

  #tell(type: BuildHistoryEventType, entry: Entry): void {
    const event = eventOf(type, entry);
    for (const listener of this.#listeners) listener(event);
  }

  #forgetOld(): void {
    let excess = this.#entries.size - maxRecords;
    for (const [ref, { isPinned, completedAt }] of this.#entries) {
      if (excess <= 0) return;
      if (isPinned || completedAt === undefined) continue;
      this.#entries.delete(ref);
      excess--;
    }
  }
}

function eventOf(type: BuildHistoryEventType, entry: Entry): BuildHistoryEvent {
  return create(BuildHistoryEventSchema, { type, record: recordOf(entry) });
}

function recordOf(entry: Entry): MessageInitShape<typeof BuildHistoryRecordSchema> {
  const { job, completedAt, error } = entry;
  const { total, completed, cached, warnings } = job.feed.counts;
  return {
    ref: job.ref,
    frontend: 'dockerfile.v0',
    frontendAttrs: Object.fromEntries(job.input.attributes),
    exporters: job.input.exporters.map(({ type, attributes }) => ({
      type,
      attrs: Object.fromEntries(attributes),
    })),
    createdAt: timestampFromDate(job.startedAt),
    ...(completedAt && { completedAt: timestampFromDate(completedAt) }),
    ...(error === undefined ? {} : { error: { code: 2, message: messageOf(error) } }),
    exporterResponse: Object.fromEntries(entry.response),
    generation: entry.number,
    pinned: entry.isPinned,
    numTotalSteps: total,
    numCompletedSteps: completed,
    numCachedSteps: cached,
    numWarnings: warnings,
  };
}
