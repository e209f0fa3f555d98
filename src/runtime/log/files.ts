import { readdirSync, type Stats, statSync } from 'node:fs';
import { type FileHandle, open, stat } from 'node:fs/promises';
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
  for (const file of await openAll(path)) {
    if (wanted === 0 && files.length > 0) {
      await file.close();
      continue;
    }
    if (wanted === undefined) {
      files.unshift(new LogFile(file, 0));
      continue;
    }
    const { size } = await file.stat();
    const start = await tailStart(file, size, wanted);
    files.unshift(new LogFile(file, start.offset));
    wanted = start.missing;
  }
  return files;
}

/** Opens the file that was begun after `current`, which may have been rotated several times since; undefined: none yet. */
export async function openNext(path: string, current: LogFile): Promise<LogFile | undefined> {
  const { ino } = await current.file.stat();
  for (;;) {
    const inodes = inodesOf(path);
    const names = [...inodes.keys()];
    const at = names.findIndex((name) => inodes.get(name) === ino);
    // Not there any more: what came next is the oldest that is.
    const next = at < 0 ? names.at(-1) : names[at - 1];
    if (next === undefined) return undefined;
    const file = await openIfThere(next);
    if (file !== undefined && (await file.stat()).ino === inodes.get(next)) return new LogFile(file, 0);
    // Rotated just now.
    await file?.close();
  }
}

/** Opens all files of a log, newest first, none twice and none left out even if they are rotated meanwhile. */
async function openAll(path: string): Promise<FileHandle[]> {
  for (;;) {
    const inodes = inodesOf(path);
    const files: FileHandle[] = [];
    for (const [name, ino] of inodes) {
      const file = await openIfThere(name);
      if (file === undefined) break;
      files.push(file);
      if ((await file.stat()).ino !== ino) break;
    }
    const opened = await Promise.all(files.map(async (file) => (await file.stat()).ino));
    const wanted = [...inodes.values()];
    if (opened.length === wanted.length && opened.every((ino, index) => ino === wanted[index])) return files;
    for (const file of files) await file.close();
  }
}

/** What the names of a log mean at this moment, newest first. */
function inodesOf(path: string): Map<string, number> {
  const inodes = new Map<string, number>();
  for (const name of logFiles(path)) {
    const ino = statSync(name, { throwIfNoEntry: false })?.ino;
    if (ino !== undefined) inodes.set(name, ino);
  }
  return inodes;
}

/** The log and its rotated files, newest first; several looks in one turn of the event loop see the same. */
function logFiles(path: string): string[] {
  return [path, ...rotatedNumbers(path, namesIn(dirname(path))).map((number) => `${path}.${number}`)];
}

/** The numbers N, ascending, of the files `path`.N among the names of its directory. */
export function rotatedNumbers(path: string, names: readonly string[]): number[] {
  const prefix = `${basename(path)}.`;
  return names
    .filter((name) => name.startsWith(prefix) && /^[1-9]\d{0,3}$/.test(name.slice(prefix.length)))
    .map((name) => Number(name.slice(prefix.length)))
    .toSorted((a, b) => a - b);
}

function namesIn(dir: string): string[] {
  try {
    return readdirSync(dir);
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
