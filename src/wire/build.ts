import type { StringMap, Ulimit } from './containers.ts';
import type { AuthConfig } from './registry.ts';

/**
 * Skiff's own way to ask for a build: `POST /skiff/build` takes this as JSON; docs/BUILD-API.md tells the whole. It says what
 * the classic `POST /build` cannot: files that travel only if they have changed, secrets, agents, outputs on the client.
 * Everything may be absent but `Context`.
 */
export interface BuildDocument {
  /** Joins the requests of one client: its contexts and streams are known by it. */
  readonly Session?: string;
  readonly Dockerfile?: DockerfileDocument;
  readonly Context: ContextDocument;
  readonly NamedContexts?: Readonly<Record<string, ContextDocument>>;
  readonly Names?: readonly string[];
  readonly Args?: StringMap;
  readonly Labels?: StringMap;
  readonly Target?: string;
  readonly Platforms?: readonly string[];
  readonly NoCache?: boolean;
  readonly NoCacheStages?: readonly string[];
  readonly Pull?: boolean;
  readonly Squash?: boolean;
  readonly NetworkMode?: string;
  /** `name:address`. */
  readonly ExtraHosts?: readonly string[];
  readonly Ulimits?: readonly Ulimit[];
  readonly ShmSize?: number;
  readonly CgroupParent?: string;
  readonly Memory?: number;
  readonly MemorySwap?: number;
  readonly CpuShares?: number;
  readonly CpuPeriod?: number;
  readonly CpuQuota?: number;
  readonly CpusetCpus?: string;
  readonly CpusetMems?: string;
  /** Values in base64, by id. */
  readonly Secrets?: StringMap;
  /** Ids of the agents that the client forwards. */
  readonly Agents?: readonly string[];
  /** By the names that the client's configuration has for registries. */
  readonly Auths?: Readonly<Record<string, AuthConfig>>;
  readonly Outputs?: readonly OutputDocument[];
  readonly CacheFrom?: readonly CacheDocument[];
  readonly CacheTo?: readonly CacheDocument[];
  /** `provenance`, `sbom`, with their options. */
  readonly Attestations?: StringMap;
  readonly Entitlements?: readonly string[];
  readonly Explain?: boolean;
  /** Stop before this step with a shell: its number, or `stage:number`. */
  readonly DebugStep?: string;
  /** `shell`: a step that fails gets a shell before the build fails. */
  readonly OnError?: string;
  /** Of the shell; absent: it gets no terminal. */
  readonly Terminal?: { readonly Height: number; readonly Width: number };
}

/** Where the Dockerfile is: here, or a path in the context. */
export interface DockerfileDocument {
  /** The path, or the name that messages have for what `Content` is. */
  readonly Name?: string;
  /** Base64. */
  readonly Content?: string;
}

/** Where files come from. */
export type ContextDocument =
  /** Files that the client has listed under a name of the session. */
  | { readonly Kind: 'files'; readonly Name: string }
  /** There are none. */
  | { readonly Kind: 'none' }
  /** A repository, an archive or a single Dockerfile. */
  | { readonly Kind: 'url'; readonly Url: string }
  | { readonly Kind: 'image'; readonly Reference: string }
  /** Files that have an OCI layout. */
  | { readonly Kind: 'oci-layout'; readonly Name: string; readonly Reference: string };

/** Where a result goes. */
export interface OutputDocument {
  /** image, registry, docker, oci, tar, local, cacheonly. */
  readonly Type: string;
  readonly Attributes?: StringMap;
  /** The stream of the session that takes it, for those that end on the client. */
  readonly Stream?: string;
}

/** Where cache comes from or goes to. */
export interface CacheDocument {
  readonly Type: string;
  readonly Attributes?: StringMap;
  /** The context of the session that has the folder, for cache that comes from the client. */
  readonly Name?: string;
  /** The stream of the session that takes the folder as an archive, for cache that goes to the client. */
  readonly Stream?: string;
}

/** One line of `POST /skiff/build/context`: a file of the client's. */
export interface ContextEntry {
  /** Relative to the context, with slashes. */
  readonly p: string;
  /** File type and permissions as in stat(2). */
  readonly m: number;
  readonly u?: number;
  readonly g?: number;
  readonly s?: number;
  /** Nanoseconds since 1970. */
  readonly t: string;
  /** Target of a symbolic link. */
  readonly l?: string;
  /** The capabilities of a program, as its attribute `security.capability` has them, in base64. */
  readonly c?: string;
}

/** Answer of `POST /skiff/build/context`. */
export interface ContextWanted {
  /** Numbers of the entries, from 0, whose content is to be sent, in their order. */
  readonly Wanted: readonly number[];
}

/** Answer of `POST /build/prune`. */
export interface BuildPruneResponse {
  readonly CachesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
