import type { OciDevice, OciDeviceRule, OciIdMapping } from '#/oci/runtime-spec.ts';
import type { UlimitInput } from './rlimits.ts';
import type { SeccompProfile } from './seccomp.ts';

/** All that decides how a container runs, as plain values: names are resolved, paths absolute, defaults filled in. */
export interface SpecInput {
  /** The mounted root file system, absolute. */
  readonly rootfs: string;
  readonly readonlyRootfs: boolean;
  readonly process: ProcessInput;
  /** Ignored when the uts namespace is the host's. */
  readonly hostname?: string | undefined;
  readonly domainname?: string | undefined;
  readonly namespaces: NamespacesInput;
  /** What users and the engine mount over the defaults, in any order. */
  readonly mounts: readonly MountInput[];
  readonly shm: ShmInput;
  /** All capabilities held, all devices, nothing masked or read-only, no system call filter. */
  readonly privileged: boolean;
  /** /sys/fs/cgroup is writable; undefined: with `privileged` only. */
  readonly writableCgroups?: boolean | undefined;
  /** Device nodes to make. With `privileged` those of `hostDevices()`. */
  readonly devices: readonly OciDevice[];
  /** What the device cgroup allows besides the default devices; in order. */
  readonly deviceRules: readonly OciDeviceRule[];
  readonly resources: ResourcesInput;
  readonly sysctls: Readonly<Record<string, string>>;
  readonly seccomp: SeccompInput;
  /** Instead of the default lists; empty lists mask nothing. */
  readonly maskedPaths?: readonly string[] | undefined;
  readonly readonlyPaths?: readonly string[] | undefined;
  /** An init of ours on the host (static): becomes PID 1 and starts the process. */
  readonly init?: string | undefined;
  /** An absolute path below the hierarchy. */
  readonly cgroupsPath: string;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

/** A process: a container's first, or one of exec. */
export interface ProcessInput {
  readonly args: readonly string[];
  /** NAME=value. HOME is the user's if it is missing or empty. */
  readonly env: readonly string[];
  readonly cwd: string;
  readonly terminal: boolean;
  readonly consoleSize?: { readonly height: number; readonly width: number } | undefined;
  readonly user: UserInput;
  /** From `resolveCapabilities`. */
  readonly capabilities: readonly string[];
  readonly noNewPrivileges: boolean;
  readonly rlimits: readonly UlimitInput[];
  readonly oomScoreAdj?: number | undefined;
}

/** A user by numbers, from `resolveUser`. */
export interface UserInput {
  readonly uid: number;
  readonly gid: number;
  readonly groups: readonly number[];
  readonly home: string;
}

/** A fresh namespace, the host's, or the one at a path. */
export type NamespaceInput = 'new' | 'host' | { readonly path: string };

/** The mount namespace is always a fresh one. */
export interface NamespacesInput {
  readonly pid: NamespaceInput;
  readonly network: NamespaceInput;
  readonly ipc: NamespaceInput;
  readonly uts: NamespaceInput;
  readonly cgroup: NamespaceInput;
  /** undefined: the host's. */
  readonly user?: UserNamespaceInput | undefined;
}

/** A fresh user namespace with these ids, or the one at a path. */
type UserNamespaceInput =
  | { readonly path: string }
  | { readonly uidMappings: readonly OciIdMapping[]; readonly gidMappings: readonly OciIdMapping[] };

/** How mounts that happen later on one side show on the other; mount_namespaces(7). */
export type Propagation = 'private' | 'rprivate' | 'shared' | 'rshared' | 'slave' | 'rslave';

/** A mount in the container. `target` is absolute; it may not be /dev, /proc, /sys or inside of /proc. */
export type MountInput =
  | {
      readonly kind: 'bind';
      /** Absolute, existing. */
      readonly source: string;
      readonly target: string;
      /** 'recursive' also makes what is mounted below `source` read-only. */
      readonly readonly: 'no' | 'yes' | 'recursive';
      readonly propagation?: Propagation | undefined;
      /** Leaves out what is mounted below `source`. */
      readonly nonRecursive?: boolean | undefined;
    }
  | {
      readonly kind: 'tmpfs';
      readonly target: string;
      /** Over noexec, nosuid, nodev: mount(8) words for tmpfs, for example "exec", "size=64m", "mode=1777", "ro". */
      readonly options: readonly string[];
    };

/** /dev/shm: a fresh one of `size` bytes, a directory of somebody else's, or nothing. */
export type ShmInput =
  | { readonly kind: 'new'; readonly size: number }
  | { readonly kind: 'bind'; readonly source: string }
  | { readonly kind: 'none' };

/** Which system calls are refused. */
export type SeccompInput =
  /** As configured for the daemon. */
  | { readonly kind: 'default' }
  /** The packaged profile, whatever is configured. */
  | { readonly kind: 'builtin' }
  | { readonly kind: 'unconfined' }
  | { readonly kind: 'profile'; readonly profile: SeccompProfile };

/** A block device, from `blockDevice`, with a value. */
export interface BlockDeviceLimit {
  readonly major: number;
  readonly minor: number;
  readonly value: number;
}

/** Limits; undefined or 0 leaves one as it is. Sizes in bytes, times in microseconds. */
export interface ResourcesInput {
  /** -1 is unlimited. */
  readonly memory?: number | undefined;
  readonly memoryReservation?: number | undefined;
  /** Memory and swap together; -1 is unlimited. */
  readonly memorySwap?: number | undefined;
  /** 0 to 100; here 0 is a value, -1 is the system's default. */
  readonly memorySwappiness?: number | undefined;
  readonly kernelMemoryTcp?: number | undefined;
  readonly oomKillDisable?: boolean | undefined;
  /** Billionths of a CPU. */
  readonly nanoCpus?: number | undefined;
  readonly cpuShares?: number | undefined;
  readonly cpuQuota?: number | undefined;
  readonly cpuPeriod?: number | undefined;
  readonly cpuRealtimeRuntime?: number | undefined;
  readonly cpuRealtimePeriod?: number | undefined;
  /** Lists like "0-2,4". */
  readonly cpusetCpus?: string | undefined;
  readonly cpusetMems?: string | undefined;
  /** -1 is unlimited. */
  readonly pidsLimit?: number | undefined;
  /** 10 to 1000. */
  readonly blkioWeight?: number | undefined;
  readonly blkioWeightDevice?: readonly BlockDeviceLimit[] | undefined;
  /** Bytes per second. */
  readonly blkioReadBps?: readonly BlockDeviceLimit[] | undefined;
  readonly blkioWriteBps?: readonly BlockDeviceLimit[] | undefined;
  /** Operations per second. */
  readonly blkioReadIops?: readonly BlockDeviceLimit[] | undefined;
  readonly blkioWriteIops?: readonly BlockDeviceLimit[] | undefined;
  readonly hugepages?: readonly { readonly pageSize: string; readonly limit: number }[] | undefined;
}
