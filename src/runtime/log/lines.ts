import type { LogEntry } from './entry.ts';

/** Lines longer than this come in several entries, as Docker logs them. */
const maxJoinedBytes = 16384;

interface Pending {
  readonly parts: Buffer[];
  bytes: number;
  time: bigint;
}

/** Joins the pieces of each line. A line has the time of its last piece, so that times never go back. */
export class LineJoiner {
  readonly #pending: Record<LogEntry['stream'], Pending | undefined> = {
    stdout: undefined,
    stderr: undefined,
  };

  /** The line that `entry` completes, or a first part of one that is too long. */
  push(entry: LogEntry): LogEntry | undefined {
    const pending = this.#pending[entry.stream];
    if (pending === undefined && !entry.partial) return entry;
    const joined = pending ?? { parts: [], bytes: 0, time: entry.time };
    joined.parts.push(entry.data);
    joined.bytes += entry.data.length;
    joined.time = entry.time;
    if (entry.partial && joined.bytes < maxJoinedBytes) {
      this.#pending[entry.stream] = joined;
      return undefined;
    }
    this.#pending[entry.stream] = undefined;
    return { ...entry, data: Buffer.concat(joined.parts) };
  }

  /** Lines that have not ended: at the end of all output nothing more will come. */
  flush(): LogEntry[] {
    const rest: LogEntry[] = [];
    for (const stream of ['stdout', 'stderr'] as const) {
      const pending = this.#pending[stream];
      this.#pending[stream] = undefined;
      if (pending !== undefined) {
        rest.push({ time: pending.time, stream, data: Buffer.concat(pending.parts), partial: true });
      }
    }
    return rest.toSorted((a, b) => (a.time < b.time ? -1 : 1));
  }
}
