import type { ThrottleDevice, Ulimit, WeightDevice } from '#/wire/containers.ts';
import type { Mount } from '#/wire/mounts.ts';
import { contentTrustFlag } from '../content-trust.ts';
import {
  aliasOf,
  boolFlag,
  bytesFlag,
  durationFlag,
  type FlagsFor,
  intFlag,
  itemsFlag,
  listFlag,
  mapFlag,
  stringFlag,
} from '../flags/flag.ts';
import { checkEnvironment, checkLabel } from './key-values.ts';
import { parseMount } from './mount-flag.ts';
import { type NetworkAttachment, parseNetworkFlag } from './network-flag.ts';
import { parseCpus, parseThrottle, parseUlimit, parseWeight } from './resource-flags.ts';
import {
  checkAttach,
  checkDeviceRule,
  checkDnsSearch,
  checkExtraHost,
  checkIp,
  checkLink,
  checkSysctl,
} from './validators.ts';

/** Values of the flags that `create` and `run` share. Times are nanoseconds, sizes bytes, CPUs billionths. */
export interface ContainerFlags {
  readonly 'add-host': readonly string[];
  readonly annotation: Readonly<Record<string, string>>;
  readonly attach: readonly string[];
  readonly 'blkio-weight': number;
  readonly 'blkio-weight-device': readonly WeightDevice[];
  readonly 'cap-add': readonly string[];
  readonly 'cap-drop': readonly string[];
  readonly 'cgroup-parent': string;
  readonly cgroupns: string;
  readonly cidfile: string;
  readonly 'cpu-period': number;
  readonly 'cpu-quota': number;
  readonly 'cpu-rt-period': number;
  readonly 'cpu-rt-runtime': number;
  readonly 'cpu-shares': number;
  readonly cpus: number;
  readonly 'cpuset-cpus': string;
  readonly 'cpuset-mems': string;
  readonly device: readonly string[];
  readonly 'device-cgroup-rule': readonly string[];
  readonly 'device-read-bps': readonly ThrottleDevice[];
  readonly 'device-read-iops': readonly ThrottleDevice[];
  readonly 'device-write-bps': readonly ThrottleDevice[];
  readonly 'device-write-iops': readonly ThrottleDevice[];
  readonly 'disable-content-trust': boolean;
  readonly dns: readonly string[];
  readonly 'dns-opt': undefined;
  readonly 'dns-option': readonly string[];
  readonly 'dns-search': readonly string[];
  readonly domainname: string;
  readonly entrypoint: string;
  readonly env: readonly string[];
  readonly 'env-file': readonly string[];
  readonly expose: readonly string[];
  readonly gpus: string;
  readonly 'group-add': readonly string[];
  readonly 'health-cmd': string;
  readonly 'health-interval': number;
  readonly 'health-retries': number;
  readonly 'health-start-interval': number;
  readonly 'health-start-period': number;
  readonly 'health-timeout': number;
  readonly hostname: string;
  readonly init: boolean;
  readonly interactive: boolean;
  readonly ip: string;
  readonly ip6: string;
  readonly ipc: string;
  readonly isolation: string;
  readonly 'kernel-memory': number;
  readonly label: readonly string[];
  readonly 'label-file': readonly string[];
  readonly link: readonly string[];
  readonly 'link-local-ip': readonly string[];
  readonly 'log-driver': string;
  readonly 'log-opt': readonly string[];
  readonly 'mac-address': string;
  readonly memory: number;
  readonly 'memory-reservation': number;
  readonly 'memory-swap': number;
  readonly 'memory-swappiness': number;
  readonly mount: readonly Mount[];
  readonly name: string;
  readonly net: undefined;
  readonly 'net-alias': undefined;
  readonly network: readonly NetworkAttachment[];
  readonly 'network-alias': readonly string[];
  readonly 'no-healthcheck': boolean;
  readonly 'oom-kill-disable': boolean;
  readonly 'oom-score-adj': number;
  readonly pid: string;
  readonly 'pids-limit': number;
  readonly platform: string;
  readonly privileged: boolean;
  readonly publish: readonly string[];
  readonly 'publish-all': boolean;
  readonly pull: string;
  readonly quiet: boolean;
  readonly 'read-only': boolean;
  readonly restart: string;
  readonly rm: boolean;
  readonly runtime: string;
  readonly 'security-opt': readonly string[];
  readonly 'shm-size': number;
  readonly 'stop-signal': string;
  readonly 'stop-timeout': number;
  readonly 'storage-opt': readonly string[];
  readonly sysctl: Readonly<Record<string, string>>;
  readonly tmpfs: readonly string[];
  readonly tty: boolean;
  readonly ulimit: readonly Ulimit[];
  readonly user: string;
  readonly userns: string;
  readonly uts: string;
  readonly volume: readonly string[];
  readonly 'volume-driver': string;
  readonly 'volumes-from': readonly string[];
  readonly workdir: string;
}

/** The flags that `create` and `run` share. */
export const containerFlags: FlagsFor<ContainerFlags> = {
  'add-host': listFlag('Add a line to /etc/hosts (host:address)', { check: checkExtraHost }),
  annotation: mapFlag('Add an annotation for the OCI runtime'),
  attach: listFlag('Attach to stdin, stdout or stderr', { short: 'a', check: checkAttach }),
  'blkio-weight': intFlag('Share of block I/O, 10 to 1000; 0 for none', {
    bits: 16,
    unsigned: true,
    type: 'uint16',
  }),
  'blkio-weight-device': itemsFlag('Share of block I/O of one device (path:weight)', { parse: parseWeight }),
  'cap-add': listFlag('Add a Linux capability'),
  'cap-drop': listFlag('Drop a Linux capability'),
  'cgroup-parent': stringFlag('Parent cgroup'),
  cgroupns: stringFlag('Cgroup namespace: host or private'),
  cidfile: stringFlag('Write the identifier of the container to this file'),
  'cpu-period': intFlag('Period of the CPU quota in microseconds'),
  'cpu-quota': intFlag('CPU time within a period in microseconds'),
  'cpu-rt-period': intFlag('Period of real-time scheduling in microseconds'),
  'cpu-rt-runtime': intFlag('Real-time CPU time within a period in microseconds'),
  'cpu-shares': intFlag('Share of CPU time beside other containers', { short: 'c' }),
  cpus: { type: 'decimal', usage: 'Number of CPUs', initial: 0, parse: parseCpus },
  'cpuset-cpus': stringFlag('CPUs to run on (0-3, 0,1)'),
  'cpuset-mems': stringFlag('Memory nodes to use (0-3, 0,1)'),
  device: listFlag('Give it a device of the host (path[:path][:rwm])'),
  'device-cgroup-rule': listFlag('Add a rule to the allowed devices (type major:minor mode)', {
    check: checkDeviceRule,
  }),
  'device-read-bps': itemsFlag('Limit bytes read per second from a device (path:rate)', {
    parse: parseThrottle('bytes'),
  }),
  'device-read-iops': itemsFlag('Limit reads per second from a device (path:rate)', {
    parse: parseThrottle('operations'),
  }),
  'device-write-bps': itemsFlag('Limit bytes written per second to a device (path:rate)', {
    parse: parseThrottle('bytes'),
  }),
  'device-write-iops': itemsFlag('Limit writes per second to a device (path:rate)', {
    parse: parseThrottle('operations'),
  }),
  'disable-content-trust': contentTrustFlag,
  dns: listFlag('Set a DNS server', { check: checkIp }),
  'dns-opt': aliasOf('dns-option'),
  'dns-option': listFlag('Set a DNS option'),
  'dns-search': listFlag('Set a DNS search domain', { check: checkDnsSearch }),
  domainname: stringFlag('NIS domain name'),
  entrypoint: stringFlag("Program instead of the image's entry point"),
  env: listFlag('Set an environment variable (name=value, or a name to pass on)', {
    short: 'e',
    check: checkEnvironment,
  }),
  'env-file': listFlag('Read environment variables from a file'),
  expose: listFlag('Expose a port or a range of ports'),
  gpus: stringFlag('GPUs to add: "all" or a number', { type: 'gpu-request' }),
  'group-add': listFlag('Add a supplementary group'),
  'health-cmd': stringFlag('Command that tells whether it is healthy'),
  'health-interval': durationFlag('Time between health checks (ms|s|m|h)'),
  'health-retries': intFlag('Failures in a row that make it unhealthy'),
  'health-start-interval': durationFlag('Time between health checks while it starts (ms|s|m|h)'),
  'health-start-period': durationFlag('Time to start in which failures do not count (ms|s|m|h)'),
  'health-timeout': durationFlag('Longest time for one health check (ms|s|m|h)'),
  hostname: stringFlag('Host name', { short: 'h' }),
  init: boolFlag('Run an init process that forwards signals and reaps processes'),
  interactive: boolFlag('Keep standard input open', { short: 'i' }),
  ip: stringFlag('IPv4 address'),
  ip6: stringFlag('IPv6 address'),
  ipc: stringFlag('IPC namespace: private, shareable, host, none or container:NAME'),
  isolation: stringFlag('Isolation technology; only "default" here'),
  'kernel-memory': { ...bytesFlag('Obsolete'), hidden: true },
  label: listFlag('Set a label (name=value)', { short: 'l', check: checkLabel }),
  'label-file': listFlag('Read labels from a file'),
  link: listFlag('Link to another container (name:alias)', { check: checkLink }),
  'link-local-ip': listFlag('Link-local address'),
  'log-driver': stringFlag('Log driver'),
  'log-opt': listFlag('Option of the log driver (name=value)'),
  'mac-address': stringFlag('MAC address'),
  memory: bytesFlag('Memory limit', { short: 'm' }),
  'memory-reservation': bytesFlag('Memory to keep when memory gets short'),
  'memory-swap': bytesFlag('Limit of memory and swap together; -1 for unlimited swap', { unlimited: true }),
  'memory-swappiness': { ...intFlag('Tendency to swap, 0 to 100'), initial: -1 },
  mount: itemsFlag('Mount a file system (type=bind,source=…,target=…)', { parse: parseMount, type: 'mount' }),
  name: stringFlag('Name of the container'),
  net: aliasOf('network'),
  'net-alias': aliasOf('network-alias'),
  network: itemsFlag('Connect to a network', { parse: parseNetworkFlag, type: 'network' }),
  'network-alias': listFlag('Another name of the container in its network'),
  'no-healthcheck': boolFlag("Switch the image's health check off"),
  'oom-kill-disable': boolFlag('Do not kill it when memory runs out'),
  'oom-score-adj': intFlag('Which to kill first when memory runs out (-1000 to 1000)'),
  pid: stringFlag('PID namespace: host or container:NAME'),
  'pids-limit': intFlag('Limit of processes; -1 for unlimited'),
  platform: stringFlag('Platform of the image (os[/arch[/variant]])'),
  privileged: boolFlag('Give it all privileges of the host'),
  publish: listFlag('Publish a port ([[address:]port:]port[/protocol])', { short: 'p' }),
  'publish-all': boolFlag('Publish all exposed ports on random ports', { short: 'P' }),
  pull: stringFlag('When to pull the image ("always", "missing", "never")', { initial: 'missing' }),
  quiet: boolFlag('Do not show the progress of a pull', { short: 'q' }),
  'read-only': boolFlag('Mount its root file system read-only'),
  restart: stringFlag('When to restart it ("no", "on-failure[:N]", "always", "unless-stopped")', {
    initial: 'no',
  }),
  rm: boolFlag('Remove it and its anonymous volumes when it exits'),
  runtime: stringFlag('OCI runtime'),
  'security-opt': listFlag('Security option (no-new-privileges, seccomp=FILE, …)'),
  'shm-size': bytesFlag('Size of /dev/shm'),
  'stop-signal': stringFlag('Signal that stops it'),
  'stop-timeout': intFlag('Seconds between that signal and SIGKILL'),
  'storage-opt': listFlag('Option of the storage driver (name=value)'),
  sysctl: mapFlag('Set a kernel parameter (name=value)', { check: checkSysctl }),
  tmpfs: listFlag('Mount a tmpfs (path[:options])'),
  tty: boolFlag('Give it a terminal', { short: 't' }),
  ulimit: itemsFlag('Set a resource limit (name=soft[:hard])', { parse: parseUlimit, type: 'ulimit' }),
  user: stringFlag('User, by name or number (user[:group])', { short: 'u' }),
  userns: stringFlag('User namespace: host'),
  uts: stringFlag('UTS namespace: host'),
  volume: listFlag('Mount a folder or a volume (source:path[:options])', { short: 'v' }),
  'volume-driver': stringFlag('Driver of new volumes'),
  'volumes-from': listFlag('Mount the volumes of another container'),
  workdir: stringFlag('Working directory', { short: 'w' }),
};
