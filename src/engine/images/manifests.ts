import { attestationParts, attestedBy } from '#/oci/attestation.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { platformOf } from '#/oci/image-config.ts';
import { parseJson } from '#/oci/json.ts';
import { kindOf, maxManifestBytes, parseStoredIndex, parseStoredManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { ContentStore } from '#/storage/content/content-store.ts';
import type { ImageParts, ImageRecord, NamedImage } from '#/storage/images/record.ts';
import type { ImageManifest, OciDescriptor } from '#/wire/images.ts';
import { indexDescriptor, wireDescriptor, wirePlatform } from './descriptors.ts';
import type { ImageUsers } from './users.ts';

/** What an image is a part of, and the parts of that. */
export interface ImageManifests {
  /** The index that the image is or was pulled with, or its own manifest. */
  readonly Descriptor: OciDescriptor;
  readonly Manifests: readonly ImageManifest[];
}

/**
 * The manifests of an index, or of the one that an image was pulled with, those that are here marked as available; for an
 * image that came without an index, its manifest alone.
 */
export async function manifestsOf(
  parts: ImageParts,
  users: ImageUsers,
  { id, image, index }: NamedImage,
): Promise<ImageManifests> {
  const { content, images } = parts;
  const summarize = async (
    listed: readonly Descriptor[],
    imageOf: (manifest: Digest) => ImageRecord | undefined,
  ): Promise<ImageManifest[]> =>
    Promise.all(
      listed.map((descriptor) => summaryOf(parts, users, { descriptor, image: imageOf(descriptor.digest) })),
    );
  if (index !== undefined) {
    const imageOf = (manifest: Digest): ImageRecord | undefined =>
      images.get(index.images.get(manifest) ?? '');
    return {
      Descriptor: indexDescriptor(index),
      Manifests: await summarize(index.document.manifests, imageOf),
    };
  }
  const here = new Map(images.list().map((each) => [each.manifest, each]));
  for (const { digest } of images.namesOf(id)) {
    const pulled = digest === undefined ? undefined : await readIndex(content, digest);
    if (pulled === undefined) continue;
    const { descriptor, manifests } = pulled;
    return {
      Descriptor: descriptor,
      Manifests: await summarize(manifests, (manifest) => here.get(manifest)),
    };
  }
  const bytes = await content.read(image.manifest, maxManifestBytes);
  const { mediaType } = parseStoredManifest(bytes);
  const descriptor = { mediaType, digest: image.manifest, size: bytes.length };
  return { Descriptor: descriptor, Manifests: await summarize([descriptor], () => image) };
}

async function summaryOf(
  { content }: ImageParts,
  users: ImageUsers,
  { descriptor, image }: { descriptor: Descriptor; image: ImageRecord | undefined },
): Promise<ImageManifest> {
  const { digest, platform } = descriptor;
  const subject = attestedBy(descriptor);
  const isHere = image !== undefined || (subject !== undefined && (await content.has(digest)));
  const stored = isHere ? await contentSize(content, digest, { isAttestation: subject !== undefined }) : 0;
  const unpacked = image?.size ?? 0;
  const shown = image === undefined ? platform : platformOf(image.config);
  const summary = {
    ID: digest,
    Descriptor: wireDescriptor(descriptor),
    Available: isHere,
    Size: { Content: stored, Total: stored + unpacked },
  };
  if (subject !== undefined) return { ...summary, Kind: 'attestation', AttestationData: { For: subject } };
  if (shown === undefined || shown.os === 'unknown') return { ...summary, Kind: 'unknown' };
  const containers = image === undefined ? [] : users.containersUsing(image.id).map(({ id }) => id);
  const data = {
    Platform: wirePlatform(platform ?? shown),
    Containers: containers,
    Size: { Unpacked: unpacked },
  };
  return { ...summary, Kind: 'image', ImageData: data };
}

/** Bytes of the blobs that are here: manifest, configuration, and layers or statements. */
async function contentSize(
  content: ContentStore,
  manifest: Digest,
  { isAttestation }: { isAttestation: boolean },
): Promise<number> {
  const bytes = await content.read(manifest, maxManifestBytes);
  let sum = bytes.length;
  for (const { digest, size } of isAttestation ? attestationBlobs(bytes) : imageBlobs(bytes))
    if (await content.has(digest)) sum += size;
  return sum;
}

function imageBlobs(bytes: Buffer): readonly Descriptor[] {
  const { config, layers } = parseStoredManifest(bytes);
  return [config, ...layers];
}

function attestationBlobs(bytes: Buffer): readonly Descriptor[] {
  const { config, statements } = attestationParts(bytes);
  return [config, ...statements];
}

/** The index of this digest, if it is here and is one. */
async function readIndex(
  content: ContentStore,
  digest: Digest,
): Promise<{ descriptor: OciDescriptor; manifests: readonly Descriptor[] } | undefined> {
  if (!(await content.has(digest))) return undefined;
  const bytes = await content.read(digest, maxManifestBytes);
  const document = parseJson(bytes, { what: 'index', maxBytes: maxManifestBytes });
  if (!document.has('manifests')) return undefined;
  const stated = document.get('mediaType').optional((field) => field.string()) ?? mediaTypes.index;
  if (kindOf(stated) !== 'index') return undefined;
  const { mediaType, manifests } = parseStoredIndex(bytes);
  return { descriptor: { mediaType, digest, size: bytes.length }, manifests };
}
