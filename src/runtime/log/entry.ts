/**
 * The format of a container's log: one line for each piece of output, `TIME STREAM P|F TEXT`, with an RFC 3339 time in
 * nanoseconds; P (partial) when the piece did not end in a newline, F (full) when it did. conmon writes it (k8s-file),
 * Kubernetes' CRI defines it (kubernetes/design-proposals kubelet-cri-logging.md).
 */

/** One piece of output. */
export interface LogEntry {
  /** Nanoseconds since 1970. */
  readonly time: bigint;
  readonly stream: 'stdout' | 'stderr';
  /** What was written, its newline included. */
  readonly data: Buffer;
  /** Its line goes on in the next entry of the stream. */
  readonly partial: boolean;
}

/** Longest line that conmon writes: 8 KiB of output and its header; what is longer was not written by it. */
export const maxLineBytes = 16384;

const newline = Buffer.from('\n');
const space = 0x20;

/** Parses a line, without its newline; undefined if it is none of ours (half overwritten, corrupt). */
export function parseLogLine(line: Buffer): LogEntry | undefined {
  const timeEnd = line.indexOf(space);
  if (timeEnd < 20 || timeEnd > 40) return undefined;
  const stream = streamAt(line, timeEnd + 1);
  // "stdout" and "stderr" have six letters; then a space, the tag, a space.
  const tag = timeEnd + 8;
  if (stream === undefined || line[tag - 1] !== space || line[tag + 1] !== space) return undefined;
  const partial = line[tag] === 0x50;
  if (!partial && line[tag] !== 0x46) return undefined;
  const time = parseTime(line.toString('latin1', 0, timeEnd));
  if (time === undefined) return undefined;
  const text = line.subarray(tag + 2);
  return { time, stream, data: partial ? text : Buffer.concat([text, newline]), partial };
}

/** Tells for a line, without parsing all of it, whether it is partial, and of which stream it is. */
export function peekLogLine(line: Buffer): Pick<LogEntry, 'stream' | 'partial'> | undefined {
  const timeEnd = line.indexOf(space);
  if (timeEnd < 20 || timeEnd > 40) return undefined;
  const stream = streamAt(line, timeEnd + 1);
  const tag = line[timeEnd + 8];
  if (stream === undefined || (tag !== 0x50 && tag !== 0x46)) return undefined;
  return { stream, partial: tag === 0x50 };
}

function streamAt(line: Buffer, offset: number): 'stdout' | 'stderr' | undefined {
  const name = line.toString('latin1', offset, offset + 6);
  return name === 'stdout' || name === 'stderr' ? name : undefined;
}

/** The second that was parsed last: most lines have the same one as the line before. */
let lastSecond = { text: '', time: 0n };

function parseTime(text: string): bigint | undefined {
  const match = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/.exec(text);
  if (match === null) return undefined;
  const [, second = '', fraction = '', zone = ''] = match;
  const key = second + zone;
  if (key !== lastSecond.text) {
    const milliseconds = Date.parse(key);
    if (Number.isNaN(milliseconds)) return undefined;
    lastSecond = { text: key, time: BigInt(milliseconds) * 1_000_000n };
  }
  return lastSecond.time + BigInt(fraction.padEnd(9, '0'));
}

/** A time in nanoseconds since 1970 as Docker shows it: RFC 3339 in UTC with nine digits. */
export function formatTime(time: bigint): string {
  const second = new Date(Number(time / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${second}.${(time % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}
