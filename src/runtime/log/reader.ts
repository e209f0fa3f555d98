import { Changes } from './changes.ts';
import type { LogEntry } from './entry.ts';
import { LogFile, openLogFiles, openNext } from './files.ts';
import { LineJoiner } from './lines.ts';

/** Which part of a log to read, and how. */
export interface LogQuery {
  /** Only the last so many lines of what is there; of both streams, before any other choice. undefined: all. */
  readonly tail?: number | undefined;
  /** Nanoseconds since 1970; from this time on. */
  readonly since?: bigint | undefined;
  /** Nanoseconds since 1970; up to this time. */
  readonly until?: bigint | undefined;
  /** 'lines' joins the pieces of a line; 'pieces' gives output as it was written, without waiting for a line's end. */
  readonly unit: 'lines' | 'pieces';
  /** Goes on with new output until this settles: when nothing more is written. undefined: does not wait for more. */
  readonly follow?: Promise<unknown> | undefined;
  /** Ends the reading. */
  readonly signal: AbortSignal;
}

/**
 * Reads the log at `path`: rotated files (`path`.N, the highest being the oldest) first. Yields lists of entries as they
 * are read, with bounded memory. A missing log is an empty one. Lines that cannot be parsed are left out.
 */
export async function* readLog(
  path: string,
  query: LogQuery,
): AsyncGenerator<readonly LogEntry[], void, undefined> {
  await using stack = new AsyncDisposableStack();
  // Before anything is read, so that nothing written meanwhile is missed.
  const { follow: finished, until, signal, tail } = query;
  const changes =
    finished === undefined ? undefined : stack.use(new Changes(path, { finished, until, signal }));
  const files = await openLogFiles(path, tail);
  stack.defer(async () => {
    for (const { file } of files) await file.close();
  });
  const filter = new Filter(query);
  for (const [index, log] of files.entries()) {
    const isLast = index === files.length - 1;
    for await (const entries of log.read(query.signal)) {
      yield* filter.pass(entries);
      if (filter.done) return;
    }
    if (isLast && changes !== undefined) break;
    await log.file.close();
  }
  if (changes !== undefined) yield* follow({ path, changes, filter, log: files.at(-1), query });
  yield* filter.rest();
}

interface Following {
  readonly path: string;
  readonly changes: Changes;
  readonly filter: Filter;
  readonly log: LogFile | undefined;
  readonly query: LogQuery;
}

async function* follow(parts: Following): AsyncGenerator<readonly LogEntry[], void, undefined> {
  const { path, changes, filter, query } = parts;
  let { log } = parts;
  // What comes next after a rotated file may have been rotated, too.
  let moved = false;
  try {
    for (;;) {
      const last = changes.ended;
      // A new file in the place of the old one: the old one is complete when the new one is there.
      const renamed = changes.takeRenamed() || moved;
      const replaced = log === undefined || (renamed && !(await log.isCurrent(path)));
      const next = !replaced
        ? undefined
        : await (log === undefined ? LogFile.open(path) : openNext(path, log));
      if (log !== undefined) {
        for await (const entries of log.read(query.signal)) {
          yield* filter.pass(entries);
          if (filter.done) {
            await next?.file.close();
            return;
          }
        }
      }
      if (next !== undefined) {
        await log?.file.close();
        log = next;
        moved = true;
        continue;
      }
      moved = false;
      if (last || query.signal.aborted) return;
      await changes.next();
    }
  } finally {
    await log?.file.close();
  }
}

/** Takes what is asked for out of what is read. */
class Filter {
  readonly #query: LogQuery;
  readonly #joiner: LineJoiner | undefined;
  /** Nothing that comes later can be asked for. */
  done = false;

  constructor(query: LogQuery) {
    this.#query = query;
    this.#joiner = query.unit === 'lines' ? new LineJoiner() : undefined;
  }

  *pass(entries: readonly LogEntry[]): Generator<readonly LogEntry[], void, undefined> {
    const passed: LogEntry[] = [];
    for (const entry of entries) {
      const line = this.#joiner === undefined ? entry : this.#joiner.push(entry);
      if (line !== undefined && this.#wants(line)) passed.push(line);
      if (this.done) break;
    }
    if (passed.length > 0) yield passed;
  }

  /** Lines without an end. */
  *rest(): Generator<readonly LogEntry[], void, undefined> {
    const lines = (this.#joiner?.flush() ?? []).filter((line) => this.#wants(line));
    if (lines.length > 0 && !this.done) yield lines;
  }

  #wants({ time }: LogEntry): boolean {
    const { since, until } = this.#query;
    if (until !== undefined && time > until) this.done = true;
    return !this.done && (since === undefined || time >= since);
  }
}
