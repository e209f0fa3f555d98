import { readFileSync, statSync } from 'node:fs';
import { arch, release } from 'node:os';
import { invalid, messageOf } from '#/base/errors.ts';
import { heldCapabilities } from './capabilities.ts';
import { loadDefaultProfile } from './default-seccomp.ts';
import { type Rlimit, readLimits } from './rlimits.ts';
import { parseSeccompProfile, type SeccompProfile } from './seccomp.ts';

/** What the machine and the daemon's own rights allow; read once at start. */
export interface HostFacts {
  /** As in Go (amd64, arm64): the names that seccomp profiles use. */
  readonly architecture: string;
  /** Major and minor version. */
  readonly kernel: readonly [number, number];
  readonly capabilities: ReadonlySet<string>;
  readonly limits: ReadonlyMap<string, Rlimit>;
  /** Of the daemon: without CAP_SYS_RESOURCE nothing that it starts can go lower. */
  readonly oomScoreAdj: number;
  readonly cgroups: 'v1' | 'hybrid' | 'v2';
  /** Memory and swap can be limited together. */
  readonly swapLimit: boolean;
  /** Block I/O can be shared by weight. */
  readonly blkioWeight: boolean;
  /** undefined: the package that carries the default profile is missing. */
  readonly seccomp: SeccompProfile | undefined;
  /** Of containers that ask for no other; undefined: that is `seccomp`. */
  readonly configuredSeccomp?: SeccompProfile | 'unconfined' | undefined;
}

/** Where Debian's golang-github-containers-common keeps the default system call filter. */
const seccompPath = '/usr/share/containers/seccomp.json';

const goArchitectures: Readonly<Record<string, string>> = {
  x64: 'amd64',
  ia32: '386',
  arm64: 'arm64',
  arm: 'arm',
  riscv64: 'riscv64',
  ppc64: 'ppc64le',
  s390x: 's390x',
  loong64: 'loong64',
  mips64el: 'mips64le',
};

/**
 * Reads the facts. `cgroups` comes from the kernel layer's detection; `seccompProfile` is the path of the profile of
 * containers that ask for no other, `unconfined`, or `builtin` (the default). Throws `invalid` if it cannot be read.
 */
export function readHostFacts({
  cgroups,
  seccompProfile = 'builtin',
}: Pick<HostFacts, 'cgroups'> & { readonly seccompProfile?: string }): HostFacts {
  const [major = '0', minor = '0'] = release().split('.');
  return {
    architecture: goArchitectures[arch()] ?? arch(),
    kernel: [Number.parseInt(major, 10), Number.parseInt(minor, 10)],
    capabilities: heldCapabilities(),
    limits: readLimits(),
    oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'utf8')),
    cgroups,
    swapLimit: cgroups === 'v2' || exists('/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes'),
    blkioWeight: cgroups === 'v2' || exists('/sys/fs/cgroup/blkio/blkio.weight'),
    seccomp: loadDefaultProfile(seccompPath),
    configuredSeccomp: configuredProfile(seccompProfile),
  };
}

function configuredProfile(name: string): HostFacts['configuredSeccomp'] {
  if (name === '' || name === 'builtin') return undefined;
  if (name === 'unconfined') return 'unconfined';
  try {
    return parseSeccompProfile(readFileSync(name, 'utf8'));
  } catch (error) {
    throw invalid(`cannot use the seccomp profile ${JSON.stringify(name)}: ${messageOf(error)}`, error);
  }
}

function exists(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false }) !== undefined;
}
