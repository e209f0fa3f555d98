import { setTimeout as delay } from 'node:timers/promises';
import { isKind } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import type { Collector } from './collector.ts';

/** When a collector runs by itself. */
export interface ScheduleOptions {
  readonly collector: Collector;
  /** Milliseconds between the end of one collection and the begin of the next. */
  readonly interval: number;
  readonly log: Logger;
}

/** Collects again and again until it is disposed of, which waits for a collection that is under way. */
export class CollectionSchedule implements AsyncDisposable {
  readonly #stop = new AbortController();
  readonly #ended: Promise<void>;

  constructor(options: ScheduleOptions) {
    this.#ended = this.#run(options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    await this.#ended;
  }

  async #run({ collector, interval, log }: ScheduleOptions): Promise<void> {
    const { signal } = this.#stop;
    while (await waited(interval, signal)) {
      try {
        await collector.run({ dryRun: false });
      } catch (error) {
        // Somebody has asked for one just now; everything else will be the same next time, and somebody must know.
        if (!isKind(error, 'conflict')) log.error('a garbage collection failed', { error });
      }
    }
  }
}

/** False: the wait was ended. */
async function waited(milliseconds: number, signal: AbortSignal): Promise<boolean> {
  try {
    await delay(milliseconds, undefined, { signal, ref: false });
    return true;
  } catch (error) {
    if (signal.aborted) return false;
    throw error;
  }
}
