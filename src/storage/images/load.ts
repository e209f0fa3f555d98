import { Readable } from 'node:stream';
import type { Digest } from '#/oci/digest.ts';
import type { Platform } from '#/oci/platform.ts';
import { type ChainId, chainIdOf } from '../chain-id.ts';
import type { Hold } from '../holds.ts';
import type { ImageStore } from '../images.ts';
import type { Layers } from '../layers.ts';
import type { UnpackAhead } from '../unpack-ahead.ts';
import type { ChainLayer } from '../unpack-chain.ts';
import { ArchiveFiles } from './archive-files.ts';
import { archivedImages } from './archive-images.ts';
import type { ArchivedImage, ArchivedIndex } from './archive-index.ts';
import type { AddedImage, ImageParts, NewImage, NewIndex } from './record.ts';

/** How far a layer is. Bytes of its blob. */
export interface LayerProgress {
  readonly diffId: Digest;
  readonly current: number;
  readonly total: number;
}

/** What a load may be told. */
export interface LoadOptions {
  /** Only images for this platform, also of those for several. Default: all. */
  readonly platform?: Platform | undefined;
  readonly onProgress?: (progress: LayerProgress) => void;
  /** Ends the load before it has changed anything. */
  readonly signal?: AbortSignal;
}

/**
 * Loads all images of an archive that `docker save` or a tool for OCI image layouts wrote, compressed or not; the result has those
 * that stand for themselves, not those of an index. All or nothing: images and names appear in one transaction when every blob, layer and diff id was found right; a failure
 * leaves nothing behind. Throws `invalid`, `tooLarge`.
 */
export async function loadImages(
  parts: ImageParts,
  source: AsyncIterable<Uint8Array>,
  options: LoadOptions = {},
): Promise<AddedImage[]> {
  const { content, layers, images } = parts;
  const ahead = layers.unpackAhead();
  const files = new ArchiveFiles(content, ahead);
  const manifests: Digest[] = [];
  const tops: ChainId[] = [];
  // The stack lets go of the holds first, then removes what did not become part of an image.
  await using stack = new AsyncDisposableStack();
  stack.defer(async () => {
    for (const top of tops) await layers.release(top);
    for (const blob of [...files.blobs, ...manifests]) await images.dropBlob(blob);
  });
  const blobHold = stack.use(content.hold());
  const hold = stack.use(layers.hold());
  stack.use(ahead);
  await files.ingest(source, blobHold);
  const archive = await archivedImages({ files, content, platform: options.platform });
  const own = archive.images.length;
  const all = [...archive.images, ...archive.indexes.flatMap((index) => [...index.images.values()])];
  const found: NewImage[] = [];
  for (const archived of all) {
    const { digest: manifest } = await content.ingest(Readable.from([archived.manifest]), { hold: blobHold });
    manifests.push(manifest);
    const { chainId, size } = await unpackLayers(layers, archived, { ...options, hold, tops, ahead });
    const { id, configBytes, names } = archived;
    const blobs = [id, manifest, ...archived.layers.map(({ digest }) => digest)];
    const parent = parentOf(archived, all, images);
    found.push({ id, configBytes, manifest, chainId, parent, size, blobs, names, tagged: undefined });
  }
  await content.flush();
  options.signal?.throwIfAborted();
  const added = images.add(found, archive.indexes.map(newIndex));
  return [...added.slice(0, own), ...added.slice(found.length)];
}

function newIndex({ id, bytes, images, attestations, names }: ArchivedIndex): NewIndex {
  return {
    id,
    bytes,
    images: new Map([...images].map(([manifest, image]) => [manifest, image.id])),
    blobs: [...images.keys(), ...attestations],
    names,
    tagged: undefined,
  };
}

/** What one load has in the works. */
interface UnpackState {
  readonly hold: Hold<ChainId>;
  readonly tops: ChainId[];
  readonly ahead: UnpackAhead;
}

/** Unpacks what is not unpacked yet, and checks each layer against its diff id. The layers are noted for the cleanup. */
async function unpackLayers(
  layers: Layers,
  { config, layers: descriptors }: ArchivedImage,
  { hold, tops, ahead, onProgress, signal }: LoadOptions & UnpackState,
): Promise<{ chainId: ChainId | undefined; size: number }> {
  const chain = descriptors.map(({ digest: blob, mediaType, size }, index): ChainLayer => {
    return { diffId: config.diffIds[index] as Digest, blob, mediaType, size };
  });
  let parent: ChainId | undefined;
  for (const { diffId } of chain) {
    parent = chainIdOf(parent, diffId);
    tops.push(parent);
  }
  return layers.unpackChain({
    layers: chain,
    hold,
    ahead,
    signal,
    onProgress: (index, current) => {
      const { diffId, size: total } = chain[index] as ChainLayer;
      onProgress?.({ diffId, current, total });
    },
  });
}

/**
 * The parent that the archive claims, if there is such an image, its layers are the lower ones of this image, and it has
 * less history: so nothing can be its own ancestor.
 */
function parentOf(
  { parent, config }: ArchivedImage,
  archive: readonly ArchivedImage[],
  images: ImageStore,
): Digest | undefined {
  if (parent === undefined) return undefined;
  const claimed = archive.find(({ id }) => id === parent)?.config ?? images.get(parent)?.config;
  if (claimed === undefined || claimed.history.length >= config.history.length) return undefined;
  return claimed.diffIds.every((diffId, i) => diffId === config.diffIds[i]) ? parent : undefined;
}
