import type { Digest } from '#/oci/digest.ts';
import type { ImageConfig } from '#/oci/image-config.ts';
import type { Reference } from '#/oci/reference.ts';
import type { ChainId } from '../chain-id.ts';
import type { ContentStore } from '../content/content-store.ts';
import type { ImageStore } from '../images.ts';
import type { LayerArchives } from '../layer-archives.ts';
import type { Layers } from '../layers.ts';

/** An image that can be run. Values are replaced, never changed in place. */
export interface ImageRecord {
  /** Digest of its configuration. */
  readonly id: Digest;
  readonly config: ImageConfig;
  /** The blob that lists configuration and layers. */
  readonly manifest: Digest;
  /** The topmost layer; undefined for an image without any. */
  readonly chainId: ChainId | undefined;
  /** The image that it was made from on this machine, as far as that is known. */
  readonly parent: Digest | undefined;
  /** Bytes of file content of all layers. */
  readonly size: number;
  /** When somebody last gave it a name here, RFC 3339; undefined if it only has those that it came with. */
  readonly tagged: string | undefined;
}

/** A complete image to be added: its blobs are stored and its layers unpacked, and both are held. */
export interface NewImage extends Omit<ImageRecord, 'config'> {
  /** The document that `id` is the digest of. */
  readonly configBytes: Buffer;
  /** Every blob that saving the image needs. */
  readonly blobs: readonly Digest[];
  /** Further blobs that are to be kept with the image, also if it is there already: indexes that it is listed in. */
  readonly documents?: readonly Digest[];
  /** What it is to be called, complete. */
  readonly names: readonly Reference[];
}

/** A name that was given, and the other image that had it until then. */
interface GivenName {
  readonly reference: Reference;
  readonly previous: Digest | undefined;
}

/** An image that was added, or was there already. */
export interface AddedImage {
  readonly image: ImageRecord;
  readonly names: readonly GivenName[];
}

/** What the functions on images work with. */
export interface ImageParts {
  readonly images: ImageStore;
  readonly content: ContentStore;
  readonly layers: Layers;
  readonly archives: LayerArchives;
}
