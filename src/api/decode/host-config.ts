import type {
  DeviceMapping,
  DeviceRequest,
  HostConfig,
  LogConfig,
  PortBinding,
  Resources,
  RestartPolicy,
  ThrottleDevice,
  Ulimit,
  WeightDevice,
} from '#/wire/containers.ts';
import {
  boolean,
  command,
  type Decoder,
  type Fields,
  int,
  int64,
  list,
  map,
  nullable,
  omitEmpty,
  optional,
  string,
  stringMap,
  strings,
  struct,
  uint16,
  uint32,
  uint64,
} from './json.ts';
import { mount } from './mounts.ts';

const throttleDevice: Decoder<ThrottleDevice> = struct('blkiodev.ThrottleDevice', {
  Path: string,
  Rate: uint64,
});
const throttles = list(throttleDevice, '[]*blkiodev.ThrottleDevice');
const weightDevice: Decoder<WeightDevice> = struct('blkiodev.WeightDevice', { Path: string, Weight: uint16 });
const device: Decoder<DeviceMapping> = struct('container.DeviceMapping', {
  PathOnHost: string,
  PathInContainer: string,
  CgroupPermissions: string,
});
const deviceRequest: Decoder<DeviceRequest> = struct('container.DeviceRequest', {
  Driver: string,
  Count: int,
  DeviceIDs: strings,
  Capabilities: list((value, path) => strings(value, path) ?? [], '[][]string'),
  Options: stringMap,
});
const ulimit: Decoder<Ulimit> = struct('units.Ulimit', { Name: string, Hard: int64, Soft: int64 });
/** Limits by name. */
export const ulimits: Decoder<readonly Ulimit[] | null> = list(ulimit, '[]*units.Ulimit');

const resourceFields: Fields<Resources> = {
  CpuShares: int64,
  Memory: int64,
  NanoCpus: int64,
  CgroupParent: string,
  BlkioWeight: uint16,
  BlkioWeightDevice: list(weightDevice, '[]*blkiodev.WeightDevice'),
  BlkioDeviceReadBps: throttles,
  BlkioDeviceWriteBps: throttles,
  BlkioDeviceReadIOps: throttles,
  BlkioDeviceWriteIOps: throttles,
  CpuPeriod: int64,
  CpuQuota: int64,
  CpuRealtimePeriod: int64,
  CpuRealtimeRuntime: int64,
  CpusetCpus: string,
  CpusetMems: string,
  Devices: list(device, '[]container.DeviceMapping'),
  DeviceCgroupRules: strings,
  DeviceRequests: list(deviceRequest, '[]container.DeviceRequest'),
  KernelMemoryTCP: omitEmpty(int64),
  MemoryReservation: int64,
  MemorySwap: int64,
  MemorySwappiness: nullable(int64),
  OomKillDisable: nullable(boolean),
  PidsLimit: nullable(int64),
  Ulimits: ulimits,
  CpuCount: int64,
  CpuPercent: int64,
  IOMaximumIOps: uint64,
  IOMaximumBandwidth: uint64,
};

const logConfig: Decoder<LogConfig> = struct('container.LogConfig', { Type: string, Config: stringMap });

/** When to start again. */
export const restartPolicy: Decoder<RestartPolicy> = struct('container.RestartPolicy', {
  Name: string,
  MaximumRetryCount: int,
});

const portBinding: Decoder<PortBinding> = struct('nat.PortBinding', { HostIp: string, HostPort: string });

/** Go's [2]uint: missing members are 0, more than two are ignored. */
export const consoleSize: Decoder<readonly [number, number]> = (value, path) => {
  const [height = 0, width = 0] = list(uint32, '[2]uint')(value, path) ?? [];
  return [height, width];
};

/** The limits that an update request changes; zero leaves one as it is. */
export const resources: Decoder<Resources> = struct('container.Resources', resourceFields);

/** How a container is to run on this host. */
export const hostConfig: Decoder<HostConfig> = struct('container.HostConfig', {
  Binds: strings,
  ContainerIDFile: string,
  LogConfig: logConfig,
  NetworkMode: string,
  PortBindings: map(list(portBinding, '[]nat.PortBinding'), 'nat.PortMap'),
  RestartPolicy: restartPolicy,
  AutoRemove: boolean,
  VolumeDriver: string,
  VolumesFrom: strings,
  ConsoleSize: consoleSize,
  Annotations: omitEmpty(stringMap),
  CapAdd: command,
  CapDrop: command,
  CgroupnsMode: string,
  Dns: strings,
  DnsOptions: strings,
  DnsSearch: strings,
  ExtraHosts: strings,
  GroupAdd: strings,
  IpcMode: string,
  Cgroup: string,
  Links: strings,
  OomScoreAdj: int,
  PidMode: string,
  Privileged: boolean,
  PublishAllPorts: boolean,
  ReadonlyRootfs: boolean,
  SecurityOpt: strings,
  StorageOpt: omitEmpty(stringMap),
  Tmpfs: omitEmpty(stringMap),
  UTSMode: string,
  UsernsMode: string,
  ShmSize: int64,
  Sysctls: omitEmpty(stringMap),
  Runtime: omitEmpty(string),
  Isolation: string,
  ...resourceFields,
  Mounts: omitEmpty(list(mount, '[]mount.Mount')),
  MaskedPaths: strings,
  ReadonlyPaths: strings,
  Init: optional(boolean),
});
