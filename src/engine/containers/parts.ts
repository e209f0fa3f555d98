import { join } from 'node:path';
import type { KeyedLocks } from '#/base/locks.ts';
import type { Logger } from '#/base/log.ts';
import type { ExitWatcher } from '#/runtime/exit-watcher.ts';
import type { Monitor } from '#/runtime/monitor.ts';
import type { OciRuntime } from '#/runtime/oci-runtime.ts';
import type { HostFacts } from '#/runtime/spec/host.ts';
import type { ImageStore } from '#/storage/images.ts';
import type { Snapshotter } from '#/storage/snapshots/snapshotter.ts';
import type { VolumeStore } from '#/storage/volumes.ts';
import type { Events } from '../events.ts';
import type { Attachments } from './attachments.ts';
import type { HostDefaults } from './defaults.ts';
import type { ContainerNetworking } from './networking.ts';
import type { ContainerStore } from './store.ts';
import type { RequestFacts } from './validate.ts';
import type { Waits } from './waits.ts';

/** Where a container's files lie. */
export class ContainerDirs {
  readonly #data: string;
  readonly #run: string;

  /** `data` survives a reboot, `run` (a tmpfs) does not: what is below it tells of containers that run or were running. */
  constructor({ data, run }: { data: string; run: string }) {
    this.#data = data;
    this.#run = run;
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

  /** Of all runs. */
  get runs(): string {
    return this.#run;
  }
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
  readonly images: ImageStore;
  readonly snapshots: Snapshotter;
  readonly volumes: VolumeStore;
  readonly networks: ContainerNetworking;
  readonly runtimes: ReadonlyMap<string, OciRuntime>;
  readonly monitor: Monitor;
  readonly exits: ExitWatcher;
  readonly host: HostFacts;
  readonly requestFacts: RequestFacts;
  readonly defaults: HostDefaults;
  /** Program that becomes PID 1 with `--init`. */
  readonly initPath: string;
  /** Parent of the containers' cgroups unless they name another. */
  readonly cgroupParent: string;
}
