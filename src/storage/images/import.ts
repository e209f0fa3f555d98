import { Readable } from 'node:stream';
import { nowText } from '#/base/time.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { encodeImageConfig, type ImageRuntimeConfig } from '#/oci/image-config.ts';
import { encodeManifest } from '#/oci/manifest.ts';
import { layerMediaType, mediaTypes } from '#/oci/media-types.ts';
import type { Platform } from '#/oci/platform.ts';
import type { Reference } from '#/oci/reference.ts';
import { undoForeign } from '../archive/foreign-compression.ts';
import type { ChainId } from '../chain-id.ts';
import { compressionOf } from './archive-images.ts';
import type { AddedImage, ImageParts } from './record.ts';

/** What an image is made of beside its one layer. */
export interface ImportOptions {
  readonly config: ImageRuntimeConfig;
  readonly message: string;
  readonly platform: Platform;
  readonly name: Reference | undefined;
  /** Ends the import before it has changed anything. */
  readonly signal?: AbortSignal;
}

/** Makes an image of one layer from the archive of a file system, compressed or not. A failure leaves nothing behind. */
export async function importImage(
  parts: ImageParts,
  source: AsyncIterable<Uint8Array>,
  { config, message, platform, name, signal }: ImportOptions,
): Promise<AddedImage> {
  const { content, layers, images } = parts;
  const stored: Digest[] = [];
  const tops: ChainId[] = [];
  // The stack lets go of the holds first, then removes what did not become part of an image.
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    for (const top of tops) await layers.release(top);
    for (const blob of stored) await images.dropBlob(blob);
  });
  const hold = stack.use(content.hold());
  const layerHold = stack.use(layers.hold());
  const ingest = async (bytes: AsyncIterable<Uint8Array>): Promise<{ digest: Digest; size: number }> => {
    const blob = await content.ingest(bytes, { hold });
    stored.push(blob.digest);
    return blob;
  };
  const blob = await ingest(await undoForeign(source));
  const mediaType = layerMediaType(await compressionOf(content, blob.digest));
  const layer = await layers.unpack({
    blob: blob.digest,
    mediaType,
    hold: layerHold,
    ...(signal && { signal }),
  });
  tops.push(layer.chainId);
  const created = nowText();
  const configBytes = encodeImageConfig({
    ...platform,
    author: '',
    created,
    comment: message,
    dockerVersion: '',
    config,
    diffIds: [layer.diffId],
    history: [{ created, createdBy: '', author: '', comment: message, emptyLayer: false }],
  });
  const id = digestOf(configBytes);
  const described = { mediaType: mediaTypes.config, digest: id, size: configBytes.length };
  const manifestBytes = encodeManifest(described, [{ mediaType, ...blob }]);
  await ingest(Readable.from([configBytes]));
  const { digest: manifest } = await ingest(Readable.from([manifestBytes]));
  await content.flush();
  signal?.throwIfAborted();
  const [added] = images.add([
    {
      id,
      configBytes,
      manifest,
      chainId: layer.chainId,
      parent: undefined,
      size: layer.size,
      blobs: [id, manifest, blob.digest],
      names: name === undefined ? [] : [name],
      tagged: name === undefined ? undefined : created,
    },
  ]);
  return added as AddedImage;
}
