import { binarySize } from '#/base/units.ts';
import type { SystemInfo } from '#/wire/system.ts';

type Line = readonly [indent: number, label: string, value: string | number | boolean | undefined];

/** The daemon's half of `info`, for people. */
export function describeInfo(info: SystemInfo): string {
  const lines = [
    ...counts(info),
    ...storage(info),
    ...plugins(info),
    ...runtimes(info),
    ...host(info),
    ...settings(info),
  ];
  return `${lines.map(text).join('')}\n`;
}

function text([indent, label, value]: Line): string {
  const start = ' '.repeat(indent) + label;
  return value === undefined ? `${start}\n` : `${start}: ${value}\n`;
}

/** A line that is left out without a value. */
const optional = (indent: number, label: string, value: string): Line[] =>
  value === '' ? [] : [[indent, label, value]];

function counts(info: SystemInfo): Line[] {
  return [
    [1, 'Containers', info.Containers],
    [2, 'Running', info.ContainersRunning],
    [2, 'Paused', info.ContainersPaused],
    [2, 'Stopped', info.ContainersStopped],
    [1, 'Images', info.Images],
    ...optional(1, 'Server Version', info.ServerVersion),
  ];
}

function storage(info: SystemInfo): Line[] {
  return [
    ...optional(1, 'Storage Driver', info.Driver),
    ...(info.DriverStatus ?? []).map(([name, value]): Line => [2, name, value]),
    ...optional(1, 'Logging Driver', info.LoggingDriver),
    ...optional(1, 'Cgroup Driver', info.CgroupDriver),
    ...optional(1, 'Cgroup Version', info.CgroupVersion),
  ];
}

function plugins({ Plugins, CDISpecDirs, Swarm }: SystemInfo): Line[] {
  const authorization = Plugins.Authorization ?? [];
  const folders = CDISpecDirs ?? [];
  return [
    [1, 'Plugins:', undefined],
    [2, 'Volume', (Plugins.Volume ?? []).join(' ')],
    [2, 'Network', (Plugins.Network ?? []).join(' ')],
    ...(authorization.length === 0 ? [] : [[2, 'Authorization', authorization.join(' ')] as const]),
    [2, 'Log', (Plugins.Log ?? []).join(' ')],
    ...(folders.length === 0 ? [] : [[1, 'CDI spec directories:', undefined] as const]),
    ...folders.map((folder): Line => [2, folder, undefined]),
    [1, 'Swarm', Swarm.LocalNodeState],
  ];
}

function runtimes(info: SystemInfo): Line[] {
  const names = Object.keys(info.Runtimes ?? {});
  const linux: Line[] = [
    [1, 'Init Binary', info.InitBinary],
    [1, 'containerd version', info.ContainerdCommit.ID],
    [1, 'runc version', info.RuncCommit.ID],
    [1, 'init version', info.InitCommit.ID],
    ...security(info.SecurityOptions ?? []),
  ];
  return [
    ...(names.length === 0
      ? []
      : ([
          [1, 'Runtimes', names.join(' ')],
          [1, 'Default Runtime', info.DefaultRuntime],
        ] as const)),
    ...(info.OSType === 'linux' ? linux : []),
  ];
}

/** Each option is `name=seccomp,profile=builtin`. */
function security(options: readonly string[]): Line[] {
  if (options.length === 0) return [];
  return [
    [1, 'Security Options:', undefined],
    ...options.flatMap((option): Line[] => {
      const pairs = new Map(option.split(',').map((pair) => pair.split('=', 2) as [string, string]));
      const profile = pairs.get('profile');
      return [
        [2, pairs.get('name') ?? option, undefined],
        ...(profile === undefined ? [] : [[3, 'Profile', profile] as const]),
      ];
    }),
  ];
}

function host(info: SystemInfo): Line[] {
  return [
    ...optional(1, 'Kernel Version', info.KernelVersion),
    ...optional(1, 'Operating System', info.OperatingSystem),
    ...optional(1, 'OSType', info.OSType),
    ...optional(1, 'Architecture', info.Architecture),
    [1, 'CPUs', info.NCPU],
    [1, 'Total Memory', binarySize(info.MemTotal)],
    ...optional(1, 'Name', info.Name),
    ...optional(1, 'ID', info.ID),
    [1, 'Docker Root Dir', info.DockerRootDir],
    [1, 'Debug Mode', info.Debug],
    ...(info.Debug
      ? ([
          [2, 'File Descriptors', info.NFd],
          [2, 'Goroutines', info.NGoroutines],
          [2, 'System Time', info.SystemTime],
          [2, 'EventsListeners', info.NEventsListener],
        ] as const)
      : []),
  ];
}

function settings(info: SystemInfo): Line[] {
  const labels = info.Labels ?? [];
  const pools = info.DefaultAddressPools ?? [];
  return [
    ...optional(1, 'HTTP Proxy', info.HttpProxy),
    ...optional(1, 'HTTPS Proxy', info.HttpsProxy),
    ...optional(1, 'No Proxy', info.NoProxy),
    ...(labels.length === 0 ? [] : [[1, 'Labels:', undefined] as const]),
    ...labels.map((label): Line => [2, label, undefined]),
    [1, 'Experimental', info.ExperimentalBuild],
    ...registries(info),
    [1, 'Live Restore Enabled', info.LiveRestoreEnabled],
    ...(pools.length === 0 ? [] : [[1, 'Default Address Pools:', undefined] as const]),
    ...pools.map(({ Base, Size }): Line => [3, `Base: ${Base}, Size: ${Size}`, undefined]),
  ];
}

function registries({ RegistryConfig }: SystemInfo): Line[] {
  const indexes = Object.values(RegistryConfig?.IndexConfigs ?? {});
  const ranges = RegistryConfig?.InsecureRegistryCIDRs ?? [];
  const mirrors = RegistryConfig?.Mirrors ?? [];
  const names = [...indexes.filter(({ Secure }) => !Secure).map(({ Name }) => Name), ...ranges];
  return [
    ...(indexes.length + ranges.length === 0 ? [] : [[1, 'Insecure Registries:', undefined] as const]),
    ...names.map((name): Line => [2, name, undefined]),
    ...(mirrors.length === 0 ? [] : [[1, 'Registry Mirrors:', undefined] as const]),
    ...mirrors.map((mirror): Line => [2, mirror, undefined]),
  ];
}
