import { internal, invalid } from '#/base/errors.ts';
import { resolveCapabilities } from '#/runtime/spec/capabilities.ts';
import { blockDevice, hostDevices, lookUpDevice, parseDeviceRule } from '#/runtime/spec/devices.ts';
import type { HostFacts } from '#/runtime/spec/host.ts';
import type {
  BlockDeviceLimit,
  MountInput,
  NamespacesInput,
  ProcessInput,
  ResourcesInput,
  ShmInput,
  SpecInput,
  UserInput,
} from '#/runtime/spec/input.ts';
import { defaultNetworkSysctls } from '#/runtime/spec/sysctls.ts';
import type { HostConfig, Resources, ThrottleDevice } from '#/wire/containers.ts';
import type { Mount } from '#/wire/mounts.ts';
import type { ContainerRecord } from './model.ts';
import { parseSecurityOptions, seccompInput } from './security.ts';

/** What a start has found out or made before it can describe the container to the runtime. */
export interface Prepared {
  readonly rootfs: string;
  readonly user: UserInput;
  readonly namespaces: NamespacesInput;
  readonly shm: ShmInput;
  /** Volumes, binds, and the files that Skiff puts into /etc. */
  readonly binds: readonly MountInput[];
  readonly hostname: string;
  /** Empty: none. */
  readonly domainname: string;
  /** Path of the init program on the host, if the container wants one. */
  readonly init: string | undefined;
  readonly cgroupsPath: string;
  readonly host: HostFacts;
}

/** Describes a container to the runtime layer, which knows nothing of Docker's HostConfig. */
export function specInput(record: ContainerRecord, prepared: Prepared): SpecInput {
  const { hostConfig } = record.spec;
  const security = parseSecurityOptions(hostConfig.SecurityOpt ?? []);
  const devices = hostConfig.Privileged ? { nodes: hostDevices(), rules: [] } : requestedDevices(hostConfig);
  return {
    rootfs: prepared.rootfs,
    readonlyRootfs: hostConfig.ReadonlyRootfs,
    process: processInput(record, prepared),
    hostname: prepared.namespaces.uts === 'host' ? undefined : prepared.hostname,
    domainname: prepared.domainname === '' ? undefined : prepared.domainname,
    namespaces: prepared.namespaces,
    mounts: [...prepared.binds, ...tmpfsMounts(hostConfig)],
    shm: prepared.shm,
    privileged: hostConfig.Privileged,
    writableCgroups: security.writableCgroups,
    devices: devices.nodes,
    deviceRules: [...devices.rules, ...(hostConfig.DeviceCgroupRules ?? []).map(deviceRule)],
    resources: resourcesInput(hostConfig),
    sysctls: { ...(ownNetwork(hostConfig) ? defaultNetworkSysctls : {}), ...hostConfig.Sysctls },
    seccomp: seccompInput(security),
    maskedPaths: security.unconfinedPaths ? [] : (hostConfig.MaskedPaths ?? undefined),
    readonlyPaths: security.unconfinedPaths ? [] : (hostConfig.ReadonlyPaths ?? undefined),
    init: prepared.init,
    cgroupsPath: prepared.cgroupsPath,
    annotations: hostConfig.Annotations,
  };
}

function processInput({ spec }: ContainerRecord, { user, host, hostname }: Prepared): ProcessInput {
  const { config, hostConfig } = spec;
  const [height, width] = hostConfig.ConsoleSize;
  return {
    args: [spec.path, ...spec.args],
    env: withDefaults(config.Env ?? [], { hostname, terminal: config.Tty }),
    cwd: config.WorkingDir === '' ? '/' : config.WorkingDir,
    terminal: config.Tty,
    consoleSize: height > 0 && width > 0 ? { height, width } : undefined,
    user,
    capabilities: capabilitiesOf(hostConfig, host),
    noNewPrivileges: parseSecurityOptions(hostConfig.SecurityOpt ?? []).noNewPrivileges,
    rlimits: (hostConfig.Ulimits ?? []).map(({ Name, Soft, Hard }) => ({
      name: Name,
      soft: Soft,
      hard: Hard,
    })),
    oomScoreAdj: hostConfig.OomScoreAdj,
  };
}

/** Its network namespace is neither the host's nor another container's. */
function ownNetwork({ NetworkMode: mode }: HostConfig): boolean {
  return mode !== 'host' && !mode.startsWith('container:');
}

/** The capabilities that a container's processes get. */
export function capabilitiesOf(hostConfig: HostConfig, host: HostFacts): readonly string[] {
  const { Privileged: privileged, CapAdd: add, CapDrop: drop } = hostConfig;
  return resolveCapabilities({ privileged, add: add ?? [], drop: drop ?? [] }, host.capabilities);
}

/** Docker's own variables come first; a variable of the config with the same name replaces them. `NAME` alone removes one. */
export function withDefaults(
  env: readonly string[],
  { hostname, terminal }: { hostname: string; terminal: boolean },
): string[] {
  const merged = new Map<string, string>([
    ['PATH', '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'],
    ['HOSTNAME', hostname],
    ...(terminal ? [['TERM', 'xterm'] as const] : []),
  ]);
  for (const entry of env) {
    const at = entry.indexOf('=');
    if (at < 0) merged.delete(entry);
    else merged.set(entry.slice(0, at), entry.slice(at + 1));
  }
  return [...merged].map(([name, value]) => `${name}=${value}`);
}

function requestedDevices(hostConfig: HostConfig): {
  nodes: SpecInput['devices'];
  rules: SpecInput['deviceRules'];
} {
  const found = (hostConfig.Devices ?? []).map((device) =>
    lookUpDevice({
      hostPath: device.PathOnHost,
      containerPath: device.PathInContainer === '' ? device.PathOnHost : device.PathInContainer,
      access: device.CgroupPermissions === '' ? 'rwm' : device.CgroupPermissions,
    }),
  );
  return { nodes: found.flatMap(({ nodes }) => nodes), rules: found.flatMap(({ rules }) => rules) };
}

function deviceRule(text: string): SpecInput['deviceRules'][number] {
  try {
    return parseDeviceRule(text);
  } catch (error) {
    throw internal(`invalid device cgroup rule format: '${text}'`, error);
  }
}

function tmpfsMounts(hostConfig: HostConfig): MountInput[] {
  const short = Object.entries(hostConfig.Tmpfs ?? {}).map(
    ([target, options]): MountInput => ({
      kind: 'tmpfs',
      target,
      options: checkTmpfs(options.split(',').filter((word) => word !== '')),
    }),
  );
  const long = (hostConfig.Mounts ?? []).filter((mount) => mount.Type === 'tmpfs').map(tmpfsMount);
  return [...short, ...long];
}

function tmpfsMount({
  Target: target = '',
  ReadOnly: readOnly = false,
  TmpfsOptions: options,
}: Mount): MountInput {
  const words = (options?.Options ?? []).map((pair) => pair.join('='));
  if (options?.SizeBytes !== undefined && options.SizeBytes > 0) words.push(`size=${options.SizeBytes}`);
  if (options?.Mode !== undefined && options.Mode > 0) words.push(`mode=${options.Mode.toString(8)}`);
  if (readOnly) words.push('ro');
  return { kind: 'tmpfs', target, options: checkTmpfs(words) };
}

const tmpfsWords: ReadonlySet<string> = new Set([
  'ro',
  'rw',
  'exec',
  'noexec',
  'suid',
  'nosuid',
  'dev',
  'nodev',
  'sync',
  'async',
  'atime',
  'noatime',
  'diratime',
  'nodiratime',
  'relatime',
  'norelatime',
  'strictatime',
  'nostrictatime',
  'remount',
  'bind',
  'rbind',
  'private',
  'rprivate',
  'shared',
  'rshared',
  'slave',
  'rslave',
  'unbindable',
  'runbindable',
  'defaults',
  'mand',
  'nomand',
  'dirsync',
]);
const tmpfsKeys: ReadonlySet<string> = new Set([
  'size',
  'mode',
  'uid',
  'gid',
  'nr_inodes',
  'nr_blocks',
  'mpol',
]);

function checkTmpfs(words: readonly string[]): readonly string[] {
  for (const word of words) {
    const key = word.split('=', 1)[0] ?? '';
    if (word.includes('=') ? !tmpfsKeys.has(key) : !tmpfsWords.has(word))
      throw internal(`invalid tmpfs option "${key}"`);
  }
  return words;
}

/** The limits of a container as the runtime layer takes them; also for a change while it runs. */
export function resourcesInput(resources: Resources): ResourcesInput {
  return {
    memory: resources.Memory,
    memoryReservation: resources.MemoryReservation,
    memorySwap: resources.MemorySwap,
    memorySwappiness: resources.MemorySwappiness ?? undefined,
    kernelMemoryTcp: resources.KernelMemoryTCP,
    oomKillDisable: resources.OomKillDisable ?? undefined,
    nanoCpus: resources.NanoCpus,
    cpuShares: resources.CpuShares,
    cpuQuota: resources.CpuQuota,
    cpuPeriod: resources.CpuPeriod,
    cpuRealtimeRuntime: resources.CpuRealtimeRuntime,
    cpuRealtimePeriod: resources.CpuRealtimePeriod,
    cpusetCpus: resources.CpusetCpus,
    cpusetMems: resources.CpusetMems,
    pidsLimit: resources.PidsLimit ?? undefined,
    blkioWeight: resources.BlkioWeight,
    blkioWeightDevice: (resources.BlkioWeightDevice ?? []).map(({ Path, Weight }) => ({
      ...blockDevice(Path),
      value: Weight,
    })),
    blkioReadBps: throttles(resources.BlkioDeviceReadBps),
    blkioWriteBps: throttles(resources.BlkioDeviceWriteBps),
    blkioReadIops: throttles(resources.BlkioDeviceReadIOps),
    blkioWriteIops: throttles(resources.BlkioDeviceWriteIOps),
  };
}

function throttles(devices: readonly ThrottleDevice[] | null): BlockDeviceLimit[] {
  return (devices ?? []).map(({ Path, Rate }) => {
    if (Rate < 0) throw invalid(`invalid rate ${Rate} for device "${Path}"`);
    return { ...blockDevice(Path), value: Rate };
  });
}
