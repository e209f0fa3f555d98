import type { GraphDriver } from './container-inspect.ts';
import type { GoSet, HealthConfig, StringMap } from './containers.ts';

/** An OCI content descriptor. */
export interface OciDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
  readonly annotations?: StringMap;
  readonly platform?: OciPlatform;
}

/** What an image was built for. */
export interface OciPlatform {
  readonly architecture: string;
  readonly os: string;
  readonly 'os.version'?: string;
  readonly 'os.features'?: readonly string[];
  readonly variant?: string;
}

/** The part of an image's configuration that containers inherit. Optional fields are absent when empty. */
export interface ImageConfig {
  readonly ArgsEscaped?: boolean;
  readonly Cmd: readonly string[] | null;
  readonly Entrypoint: readonly string[] | null;
  readonly Env: readonly string[] | null;
  readonly ExposedPorts?: GoSet;
  readonly Healthcheck?: HealthConfig;
  readonly Labels: StringMap | null;
  readonly OnBuild: readonly string[] | null;
  readonly Shell?: readonly string[];
  readonly StopSignal?: string;
  readonly User: string;
  readonly Volumes: GoSet | null;
  readonly WorkingDir: string;
}

/** Answer of `GET /images/{name}/json`. */
export interface ImageInspect {
  readonly Id: string;
  readonly RepoTags: readonly string[];
  readonly RepoDigests: readonly string[];
  readonly Parent: string;
  readonly Comment: string;
  /** RFC 3339; absent if the image does not say. */
  readonly Created?: string;
  readonly DockerVersion: string;
  readonly Author: string;
  readonly Config: ImageConfig | null;
  readonly Architecture: string;
  readonly Variant?: string;
  readonly Os: string;
  readonly OsVersion?: string;
  /** Bytes, unpacked. */
  readonly Size: number;
  /** The same number again, only before API 1.44. */
  readonly VirtualSize?: number;
  readonly GraphDriver: GraphDriver;
  readonly RootFS: { readonly Type: string; readonly Layers?: readonly string[] };
  readonly Metadata: { readonly LastTagTime: string };
  readonly Descriptor?: OciDescriptor;
  /** Only if they were asked for. */
  readonly Manifests?: readonly ImageManifest[];
}

/** One image of `GET /images/json`. */
export interface ImageSummary {
  /** How many containers use it; -1 is not counted. */
  readonly Containers: number;
  /** Seconds since 1970. */
  readonly Created: number;
  readonly Id: string;
  readonly Labels: StringMap | null;
  readonly ParentId: string;
  readonly Descriptor?: OciDescriptor;
  readonly RepoDigests: readonly string[] | null;
  readonly RepoTags: readonly string[] | null;
  /** Bytes shared with other images; -1 is not counted. */
  readonly SharedSize: number;
  readonly Size: number;
  /** Only before API 1.44. */
  readonly VirtualSize?: number;
  /** With `manifests=1`, for what is known under an index. */
  readonly Manifests?: readonly ImageManifest[] | null;
}

/** One manifest of a multi-platform image. Sizes are bytes of what is here. */
export interface ImageManifest {
  /** Digest of the manifest. */
  readonly ID: string;
  readonly Descriptor: OciDescriptor;
  /** All its content is here. */
  readonly Available: boolean;
  /** Of the blobs, and with what was unpacked. */
  readonly Size: { readonly Content: number; readonly Total: number };
  readonly Kind: 'image' | 'attestation' | 'unknown';
  /** Only of images. */
  readonly ImageData?: {
    readonly Platform: OciPlatform;
    /** Identifiers of the containers that use it. */
    readonly Containers: readonly string[] | null;
    readonly Size: { readonly Unpacked: number };
  };
  /** Only of attestations. */
  readonly AttestationData?: { readonly For: string };
}

/** One step of `GET /images/{name}/history`, newest first. */
export interface ImageHistoryItem {
  readonly Comment: string;
  /** Seconds since 1970. */
  readonly Created: number;
  readonly CreatedBy: string;
  /** Config digest, or "<missing>". */
  readonly Id: string;
  readonly Size: number;
  readonly Tags: readonly string[] | null;
}

/** One line of `DELETE /images/{name}`: either field. */
export interface ImageDeleteItem {
  readonly Deleted?: string;
  readonly Untagged?: string;
}

/** Answer of `POST /images/prune`. */
export interface ImagesPruneResponse {
  readonly ImagesDeleted: readonly ImageDeleteItem[] | null;
  readonly SpaceReclaimed: number;
}
