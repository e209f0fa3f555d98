import { readFileSync } from 'node:fs';
import { cpus, totalmem } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSystemError } from '#/base/errors.ts';
import { nowText } from '#/base/time.ts';
import { type CgroupStats, readCgroupStats } from '#/kernel/cgroup/stats.ts';
import { zeroTime } from '#/wire/container-inspect.ts';
import type { BlkioStatEntry, BlkioStats, ContainerStats, CpuStats, NetworkStats } from '#/wire/stats.ts';
import { type ContainerRecord, isAlive } from './model.ts';
import { type ContainerParts, cgroupOf } from './parts.ts';

/** How often a stream gets a sample. Milliseconds. */
const interval = 1000;
/** Length of a clock tick, as in /proc/stat: USER_HZ is 100 on Linux. Nanoseconds. */
const tick = 10_000_000;

const noCpu: CpuStats = {
  cpu_usage: { total_usage: 0, usage_in_kernelmode: 0, usage_in_usermode: 0 },
  throttling_data: { periods: 0, throttled_periods: 0, throttled_time: 0 },
};

const noBlkio: BlkioStats = {
  io_service_bytes_recursive: null,
  io_serviced_recursive: null,
  io_queue_recursive: null,
  io_service_time_recursive: null,
  io_wait_time_recursive: null,
  io_merged_recursive: null,
  io_time_recursive: null,
  sectors_recursive: null,
};

/** How a client wants the samples. */
export interface StatsOptions {
  /** One each second until the client leaves or the container is removed, or only one. */
  readonly stream: boolean;
  /** Do not wait for a second sample to compare the first with. */
  readonly oneShot: boolean;
  readonly signal: AbortSignal;
}

/** Samples of what a container uses; of one that does not run, empty ones. */
export async function containerStats(
  parts: ContainerParts,
  ref: string,
  options: StatsOptions,
): Promise<AsyncIterable<ContainerStats>> {
  const { id } = parts.store.find(ref);
  return samples(parts, id, options);
}

async function* samples(
  parts: ContainerParts,
  id: string,
  { stream, oneShot, signal }: StatsOptions,
): AsyncGenerator<ContainerStats, void, undefined> {
  let before: ContainerStats | undefined;
  for (;;) {
    const record = parts.store.get(id);
    if (record === undefined) return;
    const running = isAlive(record.state);
    const sample = running ? withPrevious(takeSample(parts, record), before) : emptySample(record);
    // The first of a pair is only there to compare the second with.
    const complete = before !== undefined || oneShot || !running;
    if (complete || stream) yield sample;
    if (complete && !stream) return;
    before = running ? sample : undefined;
    await sleep(interval, undefined, { signal }).catch((error: unknown) => {
      if (!signal.aborted) throw error;
    });
    if (signal.aborted) return;
  }
}

function withPrevious(sample: ContainerStats, before: ContainerStats | undefined): ContainerStats {
  return before === undefined ? sample : { ...sample, preread: before.read, precpu_stats: before.cpu_stats };
}

function emptySample({ id, name }: ContainerRecord): ContainerStats {
  return {
    name: `/${name}`,
    id,
    read: zeroTime,
    preread: zeroTime,
    pids_stats: {},
    blkio_stats: noBlkio,
    num_procs: 0,
    storage_stats: {},
    cpu_stats: noCpu,
    precpu_stats: noCpu,
    memory_stats: {},
  };
}

function takeSample(parts: ContainerParts, record: ContainerRecord): ContainerStats {
  const stats = readCgroupStats(parts.cgroups, cgroupOf(parts, record));
  const networks = interfacesOf(record);
  const { limit } = stats.pids;
  return {
    name: `/${record.name}`,
    id: record.id,
    read: nowText(),
    preread: zeroTime,
    pids_stats: { current: stats.pids.current, ...(limit === undefined ? {} : { limit }) },
    blkio_stats: blkioOf(stats),
    num_procs: 0,
    storage_stats: {},
    cpu_stats: cpuOf(stats),
    precpu_stats: noCpu,
    memory_stats: memoryOf(parts, stats),
    ...(networks === undefined ? {} : { networks }),
  };
}

function cpuOf({ cpu }: CgroupStats): CpuStats {
  return {
    cpu_usage: {
      total_usage: cpu.total,
      ...(cpu.perCpu.length > 0 ? { percpu_usage: cpu.perCpu } : {}),
      usage_in_kernelmode: cpu.system,
      usage_in_usermode: cpu.user,
    },
    system_cpu_usage: systemCpu(),
    online_cpus: cpus().length,
    throttling_data: {
      periods: cpu.periods,
      throttled_periods: cpu.throttledPeriods,
      throttled_time: cpu.throttledTime,
    },
  };
}

/** Nanoseconds that all CPUs of the host have worked and idled; proc_stat(5). */
function systemCpu(): number {
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n', 1);
  // Guest time, the last two, is part of user time already.
  const ticks = line
    .trim()
    .split(/\s+/)
    .slice(1, 9)
    .reduce((sum, field) => sum + Number(field), 0);
  return ticks * tick;
}

function memoryOf({ cgroups }: ContainerParts, { memory }: CgroupStats): ContainerStats['memory_stats'] {
  const v1 = cgroups.mode !== 'v2';
  return {
    usage: memory.usage,
    ...(v1 ? { max_usage: memory.maxUsage } : {}),
    stats: memory.stat,
    ...(v1 && memory.failures > 0 ? { failcnt: memory.failures } : {}),
    limit: Math.min(memory.limit ?? Number.POSITIVE_INFINITY, totalmem()),
  };
}

function blkioOf({ blkio }: CgroupStats): BlkioStats {
  const entries = (counts: CgroupStats['blkio']['bytes']): BlkioStatEntry[] =>
    counts.map((count) => ({ ...count }));
  return {
    io_service_bytes_recursive: entries(blkio.bytes),
    io_serviced_recursive: entries(blkio.operations),
    io_queue_recursive: [],
    io_service_time_recursive: [],
    io_wait_time_recursive: [],
    io_merged_recursive: [],
    io_time_recursive: [],
    sectors_recursive: [],
  };
}

/** Counters of the interfaces in the container's network namespace; proc_pid_net(5), dev. */
function interfacesOf({ spec, state }: ContainerRecord): Record<string, NetworkStats> | undefined {
  const mode = spec.hostConfig.NetworkMode;
  if (!isAlive(state) || mode === 'host' || mode.startsWith('container:')) return undefined;
  let text: string;
  try {
    text = readFileSync(`/proc/${state.init.pid}/net/dev`, 'utf8');
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ESRCH', 'EINVAL')) return undefined;
    throw error;
  }
  const found: Record<string, NetworkStats> = {};
  for (const line of text.split('\n').slice(2)) {
    const match = /^\s*([^:]+):\s*(.*)$/.exec(line);
    if (match?.[1] === undefined || match[1] === 'lo') continue;
    const [
      rx_bytes = 0,
      rx_packets = 0,
      rx_errors = 0,
      rx_dropped = 0,
      ,
      ,
      ,
      ,
      tx_bytes = 0,
      tx_packets = 0,
      tx_errors = 0,
      tx_dropped = 0,
    ] = (match[2] ?? '').trim().split(/\s+/).map(Number);
    found[match[1]] = {
      rx_bytes,
      rx_packets,
      rx_errors,
      rx_dropped,
      tx_bytes,
      tx_packets,
      tx_errors,
      tx_dropped,
    };
  }
  return Object.keys(found).length === 0 ? undefined : found;
}
