import type { StringMap } from './containers.ts';

/** What a mount shows: a path of the host, a volume, memory, an image. The last two never work here. */
export type MountType = 'bind' | 'volume' | 'tmpfs' | 'image' | 'npipe' | 'cluster';

/** Only for binds. */
export interface BindOptions {
  /** [r]private, [r]shared or [r]slave; absent is rprivate. */
  readonly Propagation?: string;
  readonly NonRecursive?: boolean;
  /** Makes a missing source directory instead of refusing. */
  readonly CreateMountpoint?: boolean;
  readonly ReadOnlyNonRecursive?: boolean;
  readonly ReadOnlyForceRecursive?: boolean;
}

/** Only for volumes. */
export interface VolumeOptions {
  /** Leaves the new volume empty instead of copying what the image has there. */
  readonly NoCopy?: boolean;
  readonly Labels?: StringMap;
  readonly Subpath?: string;
  readonly DriverConfig?: { readonly Name?: string; readonly Options?: StringMap };
}

/** Only for tmpfs. */
export interface TmpfsOptions {
  readonly SizeBytes?: number;
  /** Permission bits, in decimal. */
  readonly Mode?: number;
  /** Words, or pairs of key and value. */
  readonly Options?: readonly (readonly string[])[];
}

/** A mount that is asked for (`HostConfig.Mounts`). Absent fields are zero. */
export interface Mount {
  readonly Type?: MountType;
  readonly Source?: string;
  readonly Target?: string;
  readonly ReadOnly?: boolean;
  readonly Consistency?: string;
  readonly BindOptions?: BindOptions;
  readonly VolumeOptions?: VolumeOptions;
  readonly ImageOptions?: { readonly Subpath?: string };
  readonly TmpfsOptions?: TmpfsOptions;
}

/** A mount that a container has (`Mounts` of inspect and list). */
export interface MountPoint {
  readonly Type: MountType;
  /** Volumes only. */
  readonly Name?: string;
  readonly Source: string;
  readonly Destination: string;
  /** Volumes only. */
  readonly Driver?: string;
  readonly Mode: string;
  readonly RW: boolean;
  readonly Propagation: string;
}
