import { binarySize, humanSize } from '#/base/units.ts';
import type { ContainerStats } from '#/wire/stats.ts';
import { truncateId } from './ids.ts';
import type { ListKind } from './list.ts';

/** The newest sample of a container; `undefined` until the first one and after errors. */
export interface StatsRow {
  /** As it was asked for. */
  readonly container: string;
  readonly sample: ContainerStats | undefined;
}

/** What `stats` shows by default. */
export const statsTable =
  'table {{.ID}}\t{{.Name}}\t{{.CPUPerc}}\t{{.MemUsage}}\t{{.MemPerc}}\t{{.NetIO}}\t{{.BlockIO}}\t{{.PIDs}}';

const none = '--';

/** The columns of `stats`; `truncate` is off with --no-trunc. */
export function statsKind({ truncate }: { truncate: boolean }): ListKind<StatsRow> {
  const column = (header: string, value: (row: StatsRow) => string) => ({ header, value });
  const figure = (header: string, value: (sample: ContainerStats) => string, missing = none) =>
    column(header, ({ sample }) => (sample === undefined ? missing : value(sample)));
  return {
    type: '*container.statsContext',
    columns: {
      BlockIO: figure('BLOCK I/O', blockIo),
      CPUPerc: figure('CPU %', (sample) => `${cpuPercent(sample).toFixed(2)}%`),
      Container: column('CONTAINER', ({ container }) => container),
      ID: column('CONTAINER ID', ({ sample }) =>
        truncate ? truncateId(sample?.id ?? '') : (sample?.id ?? ''),
      ),
      MemPerc: figure('MEM %', (sample) => `${memoryPercent(sample).toFixed(2)}%`),
      MemUsage: figure(
        'MEM USAGE / LIMIT',
        (sample) => `${binarySize(memoryUsed(sample))} / ${binarySize(sample.memory_stats.limit ?? 0)}`,
        '-- / --',
      ),
      Name: column('NAME', ({ sample }) => sample?.name?.replace(/^\//, '') || none),
      NetIO: figure('NET I/O', netIo),
      PIDs: figure('PIDS', (sample) => String(sample.pids_stats.current ?? 0)),
    },
  };
}

/** 100 is one CPU. */
function cpuPercent({ cpu_stats: now, precpu_stats: before }: ContainerStats): number {
  const used = now.cpu_usage.total_usage - before.cpu_usage.total_usage;
  const passed = (now.system_cpu_usage ?? 0) - (before.system_cpu_usage ?? 0);
  const cpus = now.online_cpus || (now.cpu_usage.percpu_usage?.length ?? 0);
  return passed > 0 && used > 0 ? (used / passed) * cpus * 100 : 0;
}

/** Without the page cache that the kernel can drop at once. */
function memoryUsed({ memory_stats: { usage = 0, stats = {} } }: ContainerStats): number {
  const v1 = stats['total_inactive_file'];
  if (v1 !== undefined && v1 < usage) return usage - v1;
  const v2 = stats['inactive_file'] ?? 0;
  return v2 < usage ? usage - v2 : usage;
}

function memoryPercent(sample: ContainerStats): number {
  const limit = sample.memory_stats.limit ?? 0;
  return limit === 0 ? 0 : (memoryUsed(sample) / limit) * 100;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function netIo({ networks = {} }: ContainerStats): string {
  const all = Object.values(networks);
  const received = sum(all.map(({ rx_bytes }) => rx_bytes));
  const sent = sum(all.map(({ tx_bytes }) => tx_bytes));
  return `${humanSize(received, 3)} / ${humanSize(sent, 3)}`;
}

function blockIo({ blkio_stats: { io_service_bytes_recursive: entries } }: ContainerStats): string {
  const bytes = (letter: string): number =>
    sum((entries ?? []).filter(({ op }) => op.toLowerCase().startsWith(letter)).map(({ value }) => value));
  return `${humanSize(bytes('r'), 3)} / ${humanSize(bytes('w'), 3)}`;
}
