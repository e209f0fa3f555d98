import type { LogFormat, LogLevel } from '#/base/log.ts';
import type { KeepPolicy } from '#/storage/layer-archives.ts';
import type { DriverName } from '#/storage/snapshots/snapshotter.ts';
import { type BuilderConfig, builderOptions } from './builder-options.ts';
import type { Option } from './option.ts';
import { type RegistryConfig, registryOptions } from './registry-options.ts';
import {
  type AddressPool,
  addressPools,
  bytes,
  int,
  ip,
  label,
  listOf,
  map,
  oneOf,
  runtimes,
  text,
  toggle,
  type UlimitDefault,
  ulimits,
} from './values.ts';

/** Everything that can be set, with the names and meanings of dockerd. Paths are absolute. */
export interface Config extends RegistryConfig, BuilderConfig {
  readonly hosts: readonly string[];
  /** Also listen at /var/run/docker.sock, where Docker's clients look. */
  readonly dockerSocket: boolean;
  readonly dataRoot: string;
  readonly execRoot: string;
  readonly pidfile: string;
  readonly group: string;
  readonly debug: boolean;
  readonly logLevel: LogLevel;
  readonly logFormat: LogFormat;
  readonly labels: readonly string[];
  readonly shutdownTimeout: number;
  readonly tls: boolean;
  readonly tlsVerify: boolean;
  readonly tlsCaCert: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
  /** "" is the best that works. */
  readonly storageDriver: '' | DriverName;
  /** What is kept of the layers of images that come from now on. */
  readonly imageStorePolicy: KeepPolicy;
  readonly runtimes: Readonly<Record<string, string>>;
  readonly defaultRuntime: string;
  readonly execOpts: readonly string[];
  readonly cgroupParent: string;
  readonly liveRestore: boolean;
  readonly init: boolean;
  readonly initPath: string;
  readonly defaultShmSize: number;
  readonly defaultIpcMode: 'private' | 'shareable';
  /** "" leaves it to the cgroup version of the machine. */
  readonly defaultCgroupnsMode: '' | 'private' | 'host';
  readonly defaultUlimits: readonly UlimitDefault[];
  readonly noNewPrivileges: boolean;
  readonly seccompProfile: string;
  readonly logDriver: string;
  readonly logOpts: Readonly<Record<string, string>>;
  readonly bip: string;
  readonly mtu: number;
  readonly ip: string;
  /** dockerd's name for: keep firewall rules (Skiff's are in nftables). */
  readonly iptables: boolean;
  readonly ipForward: boolean;
  readonly ipMasq: boolean;
  readonly icc: boolean;
  readonly defaultAddressPools: readonly AddressPool[];
  readonly dns: readonly string[];
  readonly dnsOpts: readonly string[];
  readonly dnsSearch: readonly string[];
}

const levels: readonly LogLevel[] = ['debug', 'info', 'warn', 'error', 'fatal'];
const formats: readonly LogFormat[] = ['text', 'json'];

/** All options, in the order of the help text. */
export const options: { readonly [F in keyof Config]: Option<Config[F]> } = {
  hosts: {
    flag: 'host',
    short: 'H',
    key: 'hosts',
    kind: listOf(text),
    default: ['unix:///run/skiff/skiff.sock'],
    help: 'Socket to listen on: unix://PATH, tcp://HOST:PORT, or fd:// for one from systemd',
  },
  dockerSocket: {
    flag: 'docker-socket',
    kind: toggle,
    default: false,
    help: "Also listen on /var/run/docker.sock, where Docker's clients look",
  },
  dataRoot: {
    flag: 'data-root',
    kind: text,
    default: '/var/lib/skiff',
    help: 'Directory of images, containers and volumes',
  },
  execRoot: {
    flag: 'exec-root',
    kind: text,
    default: '/run/skiff',
    help: 'Directory of what a reboot may take: pids, sockets, namespaces',
  },
  pidfile: {
    flag: 'pidfile',
    short: 'p',
    kind: text,
    default: '/run/skiff/skiffd.pid',
    help: 'File that names the process of the daemon',
  },
  group: {
    flag: 'group',
    short: 'G',
    kind: text,
    default: 'docker',
    help: 'Group that may use the Unix sockets',
  },
  debug: { flag: 'debug', short: 'D', kind: toggle, default: false, help: 'Log everything' },
  logLevel: {
    flag: 'log-level',
    short: 'l',
    kind: oneOf('logging level', levels),
    default: 'info',
    help: 'Least severity that is logged (debug, info, warn, error, fatal)',
  },
  logFormat: {
    flag: 'log-format',
    kind: oneOf('log format', formats),
    default: 'text',
    help: 'How log lines look (text, json)',
  },
  labels: {
    flag: 'label',
    key: 'labels',
    kind: listOf(label),
    default: [],
    help: 'Label of the daemon, key=value',
  },
  shutdownTimeout: {
    flag: 'shutdown-timeout',
    kind: int,
    default: 10,
    help: 'Seconds that stopping the daemon may take',
  },
  tls: { flag: 'tls', kind: toggle, default: false, help: 'Use TLS on TCP; implied by --tlsverify' },
  tlsVerify: {
    flag: 'tlsverify',
    kind: toggle,
    default: false,
    help: 'Use TLS on TCP and only accept clients with a certificate',
  },
  tlsCaCert: {
    flag: 'tlscacert',
    kind: text,
    default: '/etc/skiff/tls/ca.pem',
    help: "Authority that signs clients' certificates",
  },
  tlsCert: {
    flag: 'tlscert',
    kind: text,
    default: '/etc/skiff/tls/cert.pem',
    help: 'Certificate of the daemon',
  },
  tlsKey: { flag: 'tlskey', kind: text, default: '/etc/skiff/tls/key.pem', help: 'Its private key' },
  storageDriver: {
    flag: 'storage-driver',
    short: 's',
    kind: oneOf('storage driver', ['', 'overlay2', 'vfs']),
    default: '',
    help: 'How layers are put together (overlay2, vfs); the best that works here if not given',
  },
  imageStorePolicy: {
    flag: 'image-store-policy',
    kind: oneOf('image store policy', ['compressed', 'unpacked']),
    default: 'compressed',
    help: 'Keep layers as they came beside what is unpacked (compressed), or only what is unpacked (half the disk)',
  },
  runtimes: {
    flag: 'add-runtime',
    key: 'runtimes',
    kind: runtimes,
    default: {},
    help: 'OCI runtime that containers can choose, name=/path',
  },
  defaultRuntime: {
    flag: 'default-runtime',
    kind: text,
    default: 'crun',
    help: 'OCI runtime of containers that do not choose one',
  },
  execOpts: {
    flag: 'exec-opt',
    key: 'exec-opts',
    kind: listOf(text),
    default: [],
    help: 'native.cgroupdriver=cgroupfs, the only one that there is',
  },
  cgroupParent: { flag: 'cgroup-parent', kind: text, default: '', help: 'Parent cgroup of all containers' },
  liveRestore: {
    flag: 'live-restore',
    kind: toggle,
    default: true,
    help: 'Keep containers running while the daemon is not',
  },
  init: { flag: 'init', kind: toggle, default: false, help: 'Give containers an init process' },
  initPath: { flag: 'init-path', kind: text, default: '', help: 'Path of that init program' },
  defaultShmSize: {
    flag: 'default-shm-size',
    kind: bytes,
    default: 64 * 1024 * 1024,
    help: 'Size of /dev/shm in containers',
  },
  defaultIpcMode: {
    flag: 'default-ipc-mode',
    kind: oneOf('IPC mode', ['private', 'shareable']),
    default: 'private',
    help: 'IPC namespace of containers (private, shareable)',
  },
  defaultCgroupnsMode: {
    flag: 'default-cgroupns-mode',
    kind: oneOf('cgroup namespace mode', ['', 'private', 'host']),
    default: '',
    help: 'Cgroup namespace of containers (private, host)',
  },
  defaultUlimits: {
    flag: 'default-ulimit',
    key: 'default-ulimits',
    kind: ulimits,
    default: [],
    help: "Limit of containers' processes, name=soft[:hard]",
  },
  noNewPrivileges: {
    flag: 'no-new-privileges',
    kind: toggle,
    default: false,
    help: 'Containers cannot gain privileges, for example through sudo',
  },
  seccompProfile: {
    flag: 'seccomp-profile',
    kind: text,
    default: 'builtin',
    help: 'Path of a seccomp profile, "builtin" or "unconfined"',
  },
  logDriver: {
    flag: 'log-driver',
    kind: oneOf('log driver', ['json-file', 'local', 'none']),
    default: 'json-file',
    help: 'Where the output of containers goes (json-file, local, none)',
  },
  logOpts: {
    flag: 'log-opt',
    key: 'log-opts',
    kind: map,
    default: {},
    help: 'Option of the log driver, key=value',
  },
  bip: { flag: 'bip', kind: text, default: '', help: 'Address of the default bridge, CIDR' },
  mtu: { flag: 'mtu', kind: int, default: 1500, help: 'MTU of the default bridge' },
  ip: {
    flag: 'ip',
    kind: ip,
    default: '0.0.0.0',
    help: 'Address on which ports are published that name none',
  },
  iptables: { flag: 'iptables', kind: toggle, default: true, help: 'Add firewall rules (in nftables)' },
  ipForward: { flag: 'ip-forward', kind: toggle, default: true, help: 'Switch IP forwarding on' },
  ipMasq: {
    flag: 'ip-masq',
    kind: toggle,
    default: true,
    help: "Let containers reach the world under the host's address",
  },
  icc: {
    flag: 'icc',
    kind: toggle,
    default: true,
    help: 'Let containers on the default bridge talk to each other',
  },
  defaultAddressPools: {
    flag: 'default-address-pool',
    key: 'default-address-pools',
    kind: addressPools,
    default: [],
    help: 'Addresses that new networks get, base=CIDR,size=PREFIX',
  },
  dns: { flag: 'dns', kind: listOf(ip), default: [], help: 'Name server of containers' },
  dnsOpts: {
    flag: 'dns-opt',
    key: 'dns-opts',
    kind: listOf(text),
    default: [],
    help: 'Resolver option of containers',
  },
  dnsSearch: { flag: 'dns-search', kind: listOf(text), default: [], help: 'Search domain of containers' },
  ...registryOptions,
  ...builderOptions,
};
