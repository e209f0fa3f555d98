import { conflict } from '#/base/errors.ts';
import type { ProcessRef } from '#/runtime/exit-watcher.ts';
import type { ContainerConfig, HostConfig, NetworkingConfig } from '#/wire/containers.ts';
import type { MountPoint } from '#/wire/mounts.ts';

/** How a container's last run ended. */
export interface Finished {
  readonly exitCode: number;
  /** RFC 3339 with nanoseconds, as all times here. */
  readonly startedAt: string;
  readonly finishedAt: string;
  readonly oomKilled: boolean;
  /** Why it could not be started, or empty. */
  readonly error: string;
}

/** A run that is going on. */
export interface Run {
  /** The container's first process; its pid is that in the daemon's pid namespace. */
  readonly init: ProcessRef;
  /** Its conmon. */
  readonly monitor: ProcessRef;
  readonly startedAt: string;
}

/**
 * The one state of a container. Docker's booleans (Running, Paused, Restarting, Dead …) are made from it in api/.
 * `creating` is not complete yet and nobody sees it; `created` with an error is one whose start failed; `restarting`
 * waits for its next start; `removing` is being taken apart and cannot be started any more; `dead` could not be removed
 * completely.
 */
export type ContainerState =
  | { readonly kind: 'creating' }
  | { readonly kind: 'created'; readonly error: string; readonly exitCode: number }
  | ({ readonly kind: 'running' } & Run)
  | ({ readonly kind: 'paused' } & Run)
  | ({ readonly kind: 'restarting' } & Finished)
  | ({ readonly kind: 'exited' } & Finished)
  /** `volumes`: with its anonymous ones. */
  | { readonly kind: 'removing'; readonly last: Finished | undefined; readonly volumes: boolean }
  | { readonly kind: 'dead'; readonly last: Finished | undefined; readonly error: string };

/** What was asked for at create, completed from the image; changed afterwards only by rename, update and network connects. */
export interface ContainerSpec {
  /** The image as the client named it; Docker's `Config.Image`. */
  readonly imageName: string;
  /** Request and image merged. */
  readonly config: ContainerConfig;
  readonly hostConfig: HostConfig;
  readonly networking: NetworkingConfig;
  /** Networks of the request that the container was taken out of since, as the request names them. */
  readonly networksLeft?: readonly string[];
  /** Volumes and binds with their resolved sources, in the order of their destinations. */
  readonly mounts: readonly MountPoint[];
  /** The program and its arguments: entrypoint and command joined. */
  readonly path: string;
  readonly args: readonly string[];
  readonly platform: string;
  /** Which snapshotter holds its file system. */
  readonly driver: string;
}

/** A container as the database knows it. Values are replaced, never changed in place. */
export interface ContainerRecord {
  readonly id: string;
  /** Without the leading slash. */
  readonly name: string;
  /** Config digest of its image. */
  readonly imageId: string;
  readonly created: string;
  readonly spec: ContainerSpec;
  readonly state: ContainerState;
  readonly restartCount: number;
  /** Stopped by request, so that the restart policy `unless-stopped` leaves it alone. */
  readonly manuallyStopped: boolean;
}

type Kind = ContainerState['kind'];

const successors: Readonly<Record<Kind, readonly Kind[]>> = {
  creating: ['created', 'removing'],
  created: ['created', 'running', 'exited', 'removing'],
  running: ['paused', 'exited', 'restarting', 'removing'],
  paused: ['running', 'exited', 'restarting', 'removing'],
  restarting: ['running', 'exited', 'restarting', 'removing'],
  exited: ['created', 'running', 'exited', 'restarting', 'removing'],
  removing: ['dead', 'removing'],
  dead: ['removing'],
};

/** The only way from one state to the next; a step that makes no sense is a conflict. */
export function transition(record: ContainerRecord, next: ContainerState): ContainerRecord {
  if (!successors[record.state.kind].includes(next.kind)) {
    throw conflict(`Container ${record.id} is ${record.state.kind} and cannot become ${next.kind}`);
  }
  return { ...record, state: next };
}

/** Its process exists: running or paused. */
export function isAlive(
  state: ContainerState,
): state is Extract<ContainerState, { kind: 'running' | 'paused' }> {
  return state.kind === 'running' || state.kind === 'paused';
}

/** Tells whether both states are of one and the same run. */
export function isSameRun(a: ContainerState, b: ContainerState): boolean {
  return isAlive(a) && isAlive(b) && a.startedAt === b.startedAt;
}

/** How the last run ended, if there was one. */
export function lastRun(state: ContainerState): Finished | undefined {
  switch (state.kind) {
    case 'exited':
    case 'restarting':
      return state;
    case 'removing':
    case 'dead':
      return state.last;
    case 'creating':
    case 'created':
    case 'running':
    case 'paused':
      return undefined;
    default:
      return state satisfies never;
  }
}
