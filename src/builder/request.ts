import type { Duplex } from 'node:stream';
import type { Credentials } from '#/distribution/credentials.ts';
import type { Platform } from '#/oci/platform.ts';
import type { Reference } from '#/oci/reference.ts';
import type { ResourcesInput } from '#/runtime/spec/input.ts';
import type { UlimitInput } from '#/runtime/spec/rlimits.ts';
import type { ClientContent } from './cache/exchange/client-content.ts';
import type { StatusSink } from './progress.ts';

/** All that decides what a build makes, as plain values: nothing of HTTP, of protocol buffers or of a command line. */
export interface BuildRequest {
  readonly dockerfile: DockerfileSource;
  readonly context: BuildContext;
  /** `--build-context NAME=…`: stand in for images and stages of that name. */
  readonly namedContexts: ReadonlyMap<string, NamedContext>;
  /** `--build-arg`. */
  readonly args: ReadonlyMap<string, string>;
  /** Name or number of the stage to build; undefined is the last. */
  readonly target: string | undefined;
  /** What to build for; empty is the host's platform alone. */
  readonly platforms: readonly Platform[];
  readonly noCache: boolean;
  /** Names of stages whose steps run although they are cached. */
  readonly noCacheStages: readonly string[];
  /** Asks registries for base images that are here. */
  readonly pull: boolean;
  /** Added to the image's. */
  readonly labels: ReadonlyMap<string, string>;
  readonly run: RunDefaults;
  readonly secrets: SecretSource;
  readonly ssh: SshSource;
  readonly registryAuth: AuthSource;
  readonly outputs: readonly Output[];
  readonly cacheFrom: readonly CacheLocation[];
  readonly cacheTo: readonly CacheLocation[];
  /** Folders of the client for cache of type `local`; undefined: it gives access to none. */
  readonly clientContent?: (location: CacheLocation) => ClientContent | undefined;
  /** Where the client's files are from, by BuildKit's names: `source`, `revision`, `localdir:context`. */
  readonly vcs?: ReadonlyMap<string, string>;
  /** By kind (`provenance`, `sbom`), with their options as clients write them (`mode=max`). */
  readonly attestations: ReadonlyMap<string, string>;
  /** Makes one layer of all that the build adds to its base. */
  readonly squash: boolean;
  /** What somebody who may has allowed beyond the usual. */
  readonly entitlements: ReadonlySet<Entitlement>;
  /** Tells for each step why the cache had it or not. */
  readonly explain: boolean;
}

/** Where the Dockerfile is: given as such, or a path in a context, which may be another one than the build's. */
export type DockerfileSource =
  | { readonly kind: 'bytes'; readonly name: string; readonly bytes: Buffer }
  | { readonly kind: 'file'; readonly context: BuildContext; readonly path: string };

/** Where files of a build come from: an upload, a client's file sync, a repository. */
export interface BuildContext {
  /** For progress and for the directory that is kept from one build to the next. */
  readonly name: string;
  /**
   * Brings the files that are asked for into a directory of the daemon's. Several may be open at the same time. Throws
   * `invalid` for files that no context may have, and what the transport fails with.
   */
  open(
    wish: ContextWish,
    options: { readonly signal: AbortSignal; readonly progress: StatusSink },
  ): Promise<ContextTree>;
}

/** Which files of a context are wanted. */
export interface ContextWish {
  /** Patterns as .dockerignore writes them, comments and blank lines removed; in order. */
  readonly excludes: readonly string[];
  /** Only these files and directories, relative to the context; undefined: all. */
  readonly includes?: readonly string[];
  /** Like `includes`, and also what symbolic links among them lead to inside the context. */
  readonly followPaths?: readonly string[];
}

/** Files of a context, until it is disposed of: owners, modes and times as they came, links not followed outside. */
export interface ContextTree extends AsyncDisposable {
  /** Absolute; the caller only reads below it. */
  readonly root: string;
  /** Its files are on the disk of the snapshots and are never written to again, so that copies can be further names of them. */
  readonly isShared?: boolean;
  /** A name for what it holds, which nothing else ever gets. Who writes its files tells `TreeDigests` of each. */
  readonly version?: string;
}

/** What `--build-context NAME=…` names. */
export type NamedContext =
  | { readonly kind: 'tree'; readonly context: BuildContext }
  | { readonly kind: 'image'; readonly reference: string }
  /** `root` has an OCI layout; `reference` is a tag in it or a digest. */
  | { readonly kind: 'oci-layout'; readonly context: BuildContext; readonly reference: string };

/** What RUN instructions get that do not say otherwise. */
export interface RunDefaults {
  readonly network: RunNetwork;
  readonly extraHosts: readonly ExtraHost[];
  readonly ulimits: readonly UlimitInput[];
  /** Bytes of /dev/shm; undefined is the daemon's default. */
  readonly shmSize: number | undefined;
  /** Undefined is the daemon's default. */
  readonly cgroupParent: string | undefined;
  readonly resources: ResourcesInput;
}

/** Which network a RUN instruction gets: the default bridge, its own loopback only, the host's, a user's by name, or a container's. */
export type RunNetwork =
  | { readonly kind: 'default' | 'none' | 'host' }
  | { readonly kind: 'named'; readonly name: string }
  | { readonly kind: 'container'; readonly container: string };

/** A line of /etc/hosts. */
export interface ExtraHost {
  readonly name: string;
  /** An address, or `host-gateway`. */
  readonly address: string;
}

/** Secrets of the client. Their values go into files and variables of steps, and nowhere else. */
export interface SecretSource {
  /** Undefined: the client has no such secret. */
  get(id: string, options: { readonly signal: AbortSignal }): Promise<Buffer | undefined>;
}

/** SSH agents of the client. */
export interface SshSource {
  /** Tells whether the client forwards this one. */
  has(id: string, options: { readonly signal: AbortSignal }): Promise<boolean>;
  /** A connection to it. */
  connect(id: string): Duplex;
}

/** Who the client is for registries. */
export interface AuthSource {
  /** For a registry host as references write it (`docker.io`, `localhost:5000`). */
  credentials(host: string, options: { readonly signal: AbortSignal }): Promise<Credentials>;
}

/** Where the result goes. */
export type Output =
  /** Into the image store, under these names (perhaps none). */
  | { readonly kind: 'image'; readonly names: readonly Reference[]; readonly options: OutputOptions }
  /** To the registries that the names name, and into the store if `store`. */
  | {
      readonly kind: 'registry';
      readonly names: readonly Reference[];
      readonly store: boolean;
      readonly options: OutputOptions;
    }
  /** An archive as `docker save` writes it, or of an OCI layout. */
  | {
      readonly kind: 'docker' | 'oci';
      readonly names: readonly Reference[];
      readonly sink: ArchiveSink;
      readonly options: OutputOptions;
    }
  /** The files of the result as an archive. */
  | { readonly kind: 'tar'; readonly sink: ArchiveSink; readonly options: OutputOptions }
  /** The files of the result. */
  | { readonly kind: 'local'; readonly sink: TreeSink; readonly options: OutputOptions }
  /** Nowhere: only the cache has it. */
  | { readonly kind: 'cacheonly' };

/** What clients write after `type=…,`, without what is parsed already (`compression`, `annotation.NAME`, `oci-mediatypes`). */
export type OutputOptions = ReadonlyMap<string, string>;

/** Takes one archive. */
export interface ArchiveSink {
  write(bytes: AsyncIterable<Uint8Array>, options: { readonly signal: AbortSignal }): Promise<void>;
}

/** Takes one tree of files. */
export interface TreeSink {
  /** `root` is a directory of the daemon's that exists until this is done. */
  write(
    root: string,
    options: { readonly signal: AbortSignal; readonly progress: StatusSink },
  ): Promise<void>;
}

/** A place that cache comes from or goes to: `type=registry,ref=…`. */
export interface CacheLocation {
  readonly type: string;
  readonly attributes: ReadonlyMap<string, string>;
}

/** What is refused unless it is allowed. */
export type Entitlement = 'network.host' | 'security.insecure';
