import { type BigIntStats, readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { basename } from 'node:path';
import { isSystemError } from '#/base/errors.ts';

/**
 * When a process started, in clock ticks since boot (field 22 of /proc/PID/stat) as a string to compare: together with
 * the number it names a process for good. Undefined: there is no such process.
 */
export function processStartTime(pid: number): string | undefined {
  return readStat(pid)?.startTime;
}

/** Tells whether the process that started at `startTime` still runs; a zombie does not. */
export function isAlive(pid: number, startTime: string): boolean {
  const found = readStat(pid);
  return found !== undefined && found.startTime === startTime && found.state !== 'Z' && found.state !== 'X';
}

/** A process found by where it is. */
export interface FoundProcess {
  readonly pid: number;
  /** See `processStartTime`. */
  readonly startTime: string;
  /** File name of its program, without its folder. */
  readonly program: string;
}

/** The processes whose working directory is the directory `path`, whatever it is called where they see it. */
export function processesIn(path: string): FoundProcess[] {
  const wanted = statSync(path, { bigint: true });
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      const pid = Number(name);
      // First: what is found of another process that has got the number since does not go with this time.
      const startTime = processStartTime(pid);
      const found = workingDirectory(name);
      if (found?.ino !== wanted.ino || found.dev !== wanted.dev || startTime === undefined) return [];
      return [{ pid, startTime, program: programOf(name) }];
    });
}

function programOf(pid: string): string {
  try {
    // An upgrade can have replaced the file.
    return basename(readlinkSync(`/proc/${pid}/exe`)).replace(/ \(deleted\)$/, '');
  } catch (error) {
    // It has ended.
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return '';
    throw error;
  }
}

function workingDirectory(pid: string): BigIntStats | undefined {
  try {
    return statSync(`/proc/${pid}/cwd`, { bigint: true });
  } catch (error) {
    // It has ended; EACCES, ENOTCONN and others: it sits on a server that does not answer, which is not what we look for.
    if (isSystemError(error)) return undefined;
    throw error;
  }
}

interface ProcessStat {
  readonly state: string;
  readonly startTime: string;
}

function readStat(pid: number): ProcessStat | undefined {
  if (!Number.isSafeInteger(pid) || pid <= 0) return undefined;
  let text: string;
  try {
    text = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch (error) {
    // ESRCH: it ended between open and read.
    if (isSystemError(error, 'ENOENT', 'ESRCH')) return undefined;
    throw error;
  }
  // The second field is the name in parentheses, which may itself contain spaces and parentheses.
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, startTime] = [fields[0], fields[19]];
  if (state === undefined || startTime === undefined) throw new Error(`unexpected text in /proc/${pid}/stat`);
  return { state, startTime };
}
