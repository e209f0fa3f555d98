import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { PackOptions } from '../../export/image-options.ts';
import type { ImagePackage } from '../../export/image-package.ts';
import type { ExportBlob, LayerBlobs } from '../../export/layer-blobs.ts';
import { cacheConfigType, type ExchangedRecord, encodeCacheConfig } from './cache-config.ts';
import type { ClientContent } from './client-content.ts';

/** The result of a step that is to be known elsewhere. */
export interface CachedResult {
  readonly key: Digest;
  /** The layer that the step made. */
  readonly layer: ChainId;
  readonly created: string;
  readonly place: string;
  readonly description: string;
}

/**
 * A cache as an OCI artifact: a manifest whose configuration says which step made which layer. What steps were built on is not
 * part of it: whoever has the same base has it already.
 */
export async function packageCache(
  results: readonly CachedResult[],
  { layers, pack }: { layers: LayerBlobs; pack: PackOptions },
): Promise<ImagePackage> {
  const blobs = new Map<Digest, ExportBlob>();
  const records: ExchangedRecord[] = [];
  const descriptors = new Map<Digest, Descriptor>();
  for (const { layer, ...result } of results) {
    const blob = await layers.top(layer, pack);
    const { digest, mediaType, size } = blob.descriptor;
    blobs.set(digest, blob);
    descriptors.set(digest, { mediaType, digest, size });
    records.push({ ...result, diffId: blob.diffId, blob: digest, mediaType, size });
  }
  const config = encodeCacheConfig(records);
  const configDescriptor = { mediaType: cacheConfigType, digest: digestOf(config), size: config.length };
  blobs.set(configDescriptor.digest, {
    descriptor: configDescriptor,
    open: (start) => [config.subarray(start)],
  });
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: mediaTypes.manifest,
      config: configDescriptor,
      layers: [...descriptors.values()].toSorted((a, b) => (a.digest < b.digest ? -1 : 1)),
    }),
  );
  const top = { mediaType: mediaTypes.manifest, digest: digestOf(manifest), size: manifest.length };
  return { top, topBytes: manifest, documents: [], texts: [], images: [], blobs };
}

/** Puts a package into a store of the client's, which makes the descriptor of its top known by itself. */
export async function writePackage(
  made: ImagePackage,
  content: ClientContent,
  { signal }: { signal: AbortSignal },
): Promise<Descriptor> {
  const write = async (descriptor: Descriptor, bytes: ReturnType<ExportBlob['open']>): Promise<void> => {
    if ((await content.size(descriptor.digest, { signal })) === undefined) {
      await content.write(descriptor, bytes, { signal });
    }
  };
  for (const { descriptor, open } of made.blobs.values()) await write(descriptor, open(0));
  for (const { descriptor, bytes } of made.documents) await write(descriptor, [bytes]);
  await write(made.top, [made.topBytes]);
  await content.finish?.(made.top, { signal });
  return made.top;
}
