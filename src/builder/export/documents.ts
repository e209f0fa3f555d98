import { attestationAnnotations, attestationType } from '#/oci/attestation.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { Platform } from '#/oci/platform.ts';

/** A document and the descriptor that leads to it. */
export interface Document {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

type Annotations = Readonly<Record<string, string>>;

/** An image's manifest (image-spec, manifest.md). */
export function imageManifest(
  config: Descriptor,
  layers: readonly Descriptor[],
  { ociTypes, annotations }: { ociTypes: boolean; annotations: Annotations },
): Document {
  const mediaType = ociTypes ? mediaTypes.manifest : mediaTypes.dockerManifest;
  const members = {
    schemaVersion: 2,
    mediaType,
    config: plain(typed(config, ociTypes)),
    layers: layers.map((layer) => plain(typed(layer, ociTypes))),
    ...optional(annotations),
  };
  return documentOf(mediaType, members);
}

/** An index of manifests (image-spec, image-index.md). */
export function imageIndex(
  manifests: readonly Descriptor[],
  { ociTypes, annotations }: { ociTypes: boolean; annotations: Annotations },
): Document {
  const mediaType = ociTypes ? mediaTypes.index : mediaTypes.dockerIndex;
  const members = { schemaVersion: 2, mediaType, manifests: manifests.map(plain), ...optional(annotations) };
  return documentOf(mediaType, members);
}

/** A configuration as an image's manifest refers to it. */
export function configDocument(bytes: Buffer): Document {
  return { descriptor: { mediaType: mediaTypes.config, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** What a layer of an attestation manifest is called (in-toto, "Envelope"; BuildKit's "Attestation storage"). */
const inTotoType = 'application/vnd.in-toto+json';

/** A statement about an image, and what kind it is. */
export interface Attestation {
  readonly predicateType: string;
  readonly bytes: Buffer;
}

/**
 * Statements about an image as one more manifest, as BuildKit stores them beside it: their descriptor in an index says what
 * they are about, and a platform that nobody asks for keeps others from taking them for an image.
 */
export function attestationManifest(
  subject: Digest,
  attestations: readonly Attestation[],
): { readonly manifest: Document; readonly config: Document; readonly layers: readonly Document[] } {
  const layers = attestations.map(({ predicateType, bytes }): Document => {
    const annotations = { 'in-toto.io/predicate-type': predicateType };
    return {
      bytes,
      descriptor: { mediaType: inTotoType, digest: digestOf(bytes), size: bytes.length, annotations },
    };
  });
  const config = configDocument(
    Buffer.from(
      JSON.stringify({
        architecture: 'unknown',
        os: 'unknown',
        config: {},
        rootfs: { type: 'layers', diff_ids: layers.map(({ descriptor }) => descriptor.digest) },
      }),
    ),
  );
  const made = documentOf(mediaTypes.manifest, {
    schemaVersion: 2,
    mediaType: mediaTypes.manifest,
    config: plain(config.descriptor),
    layers: layers.map(({ descriptor }) => plain(descriptor)),
  });
  const descriptor: Descriptor = {
    ...made.descriptor,
    annotations: {
      [attestationAnnotations.digest]: subject,
      [attestationAnnotations.type]: attestationType,
    },
    platform: { os: 'unknown', architecture: 'unknown', variant: '', osVersion: '' },
  };
  return { manifest: { descriptor, bytes: made.bytes }, config, layers };
}

function documentOf(mediaType: string, members: object): Document {
  const bytes = Buffer.from(JSON.stringify(members, undefined, 2));
  return { descriptor: { mediaType, digest: digestOf(bytes), size: bytes.length }, bytes };
}

/** A descriptor with the members that it has, in the specification's order. */
function plain({ mediaType, digest, size, annotations, platform }: Descriptor): object {
  return {
    mediaType,
    digest,
    size,
    ...optional(annotations ?? {}),
    ...(platform !== undefined && { platform: platformMembers(platform) }),
  };
}

function platformMembers({ architecture, os, variant, osVersion }: Platform): object {
  return {
    architecture,
    os,
    ...(osVersion !== '' && { 'os.version': osVersion }),
    ...(variant !== '' && { variant }),
  };
}

function optional(annotations: Annotations): { annotations?: Annotations } {
  return Object.keys(annotations).length === 0 ? {} : { annotations };
}

/** OCI's and Docker's names for the same things. */
const dockerNames: ReadonlyMap<string, string> = new Map([
  [mediaTypes.config, mediaTypes.dockerConfig],
  [mediaTypes.layer, mediaTypes.dockerLayer],
  [mediaTypes.layerGzip, mediaTypes.dockerLayerGzip],
  [mediaTypes.layerZstd, mediaTypes.dockerLayerZstd],
]);
const ociNames: ReadonlyMap<string, string> = new Map([...dockerNames].map(([oci, docker]) => [docker, oci]));

function typed(descriptor: Descriptor, ociTypes: boolean): Descriptor {
  const names = ociTypes ? ociNames : dockerNames;
  return { ...descriptor, mediaType: names.get(descriptor.mediaType) ?? descriptor.mediaType };
}
