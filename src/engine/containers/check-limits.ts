import { invalid } from '#/base/errors.ts';
import type { HostConfig } from '#/wire/containers.ts';

/** The least memory with which a process can start; Docker's bound. */
const leastMemory = 6 * 1024 * 1024;

/** Limits of memory and processor time; 0 and '' are none. */
export type Limits = Pick<
  HostConfig,
  | 'Memory'
  | 'MemorySwap'
  | 'MemoryReservation'
  | 'MemorySwappiness'
  | 'NanoCpus'
  | 'CpuShares'
  | 'CpuPeriod'
  | 'CpuQuota'
  | 'CpusetCpus'
  | 'CpusetMems'
>;

/** Throws `invalid`, in Docker's words, for limits that cannot be, or that this machine (with so many processors) cannot keep. */
export function checkLimits(limits: Limits, machine: { readonly cpuCount: number }): void {
  checkMemory(limits);
  checkCpu(limits, machine);
}

function checkMemory(host: Limits): void {
  const {
    Memory: memory,
    MemorySwap: swap,
    MemoryReservation: reservation,
    MemorySwappiness: swappiness,
  } = host;
  if (memory !== 0 && memory < leastMemory) throw invalid('Minimum memory limit allowed is 6MB');
  if (memory > 0 && swap > 0 && swap < memory) {
    throw invalid('Minimum memoryswap limit should be larger than memory limit, see usage');
  }
  if (memory === 0 && swap > 0) {
    throw invalid('You should always set the Memory limit when using Memoryswap limit, see usage');
  }
  if (swappiness !== null && swappiness !== undefined && (swappiness < -1 || swappiness > 100)) {
    throw invalid(`Invalid value: ${swappiness}, valid memory swappiness range is 0-100`);
  }
  if (reservation > 0 && reservation < leastMemory)
    throw invalid('Minimum memory reservation allowed is 6MB');
  if (memory > 0 && reservation > 0 && memory < reservation) {
    throw invalid('Minimum memory limit can not be less than memory reservation limit, see usage');
  }
}

function checkCpu(host: Limits, { cpuCount }: { cpuCount: number }): void {
  const { NanoCpus: nano, CpuPeriod: period, CpuQuota: quota } = host;
  if (nano !== 0 && period !== 0)
    throw invalid('Conflicting options: Nano CPUs and CPU Period cannot both be set');
  if (nano !== 0 && quota !== 0)
    throw invalid('Conflicting options: Nano CPUs and CPU Quota cannot both be set');
  if (nano < 0 || nano > cpuCount * 1e9) {
    throw invalid(
      `range of CPUs is from 0.01 to ${cpuCount}.00, as there are only ${cpuCount} CPUs available`,
    );
  }
  if (host.CpuShares < 0)
    throw invalid(`invalid CPU shares (${host.CpuShares}): value must be a positive integer`);
  if (period !== 0 && (period < 1000 || period > 1_000_000)) {
    throw invalid('CPU cfs period can not be less than 1ms (i.e. 1000) or larger than 1s (i.e. 1000000)');
  }
  if (quota > 0 && quota < 1000) throw invalid('CPU cfs quota can not be less than 1ms (i.e. 1000)');
  checkCpuset('cpuset cpus', host.CpusetCpus, cpuCount - 1);
  checkCpuset('cpuset mems', host.CpusetMems, 0);
}

function checkCpuset(what: 'cpuset cpus' | 'cpuset mems', value: string, last: number): void {
  if (value === '') return;
  for (const range of value.split(',')) {
    const match = /^\s*(\d{1,6})(?:-(\d{1,6}))?\s*$/.exec(range);
    if (match === null) throw invalid(`Invalid value ${value} for ${what}: invalid format: ${range}`);
    if (Number(match[2] ?? match[1]) > last) {
      const thing = what === 'cpuset cpus' ? 'CPUs' : 'memory nodes';
      throw invalid(
        `Requested ${thing} are not available - requested ${value}, available: ${last === 0 ? '0' : `0-${last}`}`,
      );
    }
  }
}
