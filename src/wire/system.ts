import type { ContainerSummary } from './container-inspect.ts';
import type { StringMap } from './containers.ts';
import type { ImageSummary } from './images.ts';
import type { Volume } from './volumes.ts';

/** Answer of `GET /version`. */
export interface SystemVersion {
  readonly Platform: { readonly Name: string };
  readonly Components: readonly {
    readonly Name: string;
    readonly Version: string;
    readonly Details?: StringMap;
  }[];
  readonly Version: string;
  readonly ApiVersion: string;
  readonly MinAPIVersion: string;
  readonly GitCommit: string;
  readonly GoVersion: string;
  readonly Os: string;
  readonly Arch: string;
  readonly KernelVersion: string;
  readonly Experimental?: boolean;
  readonly BuildTime: string;
}

/** An OCI runtime that containers can choose. */
interface RuntimeInfo {
  readonly path: string;
  readonly runtimeArgs?: readonly string[];
  readonly status?: StringMap;
}

/** A registry index as the daemon is configured for it. */
interface RegistryIndexInfo {
  readonly Mirrors: readonly string[];
  readonly Name: string;
  readonly Official: boolean;
  readonly Secure: boolean;
}

/** The version of a helper program, or an empty string. */
interface ComponentCommit {
  readonly ID: string;
}

/** Answer of `GET /info`. */
export interface SystemInfo {
  readonly ID: string;
  readonly Containers: number;
  readonly ContainersRunning: number;
  readonly ContainersPaused: number;
  readonly ContainersStopped: number;
  readonly Images: number;
  readonly Driver: string;
  readonly DriverStatus: readonly (readonly [string, string])[];
  readonly Plugins: {
    readonly Volume: readonly string[];
    readonly Network: readonly string[];
    readonly Authorization: readonly string[] | null;
    readonly Log: readonly string[];
  };
  readonly MemoryLimit: boolean;
  readonly SwapLimit: boolean;
  readonly KernelMemoryTCP?: boolean;
  readonly CpuCfsPeriod: boolean;
  readonly CpuCfsQuota: boolean;
  readonly CPUShares: boolean;
  readonly CPUSet: boolean;
  readonly PidsLimit: boolean;
  readonly IPv4Forwarding: boolean;
  readonly Debug: boolean;
  readonly NFd: number;
  readonly OomKillDisable: boolean;
  readonly NGoroutines: number;
  readonly SystemTime: string;
  readonly LoggingDriver: string;
  readonly CgroupDriver: string;
  readonly CgroupVersion: string;
  readonly NEventsListener: number;
  readonly KernelVersion: string;
  readonly OperatingSystem: string;
  readonly OSVersion: string;
  readonly OSType: string;
  readonly Architecture: string;
  readonly IndexServerAddress: string;
  readonly RegistryConfig: {
    readonly IndexConfigs: Readonly<Record<string, RegistryIndexInfo>>;
    readonly InsecureRegistryCIDRs: readonly string[];
    readonly Mirrors: readonly string[] | null;
  };
  readonly NCPU: number;
  /** Bytes. */
  readonly MemTotal: number;
  readonly GenericResources: null;
  readonly DockerRootDir: string;
  readonly HttpProxy: string;
  readonly HttpsProxy: string;
  readonly NoProxy: string;
  readonly Name: string;
  readonly Labels: readonly string[];
  readonly ExperimentalBuild: boolean;
  readonly ServerVersion: string;
  readonly Runtimes: Readonly<Record<string, RuntimeInfo>>;
  readonly DefaultRuntime: string;
  readonly Swarm: {
    readonly NodeID: string;
    readonly NodeAddr: string;
    readonly LocalNodeState: string;
    readonly ControlAvailable: boolean;
    readonly Error: string;
    readonly RemoteManagers: null;
  };
  readonly LiveRestoreEnabled: boolean;
  readonly Isolation: string;
  readonly InitBinary: string;
  readonly ContainerdCommit: ComponentCommit;
  readonly RuncCommit: ComponentCommit;
  readonly InitCommit: ComponentCommit;
  /** `name=seccomp,profile=builtin` and so on. */
  readonly SecurityOptions: readonly string[];
  readonly DefaultAddressPools?: readonly { readonly Base: string; readonly Size: number }[];
  readonly FirewallBackend?: {
    readonly Driver: string;
    readonly Info?: readonly (readonly [string, string])[];
  };
  readonly CDISpecDirs: readonly string[];
  readonly Warnings: readonly string[] | null;
}

/** One record of the build cache in `GET /system/df`. */
export interface BuildCacheRecord {
  readonly ID: string;
  readonly Parents?: readonly string[];
  readonly Type: string;
  readonly Description: string;
  readonly InUse: boolean;
  readonly Shared: boolean;
  readonly Size: number;
  readonly CreatedAt: string;
  readonly LastUsedAt: string | null;
  readonly UsageCount: number;
  /** Skiff's own: why it is still there, for people. */
  readonly Reason?: string;
}

/** Answer of `GET /system/df`; kinds that were not asked for are `null`. Sizes are bytes. */
export interface DiskUsage {
  readonly LayersSize: number;
  readonly Images: readonly ImageSummary[] | null;
  readonly Containers: readonly ContainerSummary[] | null;
  readonly Volumes: readonly Volume[] | null;
  readonly BuildCache: readonly BuildCacheRecord[] | null;
  /** Before version 1.42: of the build cache. */
  readonly BuilderSize?: number;
}
