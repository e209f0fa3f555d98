import type { Builder } from '#/builder/build.ts';
import type { ArchiveContexts } from '#/builder/context/archive-contexts.ts';
import type { ContextStore } from '#/builder/context/context-store.ts';
import type { Containers } from '#/engine/containers/containers.ts';
import type { Execs } from '#/engine/containers/execs.ts';
import type { DiskUsageKind, DiskUsageView } from '#/engine/disk-usage.ts';
import type { EngineEvent } from '#/engine/events.ts';
import type { Images } from '#/engine/images.ts';
import type { NetworkOperations } from '#/engine/networks.ts';
import type { Registries } from '#/engine/registries.ts';
import type { Volumes } from '#/engine/volumes.ts';
import type { SystemInfo, SystemVersion } from '#/wire/system.ts';
import type { ClassicStates } from './build/classic-states.ts';
import type { RunningBuilds } from './build/running-builds.ts';
import type { BuildSessions } from './build/sessions.ts';
import type { BuildKit } from './buildkit/buildkit.ts';

/**
 * What the API needs of the engine. Everywhere `ref` is what a person writes (name, id or prefix of an id) and an unknown
 * one is a `notFound`. Methods that take a `signal` stop when it aborts; the others finish what they began.
 */
export interface Backend {
  readonly containers: ContainersBackend;
  readonly execs: ExecsBackend;
  readonly images: ImagesBackend;
  readonly registries: RegistriesBackend;
  readonly volumes: VolumesBackend;
  readonly networks: NetworksBackend;
  readonly system: SystemBackend;
  readonly events: EventsBackend;
  readonly builder: BuilderBackend;
  readonly buildkit: BuildKitBackend;
  readonly builds: ClientBuilds;
}

/** `engine.containers`. */
export type ContainersBackend = Pick<Containers, keyof Containers>;

/** `engine.execs`. */
type ExecsBackend = Pick<Execs, keyof Execs>;

/** `engine.images`. */
type ImagesBackend = Pick<Images, keyof Images>;

/** `engine.registries`. */
type RegistriesBackend = Pick<Registries, keyof Registries>;

/** `engine.volumes`. */
type VolumesBackend = Pick<Volumes, keyof Volumes>;

/** `engine.networks`. */
type NetworksBackend = Pick<NetworkOperations, keyof NetworkOperations>;

/** `engine.system`. */
interface SystemBackend {
  /** The builder that clients are to take of themselves: 2 is BuildKit. */
  readonly builderVersion: '1' | '2';
  info(): Promise<SystemInfo>;
  version(): Promise<SystemVersion>;
  diskUsage(kinds: ReadonlySet<DiskUsageKind>): Promise<DiskUsageView>;
}

/** `engine.events`. */
interface EventsBackend {
  /** Past events not older than `since`, then those to come. Subscribed when this returns. */
  subscribe(options: {
    readonly since?: bigint | undefined;
    readonly signal: AbortSignal;
  }): AsyncGenerator<EngineEvent>;
}

/** `builder`. */
export type BuilderBackend = Pick<Builder, keyof Builder>;

/** `buildkit`. */
type BuildKitBackend = Pick<BuildKit, keyof BuildKit>;
/** What clients bring to builds, and builds that they may cancel. */
export interface ClientBuilds {
  readonly archives: Pick<ArchiveContexts, keyof ArchiveContexts>;
  readonly contexts: Pick<ContextStore, 'update'>;
  readonly sessions: BuildSessions;
  readonly running: RunningBuilds;
  readonly states: ClassicStates;
}
