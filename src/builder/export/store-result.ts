import { type Digest, digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { canonicalString } from '#/oci/reference.ts';
import type { AddedImage } from '#/storage/images/record.ts';
import type { Output } from '../request.ts';
import { annotationsAt, readImageOptions } from './image-options.ts';
import type { PlatformImage } from './image-package.ts';
import { LayerBlobs } from './layer-blobs.ts';
import { type OutputReport, packageResult, reportOf } from './package-result.ts';
import { storeImage } from './store-image.ts';
import { storeIndex } from './store-index.ts';
import type { Transfer, TransferParts } from './transfer.ts';

/** What results are stored with. */
export interface StoreParts extends TransferParts {
  /** Hears of images that have come into the store. */
  readonly onStored: (added: AddedImage) => void;
}

/** An output that ends in the store. */
export type StoreOutput = Extract<Output, { readonly kind: 'image' | 'registry' }>;

/**
 * Puts the result of a build into the store. One image is stored as such; several, or one about which something is to be said in so many
 * words, with an index.
 */
export async function storeResult(
  { names, options }: StoreOutput,
  images: readonly PlatformImage[],
  transfer: Omit<Transfer, 'parts'> & { readonly parts: StoreParts },
): Promise<OutputReport & { readonly stored: Digest }> {
  const { parts, attestations, progress, signal } = transfer;
  const read = readImageOptions(options);
  const shown = names.map(canonicalString);
  const [image, ...more] = images;
  if (image !== undefined && more.length === 0 && !attestations.isExplicit) {
    const id = digestOf(image.configBytes);
    const started = new Date();
    progress({ id: `writing image ${id}`, current: 0, total: 0, started });
    const annotations = annotationsAt(read, 'manifest', image.platform);
    const added = await storeImage(parts.images, image, { names, annotations });
    progress({ id: `writing image ${id}`, current: 0, total: 0, started, completed: new Date() });
    tellNames(shown, transfer);
    parts.onStored(added);
    const bytes = image.configBytes;
    const descriptor = { mediaType: mediaTypes.dockerConfig, digest: id, size: bytes.length };
    const metadata = new Map<string, string>([
      ['containerimage.config.digest', id],
      // In a store of images by configuration that is what the image is called.
      ['containerimage.digest', id],
      ...(names.length === 0 ? [] : [['image.name', shown.join(',')] as const]),
    ]);
    return { stored: id, metadata, image: { descriptor, documents: [{ descriptor, bytes }] } };
  }
  await using layers = new LayerBlobs(parts.images, signal);
  // Layers are not compressed before somebody needs that.
  const kept = { ...read, pack: { ...read.pack, compression: 'kept' as const } };
  const made = await packageResult(images, { attestations, progress, layers, names, options: kept });
  const added = await storeIndex(parts.images, { images, made }, names);
  parts.onStored(added);
  tellNames(shown, transfer);
  const { metadata, ...report } = reportOf(made, shown);
  // What is known here is the whole.
  const known = new Map([...metadata].filter(([key]) => key !== 'containerimage.config.digest'));
  return { ...report, metadata: known, stored: added.id };
}

function tellNames(names: readonly string[], { progress }: Pick<Transfer, 'progress'>): void {
  for (const name of names) {
    const now = new Date();
    progress({ id: `naming to ${name}`, current: 0, total: 0, started: now, completed: now });
  }
}
