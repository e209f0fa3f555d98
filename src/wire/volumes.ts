import type { StringMap } from './containers.ts';

/** A named volume. */
export interface Volume {
  readonly CreatedAt: string;
  readonly Driver: string;
  readonly Labels: StringMap | null;
  readonly Mountpoint: string;
  readonly Name: string;
  readonly Options: StringMap | null;
  readonly Scope: 'local' | 'global';
  readonly Status?: Readonly<Record<string, unknown>>;
  /** Only in `GET /system/df`; -1 is unknown. */
  readonly UsageData?: { readonly RefCount: number; readonly Size: number };
}

/** Body of `POST /volumes/create`. An empty name asks for a random one. */
export interface VolumeCreateRequest {
  readonly Name?: string;
  readonly Driver?: string;
  readonly DriverOpts?: StringMap | null;
  readonly Labels?: StringMap | null;
}

/** Answer of `GET /volumes`. */
export interface VolumeListResponse {
  readonly Volumes: readonly Volume[] | null;
  readonly Warnings: readonly string[] | null;
}

/** Answer of `POST /volumes/prune`. */
export interface VolumesPruneResponse {
  readonly VolumesDeleted: readonly string[] | null;
  readonly SpaceReclaimed: number;
}
