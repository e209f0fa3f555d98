import { invalid } from '#/base/errors.ts';
import { attestationParts, attestedBy } from '#/oci/attestation.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { type ImageConfig, maxConfigBytes, parseImageConfig } from '#/oci/image-config.ts';
import { kindOf, type Manifest, maxManifestBytes, parseManifest } from '#/oci/manifest.ts';
import type { Reference } from '#/oci/reference.ts';
import type { ArchiveFiles } from './archive-files.ts';

/** An image that an archive has, checked but not unpacked. */
export interface ArchivedImage {
  readonly id: Digest;
  readonly config: ImageConfig;
  readonly configBytes: Buffer;
  readonly manifest: Buffer;
  /** Lowest first, as many as the configuration has diff ids. */
  readonly layers: readonly Descriptor[];
  readonly names: readonly Reference[];
  readonly parent: Digest | undefined;
}

/** An index that an archive has, with those of its parts that it has, too. */
export interface ArchivedIndex {
  readonly id: Digest;
  readonly bytes: Buffer;
  /** By the digests of their manifests. */
  readonly images: ReadonlyMap<Digest, ArchivedImage>;
  /** Everything of its attestations. */
  readonly attestations: readonly Digest[];
  readonly names: readonly Reference[];
}

/**
 * What a descriptor leads to, if that is an index that is kept as a whole: one of several images of the archive, or of one with
 * attestations. Undefined for all else. Throws `invalid` for images that are malformed.
 */
export async function archivedIndex(
  files: ArchiveFiles,
  descriptor: Descriptor,
): Promise<Omit<ArchivedIndex, 'names'> | undefined> {
  const isHere = files.findBlob(descriptor.digest) !== undefined;
  if (kindOf(descriptor.mediaType) !== 'index' || !isHere) return undefined;
  const bytes = await files.read(sized(files, descriptor), maxManifestBytes);
  const document = parseManifest(bytes, descriptor.mediaType);
  if (document.kind !== 'index') return undefined;
  const images = new Map<Digest, ArchivedImage>();
  const attestations: Digest[] = [];
  for (const listed of document.manifests) {
    if (files.findBlob(listed.digest) === undefined || kindOf(listed.mediaType) !== 'manifest') continue;
    if (attestedBy(listed) !== undefined) attestations.push(...(await attestationBlobs(files, listed)));
    else if (listed.platform?.os === 'linux') images.set(listed.digest, await imageAt(files, listed));
  }
  const isWhole = images.size > 1 || (images.size === 1 && attestations.length > 0);
  return isWhole ? { id: descriptor.digest, bytes, images, attestations } : undefined;
}

/** The image that the descriptor of a manifest leads to. */
async function imageAt(files: ArchiveFiles, descriptor: Descriptor): Promise<ArchivedImage> {
  const bytes = await files.read(sized(files, descriptor), maxManifestBytes);
  const document = parseManifest(bytes, descriptor.mediaType);
  if (document.kind !== 'manifest') throw invalid(`${descriptor.digest} is not a manifest`);
  return imageOf(files, document, bytes);
}

/** The image of a manifest, whose layers the archive must have. */
export async function imageOf(
  files: ArchiveFiles,
  document: Manifest,
  manifest: Buffer,
): Promise<ArchivedImage> {
  const configBytes = await files.read(sized(files, document.config), maxConfigBytes);
  for (const layer of document.layers) sized(files, layer);
  return {
    id: document.config.digest,
    config: readConfig(configBytes, document.layers.length),
    configBytes,
    manifest,
    layers: document.layers,
    names: [],
    parent: undefined,
  };
}

/** The manifest with statements and all that it refers to; nothing if the archive lacks a part. */
async function attestationBlobs(files: ArchiveFiles, descriptor: Descriptor): Promise<Digest[]> {
  const { config, statements } = attestationParts(
    await files.read(sized(files, descriptor), maxManifestBytes),
  );
  const parts = [descriptor, config, ...statements];
  if (parts.some(({ digest }) => files.findBlob(digest) === undefined)) return [];
  return parts.map((part) => sized(files, part).digest);
}

/** The file that a descriptor means, which must have exactly the size that it says. */
export function sized(
  files: ArchiveFiles,
  { digest, size }: Descriptor,
): { readonly digest: Digest; readonly size: number } {
  const file = files.blob(digest);
  if (file.size !== size)
    throw invalid(`Content ${digest} has ${file.size} bytes, its descriptor says ${size}`);
  return file;
}

/** Reads the configuration of an image with this many layers. */
export function readConfig(bytes: Buffer, layers: number): ImageConfig {
  const config = parseImageConfig(bytes);
  if (config.diffIds.length !== layers) {
    throw invalid(
      `invalid manifest, layers length mismatch: expected ${layers}, got ${config.diffIds.length}`,
    );
  }
  if (config.os !== '' && config.os !== 'linux') throw invalid(`cannot load ${config.os} image on linux`);
  return config;
}
