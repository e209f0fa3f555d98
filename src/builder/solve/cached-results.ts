import type { Digest } from '#/oci/digest.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Layers } from '#/storage/layers.ts';
import { addInlineCache } from '../cache/exchange/cache-config.ts';
import type { ExportedResults } from '../cache/exchange/cache-exchange.ts';
import type { CachedResult } from '../cache/exchange/cache-package.ts';
import type { PlatformImage } from '../export/image-package.ts';

/** The results of a build's steps, by their keys, for others to have them as cache. */
export class CachedResults {
  readonly #byKey = new Map<Digest, CachedResult>();
  /** The layers of images that results became, by key. */
  readonly #places = new Map<Digest, Set<ChainId>>();

  /** Adds the result of a step, which is `chainId` where images have it: a linked one is on others there. */
  add(result: CachedResult, chainId: ChainId | undefined): void {
    this.#byKey.set(result.key, result);
    const places = this.#places.get(result.key) ?? new Set();
    this.#places.set(result.key, places.add(chainId ?? result.layer));
  }

  /** All, and those that are layers of images. */
  forExport(images: readonly PlatformImage[], layers: Layers): ExportedResults {
    const needed = new Set(images.flatMap((image) => chainOf(image, layers)));
    const all = [...this.#byKey.values()].map((result) => {
      const places = [...(this.#places.get(result.key) ?? [])].filter((chainId) => needed.has(chainId));
      const diffId = layers.get(result.layer)?.diffId;
      // As the image has it, where that is the same archive: it is packed once.
      const same = places.find((chainId) => layers.get(chainId)?.diffId === diffId);
      return { isOfImage: places.length > 0, result: { ...result, layer: same ?? result.layer } };
    });
    const ofImages = all.filter(({ isOfImage }) => isOfImage);
    return { all: all.map(({ result }) => result), ofImages: ofImages.map(({ result }) => result) };
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
