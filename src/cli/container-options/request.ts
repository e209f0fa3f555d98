import type { ContainerConfig, HostConfig, Resources, RestartPolicy } from '#/wire/containers.ts';
import type { ProxySettings } from '../config.ts';
import { parseDevices } from './devices.ts';
import type { ContainerFlags } from './flags.ts';
import { parseHealth } from './health.ts';
import { readPairFiles, toMap } from './key-values.ts';
import { type NetworkOptions, parseNetworks } from './networks.ts';
import { type PortOptions, parsePorts } from './ports.ts';
import { proxyVariables } from './proxies.ts';
import { parseSecurityOptions } from './security.ts';
import { isMacAddress } from './validators.ts';
import { parseVolumes, type VolumeOptions } from './volumes.ts';

/** What a create request is made of. */
export interface CreateInput {
  readonly flags: ContainerFlags;
  /** Long names of the flags that were given. */
  readonly given: ReadonlySet<string>;
  readonly image: string;
  readonly command: readonly string[];
  /** Proxies that containers are told of, by the daemon's address or "default". */
  readonly proxies: ProxySettings;
  readonly daemon: string;
}

/** A create request with all its parts. */
export interface FullCreateRequest extends ContainerConfig {
  readonly HostConfig: HostConfig;
  readonly NetworkingConfig: { readonly EndpointsConfig: NetworkOptions['endpoints'] };
}

/** The request that docker would send for these flags, field by field. Throws an Error in docker's words. */
export function createRequest(input: CreateInput): FullCreateRequest {
  const { flags } = input;
  if (flags['mac-address'] !== '' && !isMacAddress(flags['mac-address'])) {
    throw new Error(`${flags['mac-address']} is not a valid mac address`);
  }
  const swappiness = flags['memory-swappiness'];
  if (swappiness < -1 || swappiness > 100) {
    throw new Error(`invalid value: ${swappiness}. Valid memory swappiness range is 0-100`);
  }
  const volumes = parseVolumes(flags.volume);
  const ports = parsePorts(flags.publish, flags.expose);
  checkModes(flags);
  const networks = parseNetworks(flags);
  return {
    ...containerConfig(input, { volumes, ports }),
    HostConfig: hostConfig(input, { volumes, ports, networks }),
    NetworkingConfig: { EndpointsConfig: networks.endpoints },
  };
}

const orNull = <T>(items: readonly T[]): readonly T[] | null => (items.length === 0 ? null : items);
const hasAny = (object: object): boolean => Object.keys(object).length > 0;

function containerConfig(
  input: CreateInput,
  { volumes, ports }: { volumes: VolumeOptions; ports: PortOptions },
): ContainerConfig {
  const { flags, given, image, command } = input;
  const attach = new Set(flags.attach);
  const all = attach.size === 0;
  const stdin = attach.has('stdin') || flags.interactive;
  const health = parseHealth(flags);
  const env = [...readPairFiles(flags['env-file'], (name) => process.env[name]), ...withProxies(input)];
  const entrypoint = given.has('entrypoint') ? [flags.entrypoint] : null;
  return {
    Hostname: flags.hostname,
    Domainname: flags.domainname,
    User: flags.user,
    AttachStdin: stdin,
    AttachStdout: all || attach.has('stdout'),
    AttachStderr: all || attach.has('stderr'),
    ...(hasAny(ports.exposed) && { ExposedPorts: ports.exposed }),
    Tty: flags.tty,
    OpenStdin: flags.interactive,
    StdinOnce: flags.interactive && stdin,
    Env: orNull(env),
    Cmd: orNull(command),
    ...(health !== undefined && { Healthcheck: health }),
    Image: image,
    Volumes: volumes.anonymous,
    WorkingDir: flags.workdir,
    Entrypoint: entrypoint,
    OnBuild: null,
    Labels: toMap([...readPairFiles(flags['label-file']), ...flags.label]),
    ...(flags['stop-signal'] !== '' && { StopSignal: flags['stop-signal'] }),
    ...(given.has('stop-timeout') && { StopTimeout: flags['stop-timeout'] }),
  };
}

/** The variables of `--env`, the last one of a name counts, and the configured proxies that none of them sets. */
function withProxies({ flags, proxies, daemon }: CreateInput): string[] {
  const variables = new Map(flags.env.map((text) => [text.split('=')[0] ?? '', text] as const));
  for (const [name, value] of proxyVariables(proxies, daemon)) {
    if (!variables.has(name)) variables.set(name, `${name}=${value}`);
  }
  return [...variables.values()];
}

function checkModes({ pid, uts, userns, cgroupns }: ContainerFlags): void {
  const otherContainer = /^container:.+/.test(pid);
  if (!['', 'host'].includes(pid) && !otherContainer) throw new Error('--pid: invalid PID mode');
  if (!['', 'host'].includes(uts)) throw new Error('--uts: invalid UTS mode');
  if (!['', 'host'].includes(userns)) throw new Error('--userns: invalid USER mode');
  if (!['', 'host', 'private'].includes(cgroupns)) throw new Error('--cgroupns: invalid CGROUP mode');
}

function restartPolicy(text: string): RestartPolicy {
  if (text === '') return { Name: '', MaximumRetryCount: 0 };
  const [name = '', count = ''] = text.split(/:(.*)/s);
  if (name === '') throw new Error('invalid restart policy format: no policy provided before colon');
  if (count !== '' && !/^[+-]?\d{1,15}$/.test(count)) {
    throw new Error('invalid restart policy format: maximum retry count must be an integer');
  }
  return { Name: name, MaximumRetryCount: Number(count) };
}

function hostConfig(
  { flags, given }: CreateInput,
  { volumes, ports, networks }: { volumes: VolumeOptions; ports: PortOptions; networks: NetworkOptions },
): HostConfig {
  const restart = restartPolicy(flags.restart);
  if (flags['log-driver'] === 'none' && flags['log-opt'].length > 0) {
    throw new Error(`invalid logging opts for driver ${flags['log-driver']}`);
  }
  const security = parseSecurityOptions(flags['security-opt']);
  if (flags['storage-opt'].some((option) => !option.includes('='))) throw new Error('invalid storage option');
  const storage = toMap(flags['storage-opt']);
  const tmpfs = Object.fromEntries(
    flags.tmpfs.map((text) => [
      text.split(':')[0] ?? '',
      text.includes(':') ? text.slice(text.indexOf(':') + 1) : '',
    ]),
  );
  if (flags.rm && !['', 'no'].includes(restart.Name)) {
    throw new Error('conflicting options: cannot specify both --restart and --rm');
  }
  return {
    Binds: orNull(volumes.binds),
    ContainerIDFile: flags.cidfile,
    LogConfig: { Type: flags['log-driver'], Config: toMap(flags['log-opt']) },
    NetworkMode: networks.mode,
    PortBindings: ports.bindings,
    RestartPolicy: restart,
    AutoRemove: flags.rm,
    VolumeDriver: flags['volume-driver'],
    VolumesFrom: orNull(flags['volumes-from']),
    ConsoleSize: [0, 0],
    ...(hasAny(flags.annotation) && { Annotations: flags.annotation }),
    CapAdd: orNull(capabilities(flags['cap-add'])),
    CapDrop: orNull(capabilities(flags['cap-drop'])),
    CgroupnsMode: flags.cgroupns,
    Dns: flags.dns,
    DnsOptions: flags['dns-option'],
    DnsSearch: flags['dns-search'],
    ExtraHosts: orNull(flags['add-host']),
    GroupAdd: orNull(flags['group-add']),
    IpcMode: flags.ipc,
    Cgroup: '',
    Links: orNull(flags.link),
    OomScoreAdj: flags['oom-score-adj'],
    PidMode: flags.pid,
    Privileged: flags.privileged,
    PublishAllPorts: flags['publish-all'],
    ReadonlyRootfs: flags['read-only'],
    SecurityOpt: security.options,
    ...(hasAny(storage) && { StorageOpt: storage }),
    ...(hasAny(tmpfs) && { Tmpfs: tmpfs }),
    UTSMode: flags.uts,
    UsernsMode: flags.userns,
    ShmSize: flags['shm-size'],
    ...(hasAny(flags.sysctl) && { Sysctls: flags.sysctl }),
    ...(flags.runtime !== '' && { Runtime: flags.runtime }),
    Isolation: flags.isolation,
    ...resources(flags),
    ...(flags.mount.length > 0 && { Mounts: flags.mount }),
    MaskedPaths: security.maskedPaths,
    ReadonlyPaths: security.readonlyPaths,
    ...(given.has('init') && { Init: flags.init }),
  };
}

/** Each once, sorted, in the form `CAP_CHOWN`. */
function capabilities(names: readonly string[]): string[] {
  const complete = names
    .map((name) => name.toUpperCase())
    .map((name) => (name === 'ALL' || name.startsWith('CAP_') ? name : `CAP_${name}`));
  return [...new Set(complete)].sort();
}

function resources(flags: ContainerFlags): Resources {
  const devices = parseDevices(flags.device, flags.gpus);
  const byName = new Map(flags.ulimit.map((limit) => [limit.Name, limit] as const));
  return {
    CpuShares: flags['cpu-shares'],
    Memory: flags.memory,
    NanoCpus: flags.cpus,
    CgroupParent: flags['cgroup-parent'],
    BlkioWeight: flags['blkio-weight'],
    BlkioWeightDevice: flags['blkio-weight-device'],
    BlkioDeviceReadBps: flags['device-read-bps'],
    BlkioDeviceWriteBps: flags['device-write-bps'],
    BlkioDeviceReadIOps: flags['device-read-iops'],
    BlkioDeviceWriteIOps: flags['device-write-iops'],
    CpuPeriod: flags['cpu-period'],
    CpuQuota: flags['cpu-quota'],
    CpuRealtimePeriod: flags['cpu-rt-period'],
    CpuRealtimeRuntime: flags['cpu-rt-runtime'],
    CpusetCpus: flags['cpuset-cpus'],
    CpusetMems: flags['cpuset-mems'],
    Devices: devices.mappings,
    DeviceCgroupRules: orNull(flags['device-cgroup-rule']),
    DeviceRequests: devices.requests,
    MemoryReservation: flags['memory-reservation'],
    MemorySwap: flags['memory-swap'],
    MemorySwappiness: flags['memory-swappiness'],
    OomKillDisable: flags['oom-kill-disable'],
    PidsLimit: flags['pids-limit'],
    Ulimits: [...byName.values()].sort((a, b) => (a.Name < b.Name ? -1 : 1)),
    CpuCount: 0,
    CpuPercent: 0,
    IOMaximumIOps: 0,
    IOMaximumBandwidth: 0,
  };
}
