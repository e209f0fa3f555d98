import { readdirSync, readFileSync } from 'node:fs';
import { cpus, hostname, release, totalmem } from 'node:os';
import { nowText } from '#/base/time.ts';
import type { CgroupSupport } from '#/kernel/cgroup/support.ts';
import type { SystemInfo, SystemVersion } from '#/wire/system.ts';
import { apiVersion, minApiVersion } from '#/wire/version.ts';
import type { ContainerStore } from './containers/store.ts';
import type { Events } from './events.ts';
import { registryConfig } from './registry-config.ts';

/** What the daemon knows about itself and the machine when it starts. */
export interface SystemFacts {
  /** Stays the same over restarts. */
  readonly id: string;
  readonly skiffVersion: string;
  readonly dataRoot: string;
  readonly snapshotDriver: string;
  readonly backingFilesystem: string;
  readonly cgroupVersion: '1' | '2';
  readonly cgroups: CgroupSupport;
  /** Name to path. */
  readonly runtimes: Readonly<Record<string, string>>;
  readonly defaultRuntime: string;
  readonly runtimeVersion: string;
  readonly liveRestore: boolean;
  readonly initPath: string;
  readonly logDriver: string;
  readonly seccomp: boolean;
  readonly firewall: boolean;
  /** As they are configured here, with user and password taken out. */
  readonly proxies: { readonly http: string; readonly https: string; readonly no: string };
  /** What is known to be missing or unsafe here, in one line each. */
  readonly warnings: readonly string[];
}

/** What changes when the daemon's configuration is reloaded. */
export interface SystemSettings {
  readonly labels: readonly string[];
  readonly debug: boolean;
  readonly registryMirrors: readonly string[];
  readonly insecureRegistries: readonly string[];
}

/** `docker info` and `docker version`. */
export class System {
  readonly #facts: SystemFacts;
  readonly #settings: () => SystemSettings;
  readonly #containers: ContainerStore;
  readonly #images: { count(): number };
  readonly #events: Events;

  constructor({
    facts,
    settings,
    containers,
    images,
    events,
  }: {
    facts: SystemFacts;
    settings: () => SystemSettings;
    containers: ContainerStore;
    images: { count(): number };
    events: Events;
  }) {
    this.#facts = facts;
    this.#settings = settings;
    this.#containers = containers;
    this.#images = images;
    this.#events = events;
  }

  async version(): Promise<SystemVersion> {
    const { skiffVersion, runtimeVersion, defaultRuntime } = this.#facts;
    const common = {
      ApiVersion: apiVersion,
      MinAPIVersion: minApiVersion,
      GitCommit: '',
      GoVersion: `node${process.versions.node}`,
      Os: 'linux',
      Arch: goArch(),
      KernelVersion: release(),
      BuildTime: '',
    };
    return {
      Platform: { Name: 'Skiff' },
      Components: [
        { Name: 'Engine', Version: skiffVersion, Details: { ...common, Experimental: 'false' } },
        { Name: defaultRuntime, Version: runtimeVersion, Details: { GitCommit: '' } },
      ],
      Version: skiffVersion,
      ...common,
    };
  }

  async info(): Promise<SystemInfo> {
    const facts = this.#facts;
    const settings = this.#settings();
    const states = this.#containers.all().map(({ state }) => state.kind);
    const running = states.filter((kind) => kind === 'running' || kind === 'restarting').length;
    const paused = states.filter((kind) => kind === 'paused').length;
    const v1 = facts.cgroupVersion === '1';
    return {
      ID: facts.id,
      Containers: states.length,
      ContainersRunning: running,
      ContainersPaused: paused,
      ContainersStopped: states.length - running - paused,
      Images: this.#images.count(),
      Driver: facts.snapshotDriver,
      DriverStatus:
        facts.snapshotDriver === 'overlay2'
          ? [
              ['Backing Filesystem', facts.backingFilesystem],
              ['Supports d_type', 'true'],
              ['Using metacopy', 'false'],
              ['Native Overlay Diff', 'true'],
              ['userxattr', 'false'],
            ]
          : [],
      Plugins: {
        Volume: ['local'],
        Network: ['bridge', 'host', 'null'],
        Authorization: null,
        Log: ['json-file', 'local', 'none'],
      },
      MemoryLimit: facts.cgroups.memory,
      SwapLimit: facts.cgroups.swap,
      ...(v1 ? { KernelMemoryTCP: true } : {}),
      CpuCfsPeriod: facts.cgroups.cpu,
      CpuCfsQuota: facts.cgroups.cpu,
      CPUShares: facts.cgroups.cpu,
      CPUSet: facts.cgroups.cpuset,
      PidsLimit: facts.cgroups.pids,
      IPv4Forwarding: readTrimmed('/proc/sys/net/ipv4/ip_forward') === '1',
      Debug: settings.debug,
      NFd: readdirSync('/proc/self/fd').length,
      OomKillDisable: facts.cgroups.oomKillDisable,
      NGoroutines: 0,
      SystemTime: nowText(),
      LoggingDriver: facts.logDriver,
      CgroupDriver: 'cgroupfs',
      CgroupVersion: facts.cgroupVersion,
      NEventsListener: this.#events.listeners,
      KernelVersion: release(),
      OperatingSystem: osRelease('PRETTY_NAME'),
      OSVersion: osRelease('VERSION_ID'),
      OSType: 'linux',
      Architecture: unameArch(),
      IndexServerAddress: 'https://index.docker.io/v1/',
      RegistryConfig: registryConfig(settings),
      NCPU: cpus().length,
      MemTotal: totalmem(),
      GenericResources: null,
      DockerRootDir: facts.dataRoot,
      HttpProxy: facts.proxies.http,
      HttpsProxy: facts.proxies.https,
      NoProxy: facts.proxies.no,
      Name: hostname(),
      Labels: settings.labels,
      ExperimentalBuild: false,
      ServerVersion: facts.skiffVersion,
      Runtimes: Object.fromEntries(Object.entries(facts.runtimes).map(([name, path]) => [name, { path }])),
      DefaultRuntime: facts.defaultRuntime,
      Swarm: {
        NodeID: '',
        NodeAddr: '',
        LocalNodeState: 'inactive',
        ControlAvailable: false,
        Error: '',
        RemoteManagers: null,
      },
      LiveRestoreEnabled: facts.liveRestore,
      Isolation: '',
      InitBinary: facts.initPath,
      ContainerdCommit: { ID: '' },
      RuncCommit: { ID: facts.runtimeVersion },
      InitCommit: { ID: '' },
      SecurityOptions: [
        ...(facts.seccomp ? ['name=seccomp,profile=builtin'] : []),
        ...(v1 ? [] : ['name=cgroupns']),
      ],
      FirewallBackend: { Driver: facts.firewall ? 'nftables' : 'none' },
      CDISpecDirs: [],
      Warnings: facts.warnings.length === 0 ? null : facts.warnings,
    };
  }
}

function goArch(): string {
  return process.arch === 'x64' ? 'amd64' : process.arch;
}

function unameArch(): string {
  return process.arch === 'x64' ? 'x86_64' : process.arch === 'arm64' ? 'aarch64' : process.arch;
}

function readTrimmed(path: string): string {
  return readFileSync(path, 'utf8').trim();
}

function osRelease(key: string): string {
  const line = readTrimmed('/etc/os-release')
    .split('\n')
    .find((text) => text.startsWith(`${key}=`));
  return line?.slice(key.length + 1).replace(/^"(.*)"$/, '$1') ?? '';
}
