import type { Mount } from './mounts.ts';
import type { EndpointSettings } from './networks.ts';

/** A set as Go writes it: the members are the keys, the values are empty objects. */
export type GoSet = Readonly<Record<string, Readonly<Record<string, never>>>>;

/** A string-to-string map; `null` is Go's nil map. */
export type StringMap = Readonly<Record<string, string>>;

/** How to find out whether a container is well. Times are nanoseconds, 0 means the default. */
export interface HealthConfig {
  /** `["NONE"]`, `["CMD", …]` or `["CMD-SHELL", command]`; absent inherits the image's. */
  readonly Test?: readonly string[];
  readonly Interval?: number;
  readonly Timeout?: number;
  readonly StartPeriod?: number;
  readonly StartInterval?: number;
  readonly Retries?: number;
}

/** What runs in a container: the portable half of a create request. Optional fields are absent when zero. */
export interface ContainerConfig {
  readonly Hostname: string;
  readonly Domainname: string;
  readonly User: string;
  readonly AttachStdin: boolean;
  readonly AttachStdout: boolean;
  readonly AttachStderr: boolean;
  /** Keys are `port/protocol`. */
  readonly ExposedPorts?: GoSet;
  readonly Tty: boolean;
  readonly OpenStdin: boolean;
  readonly StdinOnce: boolean;
  readonly Env: readonly string[] | null;
  readonly Cmd: readonly string[] | null;
  readonly Healthcheck?: HealthConfig;
  readonly ArgsEscaped?: boolean;
  readonly Image: string;
  readonly Volumes: GoSet | null;
  readonly WorkingDir: string;
  readonly Entrypoint: readonly string[] | null;
  readonly NetworkDisabled?: boolean;
  /** Deprecated since 1.44 in favour of the endpoint's. */
  readonly MacAddress?: string;
  readonly OnBuild: readonly string[] | null;
  readonly Labels: StringMap | null;
  readonly StopSignal?: string;
  /** Seconds; -1 waits for ever. */
  readonly StopTimeout?: number;
  readonly Shell?: readonly string[];
}

/** Where the output of a container goes. */
export interface LogConfig {
  readonly Type: string;
  readonly Config: StringMap | null;
}

/** When a container is started again by itself: "", "no", "always", "unless-stopped" or "on-failure". */
export interface RestartPolicy {
  readonly Name: string;
  /** Only for "on-failure"; 0 is without end. */
  readonly MaximumRetryCount: number;
}

/** A place on the host where a container's port is published. Empty strings mean any address, a random port. */
export interface PortBinding {
  readonly HostIp: string;
  readonly HostPort: string;
}

/** Published ports by `port/protocol`; `null` for a port that is only exposed. */
export type PortMap = Readonly<Record<string, readonly PortBinding[] | null>>;

/** The share of block I/O for one device, 10 to 1000. */
export interface WeightDevice {
  readonly Path: string;
  readonly Weight: number;
}

/** A limit for one device, in bytes or operations per second. */
export interface ThrottleDevice {
  readonly Path: string;
  readonly Rate: number;
}

/** A device of the host inside a container. */
export interface DeviceMapping {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  /** Some of "rwm". */
  readonly CgroupPermissions: string;
}

/** Devices asked for by what they can do, for example GPUs. */
export interface DeviceRequest {
  readonly Driver: string;
  readonly Count: number;
  readonly DeviceIDs: readonly string[] | null;
  /** An OR list of AND lists. */
  readonly Capabilities: readonly (readonly string[])[] | null;
  readonly Options: StringMap | null;
}

/** A resource limit of the processes, `nofile` and so on; -1 is unlimited. */
export interface Ulimit {
  readonly Name: string;
  readonly Hard: number;
  readonly Soft: number;
}

/** Limits; what `POST /containers/{id}/update` can change. Zero means no limit. */
export interface Resources {
  readonly CpuShares: number;
  /** Bytes. */
  readonly Memory: number;
  /** Billionths of a CPU. */
  readonly NanoCpus: number;
  readonly CgroupParent: string;
  readonly BlkioWeight: number;
  readonly BlkioWeightDevice: readonly WeightDevice[] | null;
  readonly BlkioDeviceReadBps: readonly ThrottleDevice[] | null;
  readonly BlkioDeviceWriteBps: readonly ThrottleDevice[] | null;
  readonly BlkioDeviceReadIOps: readonly ThrottleDevice[] | null;
  readonly BlkioDeviceWriteIOps: readonly ThrottleDevice[] | null;
  /** Microseconds, as are the other three. */
  readonly CpuPeriod: number;
  readonly CpuQuota: number;
  readonly CpuRealtimePeriod: number;
  readonly CpuRealtimeRuntime: number;
  readonly CpusetCpus: string;
  readonly CpusetMems: string;
  readonly Devices: readonly DeviceMapping[] | null;
  readonly DeviceCgroupRules: readonly string[] | null;
  readonly DeviceRequests: readonly DeviceRequest[] | null;
  /** Deprecated. */
  readonly KernelMemoryTCP?: number;
  /** Bytes. */
  readonly MemoryReservation: number;
  /** Memory and swap together, bytes; -1 is unlimited swap. */
  readonly MemorySwap: number;
  /** 0 to 100; `null` leaves the kernel's default. */
  readonly MemorySwappiness: number | null;
  readonly OomKillDisable: boolean | null;
  /** 0 or -1 is unlimited. */
  readonly PidsLimit: number | null;
  readonly Ulimits: readonly Ulimit[] | null;
  /** Windows only, as are the next three. */
  readonly CpuCount: number;
  readonly CpuPercent: number;
  readonly IOMaximumIOps: number;
  readonly IOMaximumBandwidth: number;
}

/** How a container runs on this host: the other half of a create request. Optional fields are absent when zero. */
export interface HostConfig extends Resources {
  /** `source:destination[:options]`. */
  readonly Binds: readonly string[] | null;
  readonly ContainerIDFile: string;
  readonly LogConfig: LogConfig;
  readonly NetworkMode: string;
  readonly PortBindings: PortMap | null;
  readonly RestartPolicy: RestartPolicy;
  readonly AutoRemove: boolean;
  readonly VolumeDriver: string;
  readonly VolumesFrom: readonly string[] | null;
  /** Height and width of the first terminal. */
  readonly ConsoleSize: readonly [number, number];
  readonly Annotations?: StringMap;
  readonly CapAdd: readonly string[] | null;
  readonly CapDrop: readonly string[] | null;
  readonly CgroupnsMode: string;
  readonly Dns: readonly string[] | null;
  readonly DnsOptions: readonly string[] | null;
  readonly DnsSearch: readonly string[] | null;
  /** `host:address`. */
  readonly ExtraHosts: readonly string[] | null;
  readonly GroupAdd: readonly string[] | null;
  readonly IpcMode: string;
  readonly Cgroup: string;
  readonly Links: readonly string[] | null;
  readonly OomScoreAdj: number;
  readonly PidMode: string;
  readonly Privileged: boolean;
  readonly PublishAllPorts: boolean;
  readonly ReadonlyRootfs: boolean;
  readonly SecurityOpt: readonly string[] | null;
  readonly StorageOpt?: StringMap;
  /** Options by destination. */
  readonly Tmpfs?: StringMap;
  readonly UTSMode: string;
  readonly UsernsMode: string;
  /** Bytes of /dev/shm. */
  readonly ShmSize: number;
  readonly Sysctls?: StringMap;
  readonly Runtime?: string;
  readonly Isolation: string;
  readonly Mounts?: readonly Mount[];
  /** `null` asks for the default list. */
  readonly MaskedPaths: readonly string[] | null;
  readonly ReadonlyPaths: readonly string[] | null;
  readonly Init?: boolean;
}

/** Which networks a new container joins, by network name. */
export interface NetworkingConfig {
  readonly EndpointsConfig: Readonly<Record<string, EndpointSettings | null>> | null;
}

/** Body of `POST /containers/create`; what a client leaves out is zero. */
export interface ContainerCreateRequest extends Partial<ContainerConfig> {
  readonly HostConfig?: Partial<HostConfig>;
  readonly NetworkingConfig?: {
    readonly EndpointsConfig?: Readonly<Record<string, Partial<EndpointSettings> | null>> | null;
  };
}

/** Answer of `POST /containers/create`. */
export interface ContainerCreateResponse {
  readonly Id: string;
  readonly Warnings: readonly string[];
}

/** Answer of `POST /containers/{id}/update`. */
export interface ContainerUpdateResponse {
  readonly Warnings: readonly string[] | null;
}

/** Answer of `POST /containers/{id}/wait`. */
export interface ContainerWaitResponse {
  readonly StatusCode: number;
  readonly Error?: { readonly Message: string };
}

/** Answer of `GET /containers/{id}/top`: one row for each process, as ps prints it. */
export interface ContainerTopResponse {
  readonly Processes: readonly (readonly string[])[];
  readonly Titles: readonly string[];
}

/** One line of `GET /containers/{id}/changes`: 0 changed, 1 added, 2 deleted. */
export interface FilesystemChange {
  readonly Path: string;
  readonly Kind: 0 | 1 | 2;
}

/** Answer of `POST /containers/prune`. */
export interface ContainersPruneResponse {
  readonly ContainersDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
