import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isSystemError } from '#/base/errors.ts';
import { type CgroupLayout, controllerDirectory } from './layout.ts';

/** What a group has used so far. A controller that is missing leaves zeros. */
export interface CgroupStats {
  readonly cpu: CpuStats;
  readonly memory: MemoryStats;
  readonly pids: PidsStats;
  readonly blkio: BlockStats;
}

/** Times are in nanoseconds. */
interface CpuStats {
  readonly total: number;
  readonly user: number;
  readonly system: number;
  /** By CPU; empty on v2, which does not tell. */
  readonly perCpu: readonly number[];
  /** Periods of the CPU limit: how many there were, how many ended with the group stopped, and for how long. */
  readonly periods: number;
  readonly throttledPeriods: number;
  readonly throttledTime: number;
}

/** Sizes are in bytes. */
interface MemoryStats {
  readonly usage: number;
  /** 0 when the kernel does not tell (v2 before 5.19). */
  readonly maxUsage: number;
  /** Undefined: none. */
  readonly limit: number | undefined;
  /** How often the limit was hit. */
  readonly failures: number;
  /** The lines of memory.stat, named as in the kernel, which differ between v1 and v2. */
  readonly stat: Readonly<Record<string, number>>;
  readonly oomKills: number;
}

/** Processes and threads. */
interface PidsStats {
  readonly current: number;
  /** Undefined: none. */
  readonly limit: number | undefined;
}

/** Transfers by block device. */
interface BlockStats {
  readonly bytes: readonly BlockCount[];
  readonly operations: readonly BlockCount[];
}

/** One line of a device's account. */
interface BlockCount {
  readonly major: number;
  readonly minor: number;
  readonly op: 'read' | 'write' | 'discard' | 'sync' | 'async' | 'total';
  readonly value: number;
}

/** Reads the accounts of the group `path`: all zero when it does not exist. */
export function readCgroupStats(layout: CgroupLayout, path: string): CgroupStats {
  const files = (controller: string): ControllerFiles => new ControllerFiles(layout, controller, path);
  return {
    cpu: readCpu(files('cpuacct'), files('cpu')),
    memory: readMemory(files('memory')),
    pids: readPids(files('pids')),
    blkio: readBlock(files('blkio')),
  };
}

/** How many processes of the group (and on v2 of groups below) the kernel has killed for lack of memory. */
export function oomKills(layout: CgroupLayout, path: string): number {
  return readOomKills(new ControllerFiles(layout, 'memory', path));
}

/** The files of one controller for one group. */
class ControllerFiles {
  readonly version: 1 | 2 | undefined;
  readonly #directory: string | undefined;

  constructor(layout: CgroupLayout, controller: string, path: string) {
    const found = controllerDirectory(layout, controller, path);
    this.version = found?.version;
    this.#directory = found?.directory;
  }

  /** Empty when the file or the whole group does not exist (any more). */
  text(name: string): string {
    if (this.#directory === undefined) return '';
    try {
      return readFileSync(join(this.#directory, name), 'utf8');
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'ENODEV', 'ENOTSUP')) return '';
      throw error;
    }
  }

  number(name: string): number {
    return Number(this.text(name)) || 0;
  }

  /** Undefined for "max" and for the largest number, which v1 writes instead. */
  limit(name: string): number | undefined {
    const text = this.text(name).trim();
    const value = Number(text);
    return text === '' || !Number.isFinite(value) || value >= 2 ** 62 ? undefined : value;
  }

  /** Lines of "name number". */
  table(name: string): Record<string, number> {
    const lines = this.text(name)
      .split('\n')
      .map((line) => line.split(' '));
    return Object.fromEntries(
      lines.filter((words) => words.length === 2).map(([key, value]) => [key ?? '', Number(value) || 0]),
    );
  }

  lines(name: string): string[][] {
    return this.text(name)
      .split('\n')
      .map((line) => line.split(' '));
  }
}

function readCpu(usage: ControllerFiles, limits: ControllerFiles): CpuStats {
  const stat = limits.table('cpu.stat');
  const throttling = { periods: stat['nr_periods'] ?? 0, throttledPeriods: stat['nr_throttled'] ?? 0 };
  if (usage.version !== 1) {
    const microseconds = (name: string): number => (stat[name] ?? 0) * 1000;
    return {
      total: microseconds('usage_usec'),
      user: microseconds('user_usec'),
      system: microseconds('system_usec'),
      perCpu: [],
      ...throttling,
      throttledTime: microseconds('throttled_usec'),
    };
  }
  return {
    total: usage.number('cpuacct.usage'),
    user: usage.number('cpuacct.usage_user'),
    system: usage.number('cpuacct.usage_sys'),
    perCpu: usage
      .text('cpuacct.usage_percpu')
      .split(/\s+/)
      .filter((word) => word !== '')
      .map(Number),
    ...throttling,
    throttledTime: stat['throttled_time'] ?? 0,
  };
}

function readMemory(files: ControllerFiles): MemoryStats {
  const stat = files.table('memory.stat');
  const oom = readOomKills(files);
  if (files.version === 1) {
    return {
      usage: files.number('memory.usage_in_bytes'),
      maxUsage: files.number('memory.max_usage_in_bytes'),
      limit: files.limit('memory.limit_in_bytes'),
      failures: files.number('memory.failcnt'),
      stat,
      oomKills: oom,
    };
  }
  return {
    usage: files.number('memory.current'),
    maxUsage: files.number('memory.peak'),
    limit: files.limit('memory.max'),
    failures: files.table('memory.events')['max'] ?? 0,
    stat,
    oomKills: oom,
  };
}

function readOomKills(files: ControllerFiles): number {
  return files.table(files.version === 1 ? 'memory.oom_control' : 'memory.events')['oom_kill'] ?? 0;
}

function readPids(files: ControllerFiles): PidsStats {
  return { current: files.number('pids.current'), limit: files.limit('pids.max') };
}

function readBlock(files: ControllerFiles): BlockStats {
  if (files.version === 1) {
    return {
      bytes: files.lines('blkio.throttle.io_service_bytes_recursive').flatMap(blockLine),
      operations: files.lines('blkio.throttle.io_serviced_recursive').flatMap(blockLine),
    };
  }
  const lines = files.lines('io.stat');
  return {
    bytes: lines.flatMap((words) => ioLine(words, { rbytes: 'read', wbytes: 'write', dbytes: 'discard' })),
    operations: lines.flatMap((words) => ioLine(words, { rios: 'read', wios: 'write', dios: 'discard' })),
  };
}

const v1Operations: Readonly<Record<string, BlockCount['op']>> = {
  Read: 'read',
  Write: 'write',
  Sync: 'sync',
  Async: 'async',
  Discard: 'discard',
  Total: 'total',
};

/** "8:0 Read 4096"; a last line "Total 4096" is no device. */
function blockLine([device = '', name = '', value = '']: readonly string[]): BlockCount[] {
  const [major, minor] = device.split(':').map(Number);
  const op = v1Operations[name];
  if (op === undefined || major === undefined || minor === undefined) return [];
  return [{ major, minor, op, value: Number(value) || 0 }];
}

/** "8:0 rbytes=4096 wbytes=0 rios=1 wios=0 dbytes=0 dios=0". */
function ioLine(
  [device = '', ...pairs]: readonly string[],
  names: Record<string, BlockCount['op']>,
): BlockCount[] {
  const [major, minor] = device.split(':').map(Number);
  if (major === undefined || minor === undefined) return [];
  return pairs.flatMap((pair) => {
    const [key = '', value = ''] = pair.split('=');
    const op = names[key];
    return op === undefined ? [] : [{ major, minor, op, value: Number(value) || 0 }];
  });
}
