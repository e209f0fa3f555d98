import type { Layers } from '#/storage/layers.ts';
import type { ImageSummary } from '#/wire/images.ts';
import type { Volume } from '#/wire/volumes.ts';
import type { Containers } from './containers/containers.ts';
import type { ContainerView } from './containers/view.ts';
import type { Images } from './images.ts';
import type { Volumes } from './volumes.ts';

/** Which parts of the disk usage are asked for. */
export type DiskUsageKind = 'container' | 'image' | 'volume' | 'build-cache';

/** What occupies the disk; a part that was not asked for is undefined. */
export interface DiskUsageView {
  /** Bytes of all layers. */
  readonly layersSize: number;
  readonly images: readonly ImageSummary[] | undefined;
  readonly containers: readonly ContainerView[] | undefined;
  readonly volumes: readonly Volume[] | undefined;
}

interface Parts {
  readonly images: Images;
  readonly layers: Layers;
  readonly containers: Containers;
  readonly volumes: Volumes;
}

/** Measures what is asked for. */
export async function diskUsage(parts: Parts, kinds: ReadonlySet<DiskUsageKind>): Promise<DiskUsageView> {
  const filters = new Map<string, readonly string[]>();
  return {
    layersSize: kinds.has('image') ? parts.layers.all().reduce((sum, { size }) => sum + size, 0) : 0,
    images: kinds.has('image') ? parts.images.list({ filters, sharedSize: true, all: false }) : undefined,
    containers: kinds.has('container') ? await parts.containers.list({ all: true, size: true }) : undefined,
    volumes: kinds.has('volume') ? await parts.volumes.usage() : undefined,
  };
}
