import type { CgroupSupport } from '#/kernel/cgroup/support.ts';
import type { OciResources, OciThrottle } from '#/oci/runtime-spec.ts';
import type { BlockDeviceLimit, ResourcesInput } from './input.ts';

/** The period that a number of CPUs is turned into a quota of. */
const defaultPeriod = 100_000;

/** The limits as the specification has them, for `create` (without devices) and `update`. What is not asked for is absent. */
export function ociResources(input: ResourcesInput, support: Pick<CgroupSupport, 'swap'>): OciResources {
  const memory = compact({
    limit: set(input.memory),
    reservation: set(input.memoryReservation),
    swap: support.swap ? set(input.memorySwap) : undefined,
    kernelTCP: set(input.kernelMemoryTcp),
    swappiness: input.memorySwappiness === -1 ? undefined : input.memorySwappiness,
    disableOOMKiller: input.oomKillDisable || undefined,
  });
  const cpu = compact({ shares: set(input.cpuShares), ...cpuTime(input), ...cpuPlaces(input) });
  const blockIO = compact({
    weight: set(input.blkioWeight),
    weightDevice: list(input.blkioWeightDevice)?.map(({ major, minor, value }) => ({
      major,
      minor,
      weight: value,
    })),
    throttleReadBpsDevice: throttles(input.blkioReadBps),
    throttleWriteBpsDevice: throttles(input.blkioWriteBps),
    throttleReadIOPSDevice: throttles(input.blkioReadIops),
    throttleWriteIOPSDevice: throttles(input.blkioWriteIops),
  });
  const pids = set(input.pidsLimit);
  const hugepageLimits = list(input.hugepages);
  return {
    ...(memory === undefined ? {} : { memory }),
    ...(cpu === undefined ? {} : { cpu }),
    ...(pids === undefined ? {} : { pids: { limit: pids } }),
    ...(blockIO === undefined ? {} : { blockIO }),
    ...(hugepageLimits === undefined ? {} : { hugepageLimits }),
  };
}

interface CpuTime {
  readonly quota: number | undefined;
  readonly period: number | undefined;
  readonly realtimeRuntime: number | undefined;
  readonly realtimePeriod: number | undefined;
}

function cpuTime(input: ResourcesInput): CpuTime {
  const nano = set(input.nanoCpus);
  const realtimeRuntime = set(input.cpuRealtimeRuntime);
  const realtimePeriod = set(input.cpuRealtimePeriod);
  if (nano !== undefined) {
    const quota = Math.floor((nano * defaultPeriod) / 1e9);
    return { quota, period: defaultPeriod, realtimeRuntime, realtimePeriod };
  }
  // A negative quota is none.
  const quota = set(Math.max(0, input.cpuQuota ?? 0));
  return { quota, period: set(input.cpuPeriod), realtimeRuntime, realtimePeriod };
}

function cpuPlaces({ cpusetCpus, cpusetMems }: ResourcesInput): {
  cpus: string | undefined;
  mems: string | undefined;
} {
  return { cpus: cpusetCpus || undefined, mems: cpusetMems || undefined };
}

function throttles(limits: readonly BlockDeviceLimit[] | undefined): OciThrottle[] | undefined {
  return list(limits)?.map(({ major, minor, value }) => ({ major, minor, rate: value }));
}

function list<T>(values: readonly T[] | undefined): readonly T[] | undefined {
  return values === undefined || values.length === 0 ? undefined : values;
}

function set(value: number | undefined): number | undefined {
  return value === 0 ? undefined : value;
}

type Defined<T> = { [K in keyof T]?: Exclude<T[K], undefined> };

/** Without the keys whose value is undefined; undefined if none remain. */
function compact<T extends object>(value: T): Defined<T> | undefined {
  const entries = Object.entries(value).filter(([, entry]) => entry !== undefined);
  return entries.length === 0 ? undefined : (Object.fromEntries(entries) as Defined<T>);
}
