import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { internal, invalid } from '#/base/errors.ts';
import type { Logger } from '#/base/log.ts';
import { skiffVersion } from '#/base/version.ts';
import { makeBaseLayer } from '#/engine/containers/base-layer.ts';
import type { HostDefaults } from '#/engine/containers/defaults.ts';
import { checkLogConfig } from '#/engine/containers/log-config.ts';
import type { Runtime } from '#/engine/containers/parts.ts';
import type { SystemFacts } from '#/engine/system.ts';
import { type CgroupLayout, detectCgroups, mountLeftoverControllers } from '#/kernel/cgroup/layout.ts';
import { parseCidr } from '#/network/address.ts';
import { defaultNetworkSettings, type NetworkSettings } from '#/network/settings.ts';
import type { Children } from '#/runtime/children.ts';
import { Monitor } from '#/runtime/conmon.ts';
import { OciRuntime } from '#/runtime/crun.ts';
import type { HostFacts } from '#/runtime/spec/host.ts';
import type { Database } from '#/state/db.ts';
import { openSnapshotter } from '#/storage/snapshots/open-snapshotter.ts';
import type { Snapshotter } from '#/storage/snapshots/snapshotter.ts';
import type { Config } from './options.ts';
import { shownProxies } from './registry-settings.ts';

const conmonPath = '/usr/bin/conmon';
/** Runtimes that need no configuration: Debian's. */
const knownRuntimes: Readonly<Record<string, string>> = { crun: '/usr/bin/crun', runc: '/usr/sbin/runc' };
/** Static init programs that Debian has; the first found is used. */
const initPaths: readonly string[] = ['/usr/bin/catatonit', '/usr/bin/tini-static'];
const overlayMagic = 0x794c7630;

/** Directories below the daemon's two roots. */
export interface Directories {
  readonly containers: string;
  readonly runs: string;
  readonly exits: string;
  readonly shm: string;
  readonly runtimes: string;
  readonly sockets: string;
  /** Of steps of builds that run. */
  readonly steps: string;
}

/** Makes the directories that nobody but the daemon looks into. */
export function makeDirectories({ dataRoot, execRoot }: Config): Directories {
  const dirs: Directories = {
    containers: join(dataRoot, 'containers'),
    runs: join(execRoot, 'containers'),
    exits: join(execRoot, 'exits'),
    shm: join(execRoot, 'shm'),
    runtimes: join(execRoot, 'runtimes'),
    sockets: join(execRoot, 'sockets'),
    steps: join(execRoot, 'builds'),
  };
  for (const path of Object.values(dirs)) mkdirSync(path, { recursive: true, mode: 0o700 });
  return dirs;
}

/** The directories that hold nothing but what belongs to this boot of the machine. */
export function kernelStateIn({ execRoot }: Pick<Config, 'execRoot'>): string[] {
  return ['builds', 'containers', 'exits', 'netns', 'runtimes', 'shm', 'sockets'].map((name) =>
    join(execRoot, name),
  );
}

/** Looks at the control groups, and makes them what OCI runtimes can work with. */
export function prepareCgroups(): CgroupLayout {
  // They stay for as long as containers may run, which is longer than this process; `teardown` takes them away.
  mountLeftoverControllers(detectCgroups());
  return detectCgroups();
}

/** The snapshotter that is configured, or the best that works on the data root's file system. */
export async function openSnapshots(config: Config, db: Database, log: Logger): Promise<Snapshotter> {
  const driver = config.storageDriver === '' ? {} : { driver: config.storageDriver };
  const root = join(config.dataRoot, 'snapshots');
  const base = join(root, 'base');
  makeBaseLayer(base);
  const snapshots = await openSnapshotter({ root, db, base, ...driver });
  if (snapshots.driver === 'vfs')
    log.warn('using the storage driver vfs: each container gets a copy of its whole image');
  return snapshots;
}

/** Opens the runtimes that exist here, each with its monitor. Throws if the default one is not among them. */
export async function openRuntimes(
  config: Config,
  dirs: Directories,
  { stack, children }: { stack: AsyncDisposableStack; children: Children },
): Promise<Map<string, Runtime>> {
  const runtimes = new Map<string, Runtime>();
  for (const [name, path] of Object.entries({ ...knownRuntimes, ...config.runtimes })) {
    if (!existsSync(path)) {
      if (Object.hasOwn(config.runtimes, name)) throw invalid(`runtime "${name}": no such program: ${path}`);
      continue;
    }
    const root = join(dirs.runtimes, name);
    mkdirSync(root, { recursive: true, mode: 0o700 });
    const oci = stack.use(
      await OciRuntime.open({ path, root, sealed: join(dirs.runtimes, `${name}.sealed`) }),
    );
    const monitor = new Monitor({
      path: conmonPath,
      runtime: oci,
      exitDir: dirs.exits,
      tmpDir: dirs.sockets,
      children,
    });
    runtimes.set(name, { oci, monitor });
  }
  if (!existsSync(conmonPath)) throw internal(`${conmonPath} is missing: install the package conmon`);
  if (!runtimes.has(config.defaultRuntime)) {
    throw invalid(
      `default runtime "${config.defaultRuntime}" is not available: install it or name another with --default-runtime (here are: ${[...runtimes.keys()].join(', ') || 'none'})`,
    );
  }
  return runtimes;
}

/** The network's part of the configuration. */
export function networkSettings(config: Config): NetworkSettings {
  const pools = config.defaultAddressPools.map(({ base, size }) => {
    const subnet = parseCidr(base)?.subnet;
    if (subnet === undefined) throw invalid(`default-address-pools: invalid base "${base}"`);
    return { base: subnet, size };
  });
  return {
    ...defaultNetworkSettings,
    bip: config.bip === '' ? undefined : config.bip,
    mtu: config.mtu,
    icc: config.icc,
    masquerade: config.ipMasq,
    hostIp: config.ip,
    pools: pools.length === 0 ? defaultNetworkSettings.pools : pools,
    forwarding: config.ipForward,
    firewall: config.iptables,
  };
}

/** What create requests get where they say nothing. */
export function hostDefaults(config: Config, cgroups: CgroupLayout): HostDefaults {
  checkLogConfig({ Type: config.logDriver, Config: config.logOpts });
  const cgroupns =
    config.defaultCgroupnsMode === ''
      ? cgroups.mode === 'v2'
        ? 'private'
        : 'host'
      : config.defaultCgroupnsMode;
  return {
    runtime: config.defaultRuntime,
    cgroupns,
    shmSize: config.defaultShmSize,
    ipcMode: config.defaultIpcMode,
    logType: config.logDriver,
    logOptions: config.logOpts,
    init: config.init,
    ulimits: config.defaultUlimits,
    noNewPrivileges: config.noNewPrivileges,
  };
}

/** The program that becomes PID 1 with `--init`; empty if there is none. */
export function initPathOf({ initPath }: Config): string {
  if (initPath !== '') return initPath;
  return initPaths.find((path) => existsSync(path)) ?? '';
}

/** What `docker info` tells about this daemon. */
export function systemFacts(
  config: Config,
  {
    runtimes,
    cgroups,
    host,
    snapshots,
  }: {
    runtimes: ReadonlyMap<string, Runtime>;
    cgroups: CgroupLayout;
    host: HostFacts;
    snapshots: Snapshotter;
  },
): SystemFacts {
  const runtime = runtimes.get(config.defaultRuntime)?.oci;
  return {
    id: identity(config.dataRoot),
    skiffVersion,
    dataRoot: config.dataRoot,
    snapshotDriver: snapshots.driver,
    backingFilesystem: fileSystemName(config.dataRoot),
    cgroupVersion: cgroups.mode === 'v2' ? '2' : '1',
    cgroups: host.cgroupSupport,
    runtimes: Object.fromEntries([...runtimes].map(([name, { oci }]) => [name, oci.path])),
    defaultRuntime: config.defaultRuntime,
    runtimeVersion: runtime?.version.replace(/^\S+ version /, '') ?? '',
    liveRestore: config.liveRestore,
    initPath: initPathOf(config),
    logDriver: config.logDriver,
    seccomp: (host.configuredSeccomp ?? host.seccomp) !== undefined,
    firewall: config.iptables,
    proxies: shownProxies(config),
    warnings: [
      ...(host.seccomp === undefined
        ? ['WARNING: no default seccomp profile: install golang-github-containers-common']
        : []),
      ...(initPathOf(config) === '' ? ['WARNING: no init program for --init: install catatonit'] : []),
    ],
  };
}

/** A random name of this installation, made once. */
function identity(dataRoot: string): string {
  const path = join(dataRoot, 'engine-id');
  if (!existsSync(path)) writeFileSync(path, randomUUID(), { mode: 0o600 });
  return readFileSync(path, 'utf8').trim();
}

const fileSystems: Readonly<Record<number, string>> = {
  0xef53: 'extfs',
  0x58465342: 'xfs',
  0x9123683e: 'btrfs',
  0x1021994: 'tmpfs',
  0x2fc12fc1: 'zfs',
  [overlayMagic]: 'overlayfs',
};

function fileSystemName(path: string): string {
  const { type } = statfsSync(path);
  return fileSystems[type] ?? `0x${type.toString(16)}`;
}
