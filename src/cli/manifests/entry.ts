import { mediaTypes } from '#/oci/media-types.ts';

/** For which machines an image is, with the names of the image formats (image-spec, image-index.md). */
export interface EntryPlatform {
  architecture: string;
  os: string;
  'os.version'?: string;
  'os.features'?: string[];
  variant?: string;
}

/** What a list says of one of its images. */
export interface EntryDescriptor {
  readonly mediaType: string;
  readonly digest: string;
  /** Bytes. */
  readonly size: number;
  readonly annotations?: Readonly<Record<string, string>>;
  platform?: EntryPlatform;
}

/** An image of a list, as docker keeps it in `~/.docker/manifests` and shows it: the names are docker's. */
export interface ManifestEntry {
  /** The complete name. */
  readonly Ref: string;
  readonly Descriptor: EntryDescriptor;
  /** The bytes of the manifest in base64. */
  readonly Raw?: string;
  readonly SchemaV2Manifest?: object;
  readonly OCIManifest?: object;
}

/** An entry for a manifest. */
export function makeEntry(
  name: string,
  { bytes, descriptor }: { bytes: Uint8Array; descriptor: EntryDescriptor },
): ManifestEntry {
  const document = JSON.parse(Buffer.from(bytes).toString()) as object;
  const kept = { Ref: name, Descriptor: descriptor, Raw: Buffer.from(bytes).toString('base64') };
  return descriptor.mediaType === mediaTypes.dockerManifest
    ? { ...kept, SchemaV2Manifest: document }
    : { ...kept, OCIManifest: document };
}

/** The list that entries make, as docker writes it: an OCI index if the first is an OCI manifest, else Docker's own kind. */
export function listOf(entries: readonly Pick<ManifestEntry, 'Descriptor'>[]): {
  mediaType: string;
  text: string;
} {
  const isOci = entries[0]?.Descriptor.mediaType === mediaTypes.manifest;
  const mediaType = isOci ? mediaTypes.index : mediaTypes.dockerIndex;
  const manifests = entries.map(
    ({ Descriptor: { mediaType: type, size, digest, annotations, platform } }) => ({
      mediaType: type,
      size,
      digest,
      ...(annotations !== undefined && { annotations }),
      ...(platform !== undefined && { platform: orderedPlatform(platform) }),
    }),
  );
  return { mediaType, text: JSON.stringify({ schemaVersion: 2, mediaType, manifests }, null, 3) };
}

/** The members in docker's order, without those that say nothing. */
export function orderedPlatform(platform: EntryPlatform): EntryPlatform {
  const { architecture, os, variant } = platform;
  const [version, features] = [platform['os.version'], platform['os.features']];
  return {
    architecture,
    os,
    ...(version && { 'os.version': version }),
    ...(features && features.length > 0 && { 'os.features': features }),
    ...(variant && { variant }),
  };
}
