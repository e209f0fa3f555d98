import type { CreateRequest } from '#/engine/containers/create.ts';
import type { ListOptions } from '#/engine/containers/list.ts';
import type { ContainerRecord } from '#/engine/containers/model.ts';
import type { RemoveOptions } from '#/engine/containers/remove.ts';
import type { StopOptions } from '#/engine/containers/stop.ts';
import type { ContainerView } from '#/engine/containers/view.ts';
import type { WaitCondition, WaitResult } from '#/engine/containers/waits.ts';
import type { DiskUsageKind, DiskUsageView } from '#/engine/disk-usage.ts';
import type { EngineEvent } from '#/engine/events.ts';
import type { Images } from '#/engine/images.ts';
import type { NetworkOperations } from '#/engine/networks.ts';
import type { Volumes } from '#/engine/volumes.ts';
import type { ContainerTopResponse, FilesystemChange, Resources, RestartPolicy } from '#/wire/containers.ts';
import type { Filters } from '#/wire/filters.ts';
import type { StreamName } from '#/wire/frames.ts';
import type { ContainerStats } from '#/wire/stats.ts';
import type { SystemInfo, SystemVersion } from '#/wire/system.ts';

/**
 * What the API needs of the engine. Everywhere `ref` is what a person writes (name, id or prefix of an id) and an unknown
 * one is a `notFound`. Methods that take a `signal` stop when it aborts; the others finish what they began.
 */
export interface Backend {
  readonly containers: ContainersBackend;
  readonly execs: ExecsBackend;
  readonly images: ImagesBackend;
  readonly volumes: VolumesBackend;
  readonly networks: NetworksBackend;
  readonly system: SystemBackend;
  readonly events: EventsBackend;
}

/** A piece of output. */
export interface OutputChunk {
  readonly stream: Extract<StreamName, 'stdout' | 'stderr'>;
  readonly data: Buffer;
}

/**
 * Output that is read at the reader's pace: while nobody asks for the next batch, the source is paused. A batch is what
 * has come since the last one.
 */
export type Output = AsyncIterable<readonly OutputChunk[]>;

/**
 * The standard streams of a container's first process, or of an exec, as one client sees them. Disposing of it leaves
 * the process alone.
 */
export interface StdioSession extends AsyncDisposable {
  /** With a terminal everything comes as stdout and nothing is framed. */
  readonly tty: boolean;
  /** Ends when the process has ended and everything was read, or when the detach keys were typed. Read it once. */
  readonly output: Output;
  /** Gives bytes to stdin; resolves when there is room for more, and at once if stdin is not attached or closed. */
  write(data: Uint8Array): Promise<void>;
  /** The client will send no more. Whether the process sees an end of file depends on StdinOnce. */
  closeStdin(): void;
}

/** Which streams a client wants. */
export interface AttachOptions {
  /** First what was logged so far. Together with `stream` there is no gap and no repeat between the two. */
  readonly logs: boolean;
  readonly stream: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** What to type to leave, or undefined for ctrl-p ctrl-q. Only looked for on terminals. */
  readonly detachKeys: Buffer | undefined;
  readonly signal: AbortSignal;
}

/** Which lines of the log a client wants. */
interface LogsOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Nanoseconds since 1970. */
  readonly since: bigint | undefined;
  readonly until: bigint | undefined;
  /** The last so many lines; undefined is all. */
  readonly tail: number | undefined;
  readonly follow: boolean;
  /** Put the time before each line. */
  readonly timestamps: boolean;
  /** Put the log driver's extra attributes before each line. */
  readonly details: boolean;
  readonly signal: AbortSignal;
}

/** `engine.containers`. */
export interface ContainersBackend {
  create(request: CreateRequest): Promise<{ readonly id: string; readonly warnings: readonly string[] }>;
  /** Throws at once. */
  get(ref: string): ContainerRecord;
  view(ref: string, options: { readonly size: boolean }): Promise<ContainerView>;
  list(options: ListOptions & { readonly size: boolean }): Promise<readonly ContainerView[]>;
  /** `notModified` if it runs already. */
  start(ref: string): Promise<void>;
  /** `notModified` if it does not run. */
  stop(ref: string, options: StopOptions): Promise<void>;
  restart(ref: string, options: StopOptions): Promise<void>;
  kill(ref: string, signal: string): Promise<void>;
  pause(ref: string): Promise<void>;
  unpause(ref: string): Promise<void>;
  rename(ref: string, name: string): Promise<void>;
  remove(ref: string, options: RemoveOptions): Promise<void>;
  /** Counts from the call, not from when the promise is first awaited. */
  wait(ref: string, condition: WaitCondition, options: { readonly signal: AbortSignal }): Promise<WaitResult>;
  resize(ref: string, size: { readonly height: number; readonly width: number }): Promise<void>;
  /** Zero values leave things as they are. Returns warnings. */
  update(
    ref: string,
    changes: { readonly resources: Resources; readonly restartPolicy: RestartPolicy },
  ): Promise<readonly string[]>;
  prune(filters: Filters): Promise<{ readonly deleted: readonly string[]; readonly reclaimed: number }>;
  /** `args` are for ps. */
  top(ref: string, args: string): Promise<ContainerTopResponse>;
  changes(ref: string): Promise<readonly FilesystemChange[]>;
  /** One sample each second, or only one. `oneShot` does not wait for a second one to compare with. */
  stats(
    ref: string,
    options: { readonly stream: boolean; readonly oneShot: boolean; readonly signal: AbortSignal },
  ): Promise<AsyncIterable<ContainerStats>>;
  logs(ref: string, options: LogsOptions): Promise<{ readonly tty: boolean; readonly output: Output }>;
  /** May be called before the start; the streams begin then. */
  attach(ref: string, options: AttachOptions): Promise<StdioSession>;
}

/** What an exec is to run, with every field. */
export interface ExecRequest {
  readonly command: readonly string[];
  readonly env: readonly string[];
  /** "" is the container's. */
  readonly user: string;
  readonly workingDir: string;
  readonly privileged: boolean;
  readonly tty: boolean;
  readonly stdin: boolean;
  readonly stdout: boolean;
  readonly stderr: boolean;
  readonly detachKeys: Buffer | undefined;
  readonly consoleSize: { readonly height: number; readonly width: number } | undefined;
}

/** An exec as it is now. */
export interface ExecView {
  readonly id: string;
  readonly containerId: string;
  readonly request: ExecRequest;
  readonly running: boolean;
  /** undefined until it has ended. */
  readonly exitCode: number | undefined;
  /** 0 until it was started. */
  readonly pid: number;
}

/** `engine.execs`. */
interface ExecsBackend {
  create(ref: string, request: ExecRequest): Promise<string>;
  /** Throws at once. */
  inspect(id: string): ExecView;
  /** Starts it in the background. */
  start(id: string): Promise<void>;
  /** Starts it with the streams that were asked for at create. */
  startAttached(
    id: string,
    options: {
      readonly consoleSize: { readonly height: number; readonly width: number } | undefined;
      readonly signal: AbortSignal;
    },
  ): Promise<StdioSession>;
  resize(id: string, size: { readonly height: number; readonly width: number }): Promise<void>;
}

/** `engine.images`. */
type ImagesBackend = Pick<Images, keyof Images>;

/** `engine.volumes`. */
type VolumesBackend = Pick<Volumes, keyof Volumes>;

/** `engine.networks`. */
type NetworksBackend = Pick<NetworkOperations, keyof NetworkOperations>;

/** `engine.system`. */
interface SystemBackend {
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
