import { join } from 'node:path';
import { invalid } from '#/base/errors.ts';
import type { KeyedLocks } from '#/base/locks.ts';
import type { Logger } from '#/base/log.ts';
import type { CgroupLayout } from '#/kernel/cgroup/layout.ts';
import type { CgroupMoves } from '#/kernel/cgroup/moves.ts';
import type { Monitor } from '#/runtime/conmon.ts';
import type { OciRuntime } from '#/runtime/crun.ts';
import type { ExitWatcher } from '#/runtime/exit-watcher.ts';
import type { HostFacts } from '#/runtime/spec/host.ts';
import type { ImageStore } from '#/storage/images.ts';
import type { Layers } from '#/storage/layers.ts';
import type { Snapshotter } from '#/storage/snapshots/snapshotter.ts';
import type { Events } from '../events.ts';
import type { Terminals } from './attach.ts';
import type { Attachments } from './attachments.ts';
import type { ContainerVolumes } from './container-volumes.ts';
import type { HostDefaults } from './defaults.ts';
import type { ContainerRecord } from './model.ts';
import type { ContainerNetworking } from './networking.ts';
import type { Restarts } from './restarts.ts';
import type { SharedMemory } from './shm.ts';
import type { ContainerStore } from './store.ts';
import type { RequestFacts } from './validate.ts';
import type { Waits } from './waits.ts';

/** Where a container's files lie. */
export class ContainerDirs {
  readonly #data: string;
  readonly #run: string;
  readonly #exits: string;

  /** Everything that the daemon keeps is below it. */
  readonly dataRoot: string;

  /** `data` survives a reboot, `run` (a tmpfs) does not: what is below it tells of containers that run or were running. */
  constructor({
    dataRoot,
    data,
    run,
    exits,
  }: Readonly<Record<'dataRoot' | 'data' | 'run' | 'exits', string>>) {
    this.dataRoot = dataRoot;
    this.#data = data;
    this.#run = run;
    this.#exits = exits;
  }

  /** hosts, hostname, resolv.conf and the log. */
  dataOf(id: string): string {
    return join(this.#data, id);
  }

  /** The OCI bundle of a run: config.json, rootfs, sockets. Its existence is the durable trace of a start. */
  runOf(id: string): string {
    return join(this.#run, id);
  }

  rootfsOf(id: string): string {
    return join(this.#run, id, 'rootfs');
  }

  logOf(id: string): string {
    return join(this.#data, id, 'container.log');
  }

  /** Where the monitor leaves the exit code. */
  exitFileOf(id: string): string {
    return join(this.#exits, id);
  }

  /** Of all containers. */
  get data(): string {
    return this.#data;
  }

  /** Of all exit codes. */
  get exits(): string {
    return this.#exits;
  }

  /** Of all runs. */
  get runs(): string {
    return this.#run;
  }
}

/** An OCI runtime and the monitor that starts containers with it. */
export interface Runtime {
  readonly oci: OciRuntime;
  readonly monitor: Monitor;
}

/** All that the functions on containers work with. */
export interface ContainerParts {
  readonly log: Logger;
  readonly dirs: ContainerDirs;
  readonly store: ContainerStore;
  readonly waits: Waits;
  readonly locks: KeyedLocks;
  readonly events: Events;
  readonly attachments: Attachments;
  readonly terminals: Terminals;
  readonly images: ImageStore;
  readonly layers: Layers;
  readonly snapshots: Snapshotter;
  readonly volumes: ContainerVolumes;
  readonly networks: ContainerNetworking;
  /** By the names that `HostConfig.Runtime` can have. */
  readonly runtimes: ReadonlyMap<string, Runtime>;
  readonly exits: ExitWatcher;
  readonly restarts: Restarts;
  readonly shm: SharedMemory;
  readonly cgroups: CgroupLayout;
  readonly cgroupMoves: CgroupMoves;
  readonly host: HostFacts;
  readonly requestFacts: RequestFacts;
  /** The image that a name or id means and all that were made from it; empty if there is none. */
  readonly imageFamily: (ref: string) => ReadonlySet<string>;
  /** The execs of a container that clients can still ask for. */
  readonly execIdsOf: (containerId: string) => readonly string[];
  /** Called when a container is removed: its execs go too. */
  readonly forgetExecs: (containerId: string) => void;
  readonly defaults: HostDefaults;
  /** Aborts when the daemon ends: what waits for containers stops waiting, the containers go on. */
  readonly closing: AbortSignal;
  /** Program that becomes PID 1 with `--init`. */
  readonly initPath: string;
  /** Parent of the containers' cgroups unless they name another. */
  readonly cgroupParent: string;
}

/** The runtime that a container was created for; it can have gone from the daemon's configuration since. */
export function runtimeOf(parts: ContainerParts, { spec }: ContainerRecord): Runtime {
  const name = spec.hostConfig.Runtime ?? '';
  const runtime = parts.runtimes.get(name);
  if (runtime === undefined) throw invalid(`unknown or invalid runtime name: ${name}`);
  return runtime;
}

/** The group of a container in the hierarchies. */
export function cgroupOf({ cgroupParent }: ContainerParts, { id, spec }: ContainerRecord): string {
  const parent = spec.hostConfig.CgroupParent === '' ? cgroupParent : spec.hostConfig.CgroupParent;
  return join('/', parent, id);
}
