import type { LayerArchives } from '#/storage/layer-archives.ts';
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
  /** Bytes of all layers: what is unpacked, and what is kept of their archives. */
  readonly layersSize: number;
  readonly images: readonly ImageSummary[] | undefined;
  readonly containers: readonly ContainerView[] | undefined;
  readonly volumes: readonly Volume[] | undefined;
}

interface Parts {
  readonly images: Images;
  readonly layers: Layers;
  readonly archives: LayerArchives;
  readonly containers: Containers;
  readonly volumes: Volumes;
}

/** Measures what is asked for. */
export async function diskUsage(parts: Parts, kinds: ReadonlySet<DiskUsageKind>): Promise<DiskUsageView> {
  const filters = new Map<string, readonly string[]>();
  const kept = new Map<string, number>();
  let layersSize = 0;
  for (const layer of kinds.has('image') ? parts.layers.all() : []) {
    const bytes = await parts.archives.keptBytes(layer);
    kept.set(layer.chainId, bytes);
    layersSize += layer.size + bytes;
  }
  return {
    layersSize,
    images: kinds.has('image')
      ? parts.images.list({ filters, sharedSize: true, all: false, kept })
      : undefined,
    containers: kinds.has('container') ? await parts.containers.list({ all: true, size: true }) : undefined,
    volumes: kinds.has('volume') ? await parts.volumes.usage() : undefined,
  };
}
