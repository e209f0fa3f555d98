import { invalid } from '#/base/errors.ts';
import type { CgroupSupport } from '#/kernel/cgroup/support.ts';
import type { HostConfig } from '#/wire/containers.ts';

/** The fields of a request that need something of the kernel. */
type Limited = Pick<
  HostConfig,
  | 'BlkioWeight'
  | 'BlkioWeightDevice'
  | 'CpuPeriod'
  | 'CpuQuota'
  | 'CpuShares'
  | 'CpusetCpus'
  | 'CpusetMems'
  | 'Memory'
  | 'MemoryReservation'
  | 'MemorySwap'
  | 'MemorySwappiness'
  | 'NanoCpus'
  | 'OomKillDisable'
  | 'PidsLimit'
>;

/** A limit, or some that go together. */
interface Limit {
  /** What this machine lacks when they cannot be kept. */
  readonly needs: keyof CgroupSupport;
  readonly asked: (host: Limited) => boolean;
  /** What they become. */
  readonly left: Partial<Limited>;
  /** In Docker's words. */
  readonly warning: string;
}

const unsupported = 'Your kernel does not support';
const notMounted = 'or the cgroup is not mounted.';

/** In the order in which Docker looks at them: without a limit of memory, nothing is said about swap. */
const limits: readonly Limit[] = [
  {
    needs: 'memory',
    asked: ({ Memory }) => Memory > 0,
    left: { Memory: 0, MemorySwap: -1 },
    warning: `${unsupported} memory limit capabilities ${notMounted} Limitation discarded.`,
  },
  {
    needs: 'swap',
    asked: ({ Memory, MemorySwap }) => Memory > 0 && MemorySwap !== -1,
    left: { MemorySwap: -1 },
    warning: `${unsupported} swap limit capabilities ${notMounted} Memory limited without swap.`,
  },
  {
    needs: 'swappiness',
    asked: ({ MemorySwappiness }) => MemorySwappiness !== null && MemorySwappiness !== -1,
    left: { MemorySwappiness: null },
    warning: `${unsupported} memory swappiness capabilities ${notMounted} Memory swappiness discarded.`,
  },
  {
    needs: 'memory',
    asked: ({ MemoryReservation }) => MemoryReservation > 0,
    left: { MemoryReservation: 0 },
    warning: `${unsupported} memory soft limit capabilities ${notMounted} Limitation discarded.`,
  },
  {
    needs: 'oomKillDisable',
    asked: ({ OomKillDisable }) => OomKillDisable === true,
    left: { OomKillDisable: null },
    warning: `${unsupported} OomKillDisable. OomKillDisable discarded.`,
  },
  {
    needs: 'pids',
    asked: ({ PidsLimit }) => (PidsLimit ?? 0) > 0,
    left: { PidsLimit: null },
    warning: `${unsupported} PIDs limit capabilities ${notMounted} PIDs limit discarded.`,
  },
  {
    needs: 'cpu',
    asked: ({ CpuShares }) => CpuShares > 0,
    left: { CpuShares: 0 },
    warning: `${unsupported} CPU shares ${notMounted} Shares discarded.`,
  },
  {
    needs: 'cpu',
    asked: ({ CpuPeriod, CpuQuota }) => CpuPeriod !== 0 || CpuQuota !== 0,
    left: { CpuPeriod: 0, CpuQuota: 0 },
    warning: `${unsupported} CPU CFS scheduler. CPU period/quota discarded.`,
  },
  {
    needs: 'cpuset',
    asked: ({ CpusetCpus, CpusetMems }) => CpusetCpus !== '' || CpusetMems !== '',
    left: { CpusetCpus: '', CpusetMems: '' },
    warning: `${unsupported} cpuset ${notMounted} Cpuset discarded.`,
  },
  {
    needs: 'blkioWeight',
    asked: ({ BlkioWeight }) => BlkioWeight > 0,
    left: { BlkioWeight: 0 },
    warning: `${unsupported} Block I/O weight ${notMounted} Weight discarded.`,
  },
  {
    needs: 'blkioWeight',
    asked: ({ BlkioWeightDevice }) => (BlkioWeightDevice ?? []).length > 0,
    left: { BlkioWeightDevice: [] },
    warning: `${unsupported} Block I/O weight_device ${notMounted} Weight-device discarded.`,
  },
];

/**
 * Leaves out what the kernel cannot do, with Docker's warnings: such requests are no errors. Only a number of CPUs is, which
 * throws `invalid`.
 */
export function discardUnsupported<T extends Limited>(
  host: T,
  support: CgroupSupport,
): { host: T; warnings: string[] } {
  if (host.NanoCpus > 0 && !support.cpu) {
    throw invalid(
      `NanoCPUs can not be set, as your kernel does not support CPU CFS scheduler or the cgroup is not mounted`,
    );
  }
  let kept = host;
  const warnings: string[] = [];
  for (const { needs, asked, left, warning } of limits) {
    if (support[needs] || !asked(kept)) continue;
    kept = { ...kept, ...left };
    warnings.push(warning);
  }
  // As in Docker, null tells that there is no choice.
  if (!support.oomKillDisable) kept = { ...kept, OomKillDisable: null };
  return { host: kept, warnings };
}
