import type { Digest } from '#/oci/digest.ts';
import type { Layers } from '#/storage/layers.ts';
import { addInlineCache } from '../cache/exchange/cache-config.ts';
import type { ExportedResults } from '../cache/exchange/cache-exchange.ts';
import type { CachedResult } from '../cache/exchange/cache-package.ts';
import type { PlatformImage } from '../export/image-package.ts';

/** The results of a build's steps, by their keys, for others to have them as cache. */
export class CachedResults {
  readonly #byKey = new Map<Digest, CachedResult>();

  add(result: CachedResult): void {
    this.#byKey.set(result.key, result);
  }

  /** All, and those that are layers of images. */
  forExport(images: readonly PlatformImage[], layers: Layers): ExportedResults {
    const all = [...this.#byKey.values()];
    const needed = new Set(images.flatMap((image) => chainOf(image, layers)));
    return { all, ofImages: all.filter(({ layer }) => needed.has(layer)) };
  }

  /** The image with the records of the steps that made its layers. */
  inline(image: PlatformImage, layers: Layers): PlatformImage {
    const { ofImages } = this.forExport([image], layers);
    const records = ofImages.flatMap(({ layer, ...result }) => {
      const diffId = layers.get(layer)?.diffId;
      return diffId === undefined ? [] : [{ ...result, diffId }];
    });
    return { ...image, configBytes: addInlineCache(image.configBytes, records) };
  }
}

function chainOf({ chainId }: PlatformImage, layers: Layers): Digest[] {
  return chainId === undefined ? [] : layers.chain(chainId).map((layer) => layer.chainId);
}
