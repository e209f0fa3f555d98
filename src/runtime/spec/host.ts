import { readFileSync } from 'node:fs';
import { arch, release } from 'node:os';
import { invalid, messageOf } from '#/base/errors.ts';
import type { CgroupLayout } from '#/kernel/cgroup/layout.ts';
import { type CgroupSupport, cgroupSupport } from '#/kernel/cgroup/support.ts';
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
  readonly cgroupSupport: CgroupSupport;
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
 * Reads the facts. `cgroups` is what the machine has, as it will be used; `seccompProfile` is the path of the profile of
 * containers that ask for no other, `unconfined`, or `builtin` (the default). Throws `invalid` if it cannot be read.
 */
export function readHostFacts({
  cgroups,
  seccompProfile = 'builtin',
}: {
  readonly cgroups: CgroupLayout;
  readonly seccompProfile?: string;
}): HostFacts {
  const [major = '0', minor = '0'] = release().split('.');
  return {
    architecture: goArchitectures[arch()] ?? arch(),
    kernel: [Number.parseInt(major, 10), Number.parseInt(minor, 10)],
    capabilities: heldCapabilities(),
    limits: readLimits(),
    oomScoreAdj: Number(readFileSync('/proc/self/oom_score_adj', 'utf8')),
    cgroups: cgroups.mode,
    cgroupSupport: cgroupSupport(cgroups),
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
