import type { CgroupLayout } from '#/kernel/cgroup/layout.ts';
import type { NetworkRecord } from '#/network/model.ts';
import type { Networks } from '#/network/networks.ts';
import type { Children } from '#/runtime/children.ts';
import type { OciRuntime } from '#/runtime/crun.ts';
import type { HostFacts } from '#/runtime/spec/host.ts';
import type { NamespaceInput } from '#/runtime/spec/input.ts';
import type { UlimitInput } from '#/runtime/spec/rlimits.ts';
import type { Snapshotter } from '#/storage/snapshots/snapshotter.ts';
import type { CacheMounts } from '../cache/cache-mounts.ts';
import type { ExtraHost } from '../request.ts';

/** What steps are carried out with. */
export interface StepParts {
  readonly snapshots: Snapshotter;
  readonly cacheMounts: CacheMounts;
  readonly runtime: OciRuntime;
  readonly children: Children;
  readonly networks: Networks;
  /** The containers in a network that people have made, by their names and aliases. */
  readonly neighboursIn: (network: NetworkRecord) => readonly ExtraHost[];
  /** The network of a container that runs, which may be the host's. Throws `notFound`, `conflict` for one that does not run. */
  readonly networkOf: (container: string) => NamespaceInput;
  readonly cgroups: CgroupLayout;
  readonly host: HostFacts;
  readonly defaults: StepDefaults;
  /** A folder for what belongs to running steps, on a tmpfs: each has a folder in it, named by its id. */
  readonly runRoot: string;
  /** Says that a process is about to change its cgroup; see `CgroupMoves`. */
  readonly expectMoves: () => void;
}

/** From the daemon's configuration. */
export interface StepDefaults {
  readonly cgroupParent: string;
  readonly cgroupns: 'private' | 'host';
  /** Bytes. */
  readonly shmSize: number;
  readonly ulimits: readonly UlimitInput[];
  readonly dns: {
    readonly servers: readonly string[];
    readonly search: readonly string[];
    readonly options: readonly string[];
  };
}
