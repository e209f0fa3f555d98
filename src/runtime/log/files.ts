import type { Stats } from 'node:fs';
import { type FileHandle, open, readdir, stat } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { type LogEntry, maxLineBytes, parseLogLine } from './entry.ts';
import { tailStart } from './tail.ts';

const blockBytes = 65536;
const newlineByte = 0x0a;

/** An open log file and how far it was read. */
export class LogFile {
  readonly file: FileHandle;
  #position: number;
  #rest: Buffer = Buffer.alloc(0);

  constructor(file: FileHandle, position: number) {
    this.file = file;
    this.#position = position;
  }

  static async open(path: string): Promise<LogFile | undefined> {
    const file = await openIfThere(path);
    return file === undefined ? undefined : new LogFile(file, 0);
  }

  /** Whole lines from where it stopped to the end that the file has now. */
  async *read(signal: AbortSignal): AsyncGenerator<readonly LogEntry[], void, undefined> {
    const block = Buffer.allocUnsafe(blockBytes);
    while (!signal.aborted) {
      const { bytesRead } = await this.file.read(block, 0, block.length, this.#position);
      if (bytesRead === 0) return;
      this.#position += bytesRead;
      const entries = this.#split(Buffer.concat([this.#rest, block.subarray(0, bytesRead)]));
      if (entries.length > 0) yield entries;
    }
  }

  #split(data: Buffer): LogEntry[] {
    const entries: LogEntry[] = [];
    let start = 0;
    for (let end = data.indexOf(newlineByte); end >= 0; end = data.indexOf(newlineByte, start)) {
      const entry = parseLogLine(data.subarray(start, end));
      if (entry !== undefined) entries.push(entry);
      start = end + 1;
    }
    // A half-written line waits for its rest; what cannot become a line is dropped.
    const rest = data.subarray(start);
    this.#rest = rest.length > maxLineBytes ? Buffer.alloc(0) : rest;
    return entries;
  }

  /** Tells whether this file still has the name `path`. */
  async isCurrent(path: string): Promise<boolean> {
    const [mine, named] = await Promise.all([this.file.stat(), statIfThere(path)]);
    // Renamed and not made again yet: this is still the one that is written.
    return named === undefined || (mine.ino === named.ino && mine.dev === named.dev);
  }
}

/**
 * Opens the log at `path` and its rotated files, oldest first, each at the place to start from for its last `tail` lines.
 * The caller closes them.
 */
export async function openLogFiles(path: string, tail: number | undefined): Promise<LogFile[]> {
  const files: LogFile[] = [];
  let wanted = tail;
  for (const name of await logFiles(path)) {
    const file = await openIfThere(name);
    if (file === undefined) continue;
    if (wanted === undefined) {
      files.unshift(new LogFile(file, 0));
      continue;
    }
    const { size } = await file.stat();
    const start = await tailStart(file, size, wanted);
    files.unshift(new LogFile(file, start.offset));
    wanted = start.missing;
    if (wanted === 0) break;
  }
  return files;
}

/** The log and its rotated files, newest first. */
async function logFiles(path: string): Promise<string[]> {
  const prefix = `${basename(path)}.`;
  const numbers = (await namesIn(dirname(path)))
    .filter((name) => name.startsWith(prefix) && /^\d{1,4}$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)));
  return [path, ...numbers.toSorted((a, b) => a - b).map((number) => `${path}.${number}`)];
}

async function namesIn(dir: string): Promise<string[]> {
  try {
    return await readdir(dir);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return [];
    throw error;
  }
}

async function statIfThere(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}

async function openIfThere(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, 'r');
  } catch (error) {
    if (isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
