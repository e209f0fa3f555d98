import type { FileHandle } from 'node:fs/promises';
import { type LogEntry, peekLogLine } from './entry.ts';

const blockBytes = 65536;
const newlineByte = 0x0a;

/** Where to start reading, and how many lines of those wanted are still missing (in older files). */
export interface TailStart {
  readonly offset: number;
  readonly missing: number;
}

/**
 * Finds where the last `count` lines of a log start, reading blocks from its end, with the memory of one block and one
 * line. Pieces of a line count as one; lines without an end yet count too. Looks at the first `size` bytes.
 */
export async function tailStart(file: FileHandle, size: number, count: number): Promise<TailStart> {
  const counter = new LineCounter(count);
  // A last line without its newline is being written right now: it is no line yet.
  let upper = size;
  let carry = Buffer.alloc(0);
  let complete = false;
  while (upper > 0) {
    const lower = Math.max(0, upper - blockBytes);
    const block = Buffer.concat([await readExactly(file, lower, upper - lower), carry]);
    let end = block.length;
    while (end > 0) {
      const at = block.lastIndexOf(newlineByte, end - 1);
      if (at < 0) break;
      // What follows this newline is a whole line, unless it is the end of the file.
      if (complete && counter.isBefore(block.subarray(at + 1, end))) {
        return { offset: lower + end + 1, missing: 0 };
      }
      complete = true;
      end = at;
    }
    carry = complete ? block.subarray(0, end) : Buffer.alloc(0);
    upper = lower;
  }
  if (complete && counter.isBefore(carry)) return { offset: carry.length + 1, missing: 0 };
  return { offset: 0, missing: counter.missing };
}

/** Told the lines of a log from the last to the first, knows when enough are there. */
class LineCounter {
  #wanted: number;
  /** Streams whose newest line so far has not been counted through a full entry. */
  readonly #seen = new Set<LogEntry['stream']>();

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  get missing(): number {
    return this.#wanted;
  }

  /** Tells whether `line` is the first one that is not wanted any more. */
  isBefore(line: Buffer): boolean {
    const entry = peekLogLine(line);
    if (entry === undefined) return this.#wanted === 0;
    // A partial entry belongs to the line that ends below it, or to one that has no end yet.
    const counts = !entry.partial || !this.#seen.has(entry.stream);
    this.#seen.add(entry.stream);
    if (!counts) return false;
    if (this.#wanted === 0) return true;
    this.#wanted--;
    return false;
  }
}

async function readExactly(file: FileHandle, position: number, length: number): Promise<Buffer> {
  const buffer = Buffer.allocUnsafe(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await file.read(buffer, done, length - done, position + done);
    // Truncated meanwhile.
    if (bytesRead === 0) return buffer.subarray(0, done);
    done += bytesRead;
  }
  return buffer;
}
