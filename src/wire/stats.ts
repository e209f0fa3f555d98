/** Processor time. */
interface CpuUsage {
  /** Nanoseconds, as are the others. */
  readonly total_usage: number;
  /** Of each CPU; only with cgroup v1. */
  readonly percpu_usage?: readonly number[];
  readonly usage_in_kernelmode: number;
  readonly usage_in_usermode: number;
}

/** How often the CPU quota stopped the container. */
interface ThrottlingData {
  readonly periods: number;
  readonly throttled_periods: number;
  /** Nanoseconds. */
  readonly throttled_time: number;
}

/** Processor use at one moment. */
export interface CpuStats {
  readonly cpu_usage: CpuUsage;
  /** Of the whole host, nanoseconds. */
  readonly system_cpu_usage?: number;
  readonly online_cpus?: number;
  readonly throttling_data: ThrottlingData;
}

/** Memory use, bytes. All absent when the container does not run. */
interface MemoryStats {
  readonly usage?: number;
  /** Only with cgroup v1. */
  readonly max_usage?: number;
  /** memory.stat, word for word. */
  readonly stats?: Readonly<Record<string, number>>;
  readonly failcnt?: number;
  /** Of the host, if the container has none. */
  readonly limit?: number;
}

/** One counter of one block device. */
export interface BlkioStatEntry {
  readonly major: number;
  readonly minor: number;
  readonly op: string;
  readonly value: number;
}

/** Block I/O counters; `null` where the cgroup version has no such file. */
export interface BlkioStats {
  readonly io_service_bytes_recursive: readonly BlkioStatEntry[] | null;
  readonly io_serviced_recursive: readonly BlkioStatEntry[] | null;
  readonly io_queue_recursive: readonly BlkioStatEntry[] | null;
  readonly io_service_time_recursive: readonly BlkioStatEntry[] | null;
  readonly io_wait_time_recursive: readonly BlkioStatEntry[] | null;
  readonly io_merged_recursive: readonly BlkioStatEntry[] | null;
  readonly io_time_recursive: readonly BlkioStatEntry[] | null;
  readonly sectors_recursive: readonly BlkioStatEntry[] | null;
}

/** Counters of one network interface since it was made. */
export interface NetworkStats {
  readonly rx_bytes: number;
  readonly rx_packets: number;
  readonly rx_errors: number;
  readonly rx_dropped: number;
  readonly tx_bytes: number;
  readonly tx_packets: number;
  readonly tx_errors: number;
  readonly tx_dropped: number;
}

/** One sample of `GET /containers/{id}/stats`; `precpu_stats` is of the sample before, or zero. */
export interface ContainerStats {
  /** With a leading slash; absent in one-shot mode, as is `id`. */
  readonly name?: string;
  readonly id?: string;
  readonly read: string;
  readonly preread: string;
  readonly pids_stats: { readonly current?: number; readonly limit?: number };
  readonly blkio_stats: BlkioStats;
  readonly num_procs: number;
  readonly storage_stats: Readonly<Record<string, never>>;
  readonly cpu_stats: CpuStats;
  readonly precpu_stats: CpuStats;
  readonly memory_stats: MemoryStats;
  /** By interface; absent without a network of its own. */
  readonly networks?: Readonly<Record<string, NetworkStats>>;
}
