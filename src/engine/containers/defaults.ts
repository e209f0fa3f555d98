import type { HostConfig } from '#/wire/containers.ts';

/** What a request gets where it says nothing; from the daemon's configuration and the machine. */
export interface HostDefaults {
  /** Name of the OCI runtime. */
  readonly runtime: string;
  /** `private` with cgroup v2, `host` with v1 and hybrid, as in Docker. */
  readonly cgroupns: 'private' | 'host';
  /** Bytes of /dev/shm. */
  readonly shmSize: number;
  readonly ipcMode: string;
  readonly logType: string;
  readonly logOptions: Readonly<Record<string, string>>;
  /** Whether containers get an init process unless they say otherwise. */
  readonly init: boolean;
  /** Limits by name, for those that the request does not set. */
  readonly ulimits: readonly { readonly name: string; readonly soft: number; readonly hard: number }[];
  readonly noNewPrivileges: boolean;
}

/** Paths of /proc and /sys that tell of the host or change it; hidden from containers. */
const maskedPaths: readonly string[] = [
  '/proc/asound',
  '/proc/acpi',
  '/proc/interrupts',
  '/proc/kcore',
  '/proc/keys',
  '/proc/latency_stats',
  '/proc/timer_list',
  '/proc/timer_stats',
  '/proc/sched_debug',
  '/proc/scsi',
  '/sys/firmware',
  '/sys/devices/virtual/powercap',
];
const readonlyPaths: readonly string[] = [
  '/proc/bus',
  '/proc/fs',
  '/proc/irq',
  '/proc/sys',
  '/proc/sysrq-trigger',
];

/** Fills in what a create request left open, as inspect shows it afterwards. */
export function withHostDefaults(host: HostConfig, defaults: HostDefaults): HostConfig {
  const open = host.Privileged;
  const logType = host.LogConfig.Type === '' ? defaults.logType : host.LogConfig.Type;
  return {
    ...host,
    Ulimits: withDefaultUlimits(host.Ulimits, defaults),
    SecurityOpt: withDefaultSecurity(host, defaults),
    NetworkMode: host.NetworkMode === '' || host.NetworkMode === 'default' ? 'bridge' : host.NetworkMode,
    RestartPolicy: {
      ...host.RestartPolicy,
      Name: host.RestartPolicy.Name === '' ? 'no' : host.RestartPolicy.Name,
    },
    LogConfig: {
      Type: logType,
      Config:
        host.LogConfig.Type === ''
          ? { ...defaults.logOptions, ...host.LogConfig.Config }
          : (host.LogConfig.Config ?? {}),
    },
    IpcMode: host.IpcMode === '' ? defaults.ipcMode : host.IpcMode,
    CgroupnsMode: host.CgroupnsMode === '' ? (open ? 'host' : defaults.cgroupns) : host.CgroupnsMode,
    // Swap as large as memory, which the limit of both together includes.
    MemorySwap: host.Memory > 0 && host.MemorySwap === 0 ? host.Memory * 2 : host.MemorySwap,
    // How clients say that they leave it to the kernel.
    MemorySwappiness: host.MemorySwappiness === -1 ? null : host.MemorySwappiness,
    ShmSize: host.ShmSize === 0 ? defaults.shmSize : host.ShmSize,
    Runtime: host.Runtime === undefined || host.Runtime === '' ? defaults.runtime : host.Runtime,
    OomKillDisable: host.OomKillDisable ?? false,
    PidsLimit: host.PidsLimit !== null && host.PidsLimit <= 0 ? null : host.PidsLimit,
    MaskedPaths: host.MaskedPaths ?? (open ? null : maskedPaths),
    ReadonlyPaths: host.ReadonlyPaths ?? (open ? null : readonlyPaths),
  };
}

function withDefaultUlimits(given: HostConfig['Ulimits'], { ulimits }: HostDefaults): HostConfig['Ulimits'] {
  const own = new Set((given ?? []).map(({ Name }) => Name));
  const missing = ulimits.filter(({ name }) => !own.has(name));
  if (missing.length === 0) return given;
  return [
    ...(given ?? []),
    ...missing.map(({ name, soft, hard }) => ({ Name: name, Soft: soft, Hard: hard })),
  ];
}

function withDefaultSecurity(
  { SecurityOpt: given, Privileged }: HostConfig,
  { noNewPrivileges }: HostDefaults,
): HostConfig['SecurityOpt'] {
  if (
    !noNewPrivileges ||
    Privileged ||
    (given ?? []).some((option) => option.startsWith('no-new-privileges'))
  )
    return given;
  return [...(given ?? []), 'no-new-privileges'];
}
