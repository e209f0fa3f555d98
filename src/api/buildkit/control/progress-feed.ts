import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { type Timestamp, timestampFromDate } from '@bufbuild/protobuf/wkt';
import type { BuildEvent, WarningEvent } from '#/builder/progress.ts';
import {
  type StatusResponse,
  StatusResponseSchema,
  type VertexWarningSchema,
} from '../messages/control_pb.ts';

/** Bytes of output in one message; clients take at most 16 MB. */
const maxBatch = 1024 * 1024;
/** Bytes of output that a reader may be behind before the steps that write it are made to wait. */
const maxLag = 4 * 1024 * 1024;
/** Bytes of output that are kept for readers that come later. */
const maxKept = 16 * 1024 * 1024;
/** The same when the build has ended: it is remembered for a while. */
const maxKeptAtEnd = 2 * 1024 * 1024;

/** Something a client is told of a build. Everything is kept until the build is forgotten: readers come late. */
type Item = Exclude<BuildEvent, { kind: 'dockerfile' | 'plan' }>;

/** What a build tells, for any number of clients that follow it, each from its beginning. */
export class ProgressFeed {
  readonly #items: Item[] = [];
  /** How many items were dropped at the front. */
  #dropped = 0;
  #keptBytes = 0;
  #isClosed = false;
  readonly #readers = new Set<Reader>();
  #wakeWriters: (() => void)[] = [];
  readonly #steps = new Map<string, { isCompleted: boolean; isCached: boolean }>();
  #warnings = 0;
  /** Digests of the steps that failed, by what they failed with. */
  readonly #failed = new Map<string, string>();

  /** Takes an event; its promise, if there is one, resolves when readers have caught up. */
  push(event: BuildEvent): undefined | Promise<void> {
    if (this.#isClosed || event.kind === 'plan' || event.kind === 'dockerfile') return undefined;
    this.#countIn(event);
    this.#items.push(event);
    this.#keptBytes += sizeOf(event);
    for (const reader of this.#readers) {
      reader.lag += sizeOf(event);
      reader.wake();
    }
    this.#forgetOldOutput();
    if (!this.#isBehind()) return undefined;
    return new Promise((resolve) => this.#wakeWriters.push(resolve));
  }

  /** The build has ended. Readers end when they have everything. */
  close(): void {
    this.#isClosed = true;
    for (const reader of this.#readers) reader.wake();
    this.#letWrite();
    this.#forgetOldOutput();
  }

  /** All that was told and will be, put together as well as it goes. Ends with the build. */
  async *follow({ signal }: { signal: AbortSignal }): AsyncGenerator<StatusResponse> {
    const reader: Reader = { lag: this.#keptBytes, wake: () => {} };
    this.#readers.add(reader);
    const stop = (): void => reader.wake();
    signal.addEventListener('abort', stop);
    try {
      let next = this.#dropped;
      for (;;) {
        signal.throwIfAborted();
        next = Math.max(next, this.#dropped);
        const batch = this.#batch(next - this.#dropped);
        if (batch.length > 0) {
          next += batch.length;
          for (const item of batch) reader.lag -= sizeOf(item);
          this.#letWrite();
          yield statusOf(batch);
        } else if (this.#isClosed) return;
        else await new Promise<void>((resolve) => Object.assign(reader, { wake: resolve }));
      }
    } finally {
      signal.removeEventListener('abort', stop);
      this.#readers.delete(reader);
      this.#letWrite();
      this.#forgetOldOutput();
    }
  }

  /** All that is kept of what was told. */
  *told(): Generator<StatusResponse> {
    for (let next = 0; next < this.#items.length; ) {
      const batch = this.#batch(next);
      next += batch.length;
      yield statusOf(batch);
    }
  }

  /** How many steps there are, how many of them are done and came from the cache, and how much was warned of. */
  get counts(): { total: number; completed: number; cached: number; warnings: number } {
    const steps = [...this.#steps.values()];
    return {
      total: steps.length,
      completed: steps.filter(({ isCompleted }) => isCompleted).length,
      cached: steps.filter(({ isCached }) => isCached).length,
      warnings: this.#warnings,
    };
  }

  /** The step that failed with a message. */
  failed(message: string): string | undefined {
    return this.#failed.get(message);
  }

  #countIn(event: Item): void {
    if (event.kind === 'warning') this.#warnings++;
    if (event.kind !== 'vertex') return;
    if (event.error !== undefined) this.#failed.set(event.error, event.digest);
    this.#steps.set(event.digest, { isCompleted: event.completed !== undefined, isCached: event.cached });
  }

  #batch(start: number): Item[] {
    let bytes = 0;
    let end = start;
    while (end < this.#items.length && (end === start || bytes < maxBatch))
      bytes += sizeOf(this.#items[end++]);
    return this.#items.slice(start, end);
  }

  #isBehind(): boolean {
    return [...this.#readers].some(({ lag }) => lag > maxLag);
  }

  #letWrite(): void {
    if (!this.#isClosed && this.#isBehind()) return;
    for (const wake of this.#wakeWriters.splice(0)) wake();
  }

  /** Without readers nobody is made to wait, and only the latest output is kept. */
  #forgetOldOutput(): void {
    const most = this.#isClosed && this.#readers.size === 0 ? maxKeptAtEnd : maxKept;
    while (this.#keptBytes > most) {
      const item = this.#items.shift();
      if (item === undefined) return;
      this.#dropped++;
      this.#keptBytes -= sizeOf(item);
    }
  }
}

interface Reader {
  lag: number;
  wake: () => void;
}

function sizeOf(item: Item | undefined): number {
  if (item === undefined) return 0;
  if (item.kind === 'warning') return item.source.lines.reduce((sum, { length }) => sum + length, 512);
  return item.kind === 'log' ? item.data.length + 64 : 256;
}

/** Events as one message of BuildKit's. */
function statusOf(items: readonly Item[]): StatusResponse {
  const status: MessageInitShape<typeof StatusResponseSchema> & Lists = {
    vertexes: [],
    statuses: [],
    logs: [],
    warnings: [],
  };
  const timestamp = timestampFromDate(new Date());
  for (const item of items) {
    switch (item.kind) {
      case 'vertex': {
        const { digest, inputs, name, cached, error = '' } = item;
        const times = { ...time('started', item.started), ...time('completed', item.completed) };
        status.vertexes.push({ digest, inputs: [...inputs], name, cached, error, ...times });
        break;
      }
      case 'status': {
        const { id, vertex, current, total } = item;
        const times = { ...time('started', item.started), ...time('completed', item.completed) };
        const counts = { current: BigInt(Math.round(current)), total: BigInt(Math.round(total)) };
        status.statuses.push({ id, vertex, ...counts, timestamp, ...times });
        break;
      }
      case 'log': {
        const { vertex, stream, data } = item;
        const at = timestampFromDate(item.time);
        status.logs.push({ vertex, timestamp: at, stream: BigInt(stream), msg: new Uint8Array(data) });
        break;
      }
      case 'warning':
        status.warnings.push(warningOf(item));
        break;
      default:
        item satisfies never;
    }
  }
  return create(StatusResponseSchema, status);
}

interface Lists {
  vertexes: object[];
  statuses: object[];
  logs: object[];
  warnings: object[];
}

function warningOf(event: WarningEvent): MessageInitShape<typeof VertexWarningSchema> {
  const [first, last] = event.lines;
  const { name: filename, lines } = event.source;
  return {
    vertex: event.vertex ?? '',
    level: 1n,
    short: Buffer.from(event.short),
    detail: event.detail.map((line) => Buffer.from(line)),
    url: event.url,
    ...(first > 0 && {
      info: { filename, language: 'Dockerfile', data: Buffer.from(lines.join('\n')) },
      ranges: [{ start: { line: first }, end: { line: last } }],
    }),
  };
}

function time<K extends string>(key: K, date: Date | undefined): Partial<Record<K, Timestamp>> {
  return date === undefined ? {} : ({ [key]: timestampFromDate(date) } as Partial<Record<K, Timestamp>>);
}
