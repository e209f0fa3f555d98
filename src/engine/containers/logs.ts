import { internal } from '#/base/errors.ts';
import { formatTime, type LogEntry } from '#/runtime/log/entry.ts';
import { type LogQuery, readLog } from '#/runtime/log/reader.ts';
import type { OutputFrame } from '#/runtime/output-queue.ts';
import { type ContainerRecord, isAlive } from './model.ts';
import type { ContainerParts } from './parts.ts';
import type { Output } from './stdio.ts';

/** Which lines of the log a client wants. */
export interface LogsOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Nanoseconds since 1970. */
  readonly since: bigint | undefined;
  readonly until: bigint | undefined;
  /** The last so many lines; undefined is all. */
  readonly tail: number | undefined;
  readonly follow: boolean;
  /** Put the time before each line. */
  readonly timestamps: boolean;
  /** Put the log driver's extra attributes before each line. */
  readonly details: boolean;
  readonly signal: AbortSignal;
}

/** A part of a container's log. */
interface LogSelection extends Omit<LogQuery, 'follow'> {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Goes on until the present run ends. */
  readonly follow: boolean;
  readonly timestamps?: boolean;
  readonly details?: boolean;
}

/** The log of a container as `docker logs` shows it. */
export async function containerLogs(
  parts: ContainerParts,
  ref: string,
  options: LogsOptions,
): Promise<{ tty: boolean; output: Output }> {
  const record = parts.store.find(ref);
  const { Type } = record.spec.hostConfig.LogConfig;
  if (Type === 'none') throw internal('configured logging driver does not support reading');
  return { tty: record.spec.config.Tty, output: readLogs(parts, record, { ...options, unit: 'lines' }) };
}

/** Reads a container's log; pieces come as they were written. */
export async function* readLogs(
  parts: ContainerParts,
  record: ContainerRecord,
  { stdout, stderr, follow, timestamps = false, details = false, ...query }: LogSelection,
): AsyncGenerator<readonly OutputFrame[], void, undefined> {
  if (stdout === stderr && !stdout) return;
  const ended = new AbortController();
  try {
    const finished = follow
      ? untilEnd(parts, record, AbortSignal.any([query.signal, ended.signal]))
      : undefined;
    for await (const entries of readLog(parts.dirs.logOf(record.id), { ...query, follow: finished })) {
      const wanted = entries.filter(({ stream }) => (stream === 'stdout' ? stdout : stderr));
      if (wanted.length > 0) yield wanted.map((entry) => frameOf(entry, { timestamps, details }));
    }
  } finally {
    ended.abort();
  }
}

/** Settles when the container's run is over, its log complete. */
async function untilEnd(
  parts: ContainerParts,
  { id, state }: ContainerRecord,
  signal: AbortSignal,
): Promise<void> {
  // One that was never started is waited for, one that has ended is not.
  if (!isAlive(state) && state.kind !== 'created' && state.kind !== 'restarting') return;
  await parts.waits.wait(id, 'next-exit', { signal }).catch((error: unknown) => {
    if (!signal.aborted) throw error;
  });
}

function frameOf(
  { stream, data, time }: LogEntry,
  { timestamps, details }: { timestamps: boolean; details: boolean },
): OutputFrame {
  // The details are what the log options `labels`, `env` and `tag` select; none are kept, so that only their end is left.
  const prefix = `${timestamps ? `${formatTime(time)} ` : ''}${details ? ' ' : ''}`;
  return prefix === '' ? { stream, data } : { stream, data: Buffer.concat([Buffer.from(prefix), data]) };
}
