import type { Digest } from '#/oci/digest.ts';
import type { ImageConfig } from '#/oci/image-config.ts';
import type { Index } from '#/oci/manifest.ts';
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
  /** The manifest is to be this one, also if the image is there already with another. */
  readonly replacesManifest?: boolean;
  /** Further blobs that are to be kept with the image, also if it is there already: indexes that it is listed in. */
  readonly documents?: readonly Digest[];
  /** What it is to be called, complete. */
  readonly names: readonly Reference[];
}

/** One image for several platforms, or with statements about it: a document that lists manifests. Values are replaced, never changed in place. */
export interface IndexRecord {
  /** Digest of the document. */
  readonly id: Digest;
  readonly bytes: Buffer;
  readonly document: Index;
  /** The images that are here by the digests of their manifests, in the order of the document; at least one. */
  readonly images: ReadonlyMap<Digest, Digest>;
  /** As of an image. */
  readonly tagged: string | undefined;
}

/** An index to be added: its images are there or are added with it, its blobs are stored and held. */
export interface NewIndex extends Omit<IndexRecord, 'document'> {
  /** The manifests of its images, and everything of its other manifests that is here. */
  readonly blobs: readonly Digest[];
  /** What it is to be called, complete. */
  readonly names: readonly Reference[];
}

/** What a name or identifier stands for: an image, or an index. */
export interface NamedImage {
  /** What the whole is known by: of the index, if there is one. */
  readonly id: Digest;
  /** Of an index, the image for this machine; if there is none, the first. */
  readonly image: ImageRecord;
  readonly index: IndexRecord | undefined;
}

/** A name that was given, and the other image or index that had it until then. */
interface GivenName {
  readonly reference: Reference;
  readonly previous: Digest | undefined;
}

/** An image or index that was added, or was there already. */
export interface AddedImage extends NamedImage {
  readonly names: readonly GivenName[];
}

/** What the functions on images work with. */
export interface ImageParts {
  readonly images: ImageStore;
  readonly content: ContentStore;
  readonly layers: Layers;
  readonly archives: LayerArchives;
}
