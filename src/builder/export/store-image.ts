import { nowText } from '#/base/time.ts';
import { digestOf } from '#/oci/digest.ts';
import { encodeManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { Reference } from '#/oci/reference.ts';
import type { AddedImage, ImageParts } from '#/storage/images/record.ts';
import type { PlatformImage } from './image-package.ts';
import { StoredDocuments } from './stored-documents.ts';

/** What an image is to be called, and what its manifest is to say. */
export interface StoreOptions {
  readonly names: readonly Reference[];
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * Puts an image into the store: it can be run at once. Its layers are there already, held by the caller; only its documents
 * are written. Making the same image again changes nothing but names, and annotations if there are to be any.
 */
export async function storeImage(
  parts: ImageParts,
  { configBytes, chainId }: PlatformImage,
  { names, annotations = {} }: StoreOptions,
): Promise<AddedImage> {
  const { content, layers, images, archives } = parts;
  await using documents = new StoredDocuments(parts);
  const blobs = await documents.layersOf(chainId);
  const chain = chainId === undefined ? [] : layers.chain(chainId);
  const id = digestOf(configBytes);
  const known = images.get(id);
  const descriptors = await Promise.all(chain.map((layer) => archives.describe(layer)));
  const config = { mediaType: mediaTypes.config, digest: id, size: configBytes.length };
  const isAnnotated = Object.keys(annotations).length > 0;
  const manifestBytes = encodeManifest(config, descriptors, isAnnotated ? annotations : undefined);
  const manifest = digestOf(manifestBytes);
  if (known === undefined || isAnnotated) {
    await documents.keep(configBytes, id);
    await documents.keep(manifestBytes, manifest);
    await content.flush();
  }
  const [added] = images.add([
    {
      id,
      configBytes,
      manifest,
      chainId,
      parent: undefined,
      size: chain.reduce((sum, { size }) => sum + size, 0),
      blobs: [id, manifest, ...blobs],
      replacesManifest: isAnnotated,
      names,
      tagged: names.length === 0 ? undefined : nowText(),
    },
  ]);
  if (added === undefined) throw new Error('the store has taken no image');
  return added;
}
