import { Readable } from 'node:stream';
import { nowText } from '#/base/time.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { encodeManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { Reference } from '#/oci/reference.ts';
import type { AddedImage, ImageParts } from '#/storage/images/record.ts';
import type { PlatformImage } from './image-package.ts';

/**
 * Puts an image into the store: it can be run at once. Its layers are there already, held by the caller; only its documents
 * are written. Making the same image again changes nothing but names.
 */
export async function storeImage(
  { content, layers, images, archives }: ImageParts,
  { configBytes, chainId }: PlatformImage,
  names: readonly Reference[],
): Promise<AddedImage> {
  const stored: Digest[] = [];
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    for (const blob of stored) await images.dropBlob(blob);
  });
  const hold = stack.use(content.hold());
  const keep = async (bytes: Buffer, digest: Digest): Promise<void> => {
    hold.add(digest);
    stored.push(digest);
    if (!(await content.has(digest))) await content.ingest(Readable.from([bytes]), { hold });
  };
  const chain = chainId === undefined ? [] : layers.chain(chainId);
  for (const { blob } of chain) hold.add(blob);
  const id = digestOf(configBytes);
  const known = images.get(id);
  const descriptors = await Promise.all(chain.map((layer) => archives.describe(layer)));
  const config = { mediaType: mediaTypes.config, digest: id, size: configBytes.length };
  const manifestBytes = encodeManifest(config, descriptors);
  const manifest = digestOf(manifestBytes);
  if (known === undefined) {
    await keep(configBytes, id);
    await keep(manifestBytes, manifest);
    await content.flush();
  }
  const blobs: Digest[] = [];
  for (const { blob } of chain) if (await content.has(blob)) blobs.push(blob);
  const [added] = images.add([
    {
      id,
      configBytes,
      manifest,
      chainId,
      parent: undefined,
      size: chain.reduce((sum, { size }) => sum + size, 0),
      blobs: [id, manifest, ...blobs],
      names,
      tagged: names.length === 0 ? undefined : nowText(),
    },
  ]);
  if (added === undefined) throw new Error('the store has taken no image');
  return added;
}
