import { nowText } from '#/base/time.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import type { Reference } from '#/oci/reference.ts';
import type { AddedImage, ImageParts, NewImage } from '#/storage/images/record.ts';
import type { ImagePackage, PlatformImage } from './image-package.ts';
import { StoredDocuments } from './stored-documents.ts';

/**
 * Puts several images, or one with attestations, into the store as a whole: an index, its documents, and the images that it
 * lists. Their layers are there already, held by the caller; `made` describes them as they are kept.
 */
export async function storeIndex(
  parts: ImageParts,
  { images, made }: { images: readonly PlatformImage[]; made: ImagePackage },
  names: readonly Reference[],
): Promise<AddedImage> {
  await using documents = new StoredDocuments(parts);
  const manifests = new Map(made.images.map(({ config, manifest }) => [config.digest, manifest.digest]));
  const found: NewImage[] = [];
  for (const image of images) {
    const manifest = manifests.get(digestOf(image.configBytes));
    if (manifest === undefined) throw new Error('an image has no manifest');
    found.push(await newImage(parts, documents, { image, manifest }));
  }
  const configs = new Set(found.map(({ id }) => id));
  const own: Digest[] = [];
  for (const { descriptor, bytes } of [...made.documents, ...made.texts]) {
    await documents.keep(bytes, descriptor.digest);
    if (!configs.has(descriptor.digest)) own.push(descriptor.digest);
  }
  await parts.content.flush();
  const index = {
    id: made.top.digest,
    bytes: made.topBytes,
    images: new Map([...manifests].map(([config, manifest]) => [manifest, config])),
    blobs: own,
    names,
    tagged: names.length === 0 ? undefined : nowText(),
  };
  const added = parts.images.add(found, [index]).at(-1);
  if (added === undefined) throw new Error('the store has taken no index');
  return added;
}

async function newImage(
  { layers }: ImageParts,
  documents: StoredDocuments,
  { image: { configBytes, chainId }, manifest }: { image: PlatformImage; manifest: Digest },
): Promise<NewImage> {
  const id = digestOf(configBytes);
  const chain = chainId === undefined ? [] : layers.chain(chainId);
  return {
    id,
    configBytes,
    manifest,
    chainId,
    parent: undefined,
    size: chain.reduce((sum, { size }) => sum + size, 0),
    blobs: [id, manifest, ...(await documents.layersOf(chainId))],
    names: [],
    tagged: undefined,
  };
}
