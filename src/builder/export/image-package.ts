import { invalid } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { formatPlatform, type Platform } from '#/oci/platform.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import {
  type Attestation,
  attestationManifest,
  configDocument,
  type Document,
  imageIndex,
  imageManifest,
} from './documents.ts';
import { annotationsAt, type ImageOptions } from './image-options.ts';
import type { ExportBlob, LayerBlob, LayerBlobs } from './layer-blobs.ts';

/** An image that a build has made for one platform. */
export interface PlatformImage {
  readonly platform: Platform;
  readonly configBytes: Buffer;
  /** Its topmost layer. */
  readonly chainId: ChainId | undefined;
}

/** One image of a package. */
export interface PackagedImage {
  readonly platform: Platform;
  readonly manifest: Descriptor;
  readonly config: Descriptor;
  readonly layers: readonly LayerBlob[];
}

/** Everything of what a build has made, as it goes into an archive or to a registry. */
export interface ImagePackage {
  /** The manifest, or the index of several images or of one with attestations. */
  readonly top: Descriptor;
  readonly images: readonly PackagedImage[];
  /** Manifests and indexes that are not the top. */
  readonly documents: readonly Document[];
  readonly topBytes: Buffer;
  /** Configurations and statements. */
  readonly texts: readonly Document[];
  /** All that documents refer to and that is none itself: configurations, layers, statements; each once. */
  readonly blobs: ReadonlyMap<Digest, ExportBlob>;
}

/** How a package is made. */
export interface PackageRequest {
  readonly images: readonly PlatformImage[];
  readonly options: ImageOptions;
  readonly layers: LayerBlobs;
  /** What is to be said about an image, now that its manifest is known. */
  readonly attest?:
    | ((image: PlatformImage, manifest: Descriptor) => Promise<readonly Attestation[]>)
    | undefined;
}

/** Makes the documents for what a build has made. The same images and options give the same bytes. */
export async function packageImages({
  images,
  options,
  layers,
  attest,
}: PackageRequest): Promise<ImagePackage> {
  const blobs = new Map<Digest, ExportBlob>();
  const texts: Document[] = [];
  const made: { image: PackagedImage; document: Document; source: PlatformImage }[] = [];
  for (const source of images) {
    const { platform, configBytes, chainId } = source;
    const config = configDocument(configBytes);
    const packed = await layers.of(chainId, options.pack);
    const annotations = annotationsAt(options, 'manifest', platform);
    const descriptors = packed.map(({ descriptor }) => descriptor);
    const document = imageManifest(config.descriptor, descriptors, {
      ociTypes: options.ociTypes,
      annotations,
    });
    texts.push(config);
    for (const blob of packed) blobs.set(blob.descriptor.digest, blob);
    const image = { platform, manifest: document.descriptor, config: config.descriptor, layers: packed };
    made.push({ image, document, source });
  }
  const all = made.map(({ image }) => image);
  const statements: Document[] = [];
  for (const { source, document } of made) {
    const attestations = (await attest?.(source, document.descriptor)) ?? [];
    if (attestations.length === 0) continue;
    const { manifest, config, layers: said } = attestationManifest(document.descriptor.digest, attestations);
    texts.push(config, ...said);
    statements.push(manifest);
  }
  for (const text of texts) blobs.set(text.descriptor.digest, inMemory(text));
  const [only] = made;
  if (only !== undefined && made.length === 1 && statements.length === 0) {
    if (options.annotations.some(({ place }) => place.startsWith('index')))
      throw invalid('index annotations not supported for single platform export');
    const annotations = annotationsAt(options, 'manifest-descriptor', only.source.platform);
    const top = withAnnotations(only.document.descriptor, annotations);
    return { top, topBytes: only.document.bytes, documents: [], texts, images: all, blobs };
  }
  // Attestations are OCI's; an index of Docker's kind may not have them.
  const ociTypes = options.ociTypes || statements.length > 0;
  const entries = made.map(({ document, source: { platform } }) => ({
    ...withAnnotations(document.descriptor, annotationsAt(options, 'manifest-descriptor', platform)),
    platform,
  }));
  const index = imageIndex([...entries, ...statements.map(({ descriptor }) => descriptor)], {
    ociTypes,
    annotations: annotationsAt(options, 'index'),
  });
  return {
    top: withAnnotations(index.descriptor, annotationsAt(options, 'index-descriptor')),
    topBytes: index.bytes,
    documents: [...made.map(({ document }) => document), ...statements],
    texts,
    images: all,
    blobs,
  };
}

/** The only image of a package. Throws `invalid` for outputs that cannot hold several. */
export function onlyImage({ images }: Pick<ImagePackage, 'images'>, what: string): PackagedImage {
  const [only, ...more] = images;
  if (only !== undefined && more.length === 0) return only;
  const platforms = images.map(({ platform }) => formatPlatform(platform)).join(', ');
  throw invalid(
    `${what} holds one image, not those for ${platforms}: build for one platform or use type=oci`,
  );
}

function inMemory({ descriptor, bytes }: Document): ExportBlob {
  return { descriptor, open: (start) => [bytes.subarray(start)] };
}

function withAnnotations(descriptor: Descriptor, annotations: Readonly<Record<string, string>>): Descriptor {
  return Object.keys(annotations).length === 0 ? descriptor : { ...descriptor, annotations };
}
