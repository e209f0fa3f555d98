import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { parseJson } from '#/oci/json.ts';
import { kindOf, maxManifestBytes, parseManifest, parseStoredManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { ContentStore } from '#/storage/content/content-store.ts';
import type { ImageParts, ImageRecord } from '#/storage/images/record.ts';
import type { ImageManifest, OciDescriptor } from '#/wire/images.ts';
import { wirePlatform } from './distribution.ts';
import { platformOf } from './inspect.ts';
import type { ImageUsers } from './users.ts';

/** What an image is a part of, and the parts of that. */
export interface ImageManifests {
  /** The index that the image was pulled with, or its own manifest. */
  readonly Descriptor: OciDescriptor;
  readonly Manifests: readonly ImageManifest[];
}

/** With these annotations BuildKit marks what tells how another manifest of the index was made. */
const referenceType = 'vnd.docker.reference.type';
const referenceDigest = 'vnd.docker.reference.digest';

/**
 * The manifests of the index that an image was pulled with, those that are here marked as available; for an image that
 * came without an index, its manifest alone.
 */
export async function manifestsOf(
  parts: ImageParts,
  users: ImageUsers,
  record: ImageRecord,
): Promise<ImageManifests> {
  const { content, images } = parts;
  const here = new Map(images.list().map((image) => [image.manifest, image]));
  for (const { digest } of images.namesOf(record.id)) {
    const index = digest === undefined ? undefined : await readIndex(content, digest);
    if (index === undefined) continue;
    const summaries = index.manifests.map((descriptor) =>
      summaryOf(parts, users, { descriptor, image: here.get(descriptor.digest) }),
    );
    return { Descriptor: index.descriptor, Manifests: await Promise.all(summaries) };
  }
  const bytes = await content.read(record.manifest, maxManifestBytes);
  const descriptor = {
    mediaType: parseStoredManifest(bytes).mediaType,
    digest: record.manifest,
    size: bytes.length,
  };
  return {
    Descriptor: descriptor,
    Manifests: [await summaryOf(parts, users, { descriptor, image: record })],
  };
}

async function summaryOf(
  { content }: ImageParts,
  users: ImageUsers,
  { descriptor, image }: { descriptor: Descriptor; image: ImageRecord | undefined },
): Promise<ImageManifest> {
  const { mediaType, digest, size, annotations, platform } = descriptor;
  const stored = image === undefined ? 0 : await contentSize(content, image.manifest);
  const unpacked = image?.size ?? 0;
  const subject =
    annotations?.[referenceType] === 'attestation-manifest' ? annotations[referenceDigest] : undefined;
  const shown = image === undefined ? platform : platformOf(image.config);
  const summary = {
    ID: digest,
    Descriptor: {
      mediaType,
      digest,
      size,
      ...(annotations === undefined ? {} : { annotations }),
      ...(platform === undefined ? {} : { platform: wirePlatform(platform) }),
    },
    Available: image !== undefined,
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

/** Bytes of the blobs that are here: manifest, configuration and layers. */
async function contentSize(content: ContentStore, manifest: Digest): Promise<number> {
  const bytes = await content.read(manifest, maxManifestBytes);
  const { config, layers } = parseStoredManifest(bytes);
  let sum = bytes.length;
  for (const { digest, size } of [config, ...layers]) if (await content.has(digest)) sum += size;
  return sum;
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
  const mediaType = document.get('mediaType').optional((field) => field.string()) ?? mediaTypes.index;
  if (kindOf(mediaType) !== 'index') return undefined;
  const index = parseManifest(bytes, mediaType);
  if (index.kind !== 'index') return undefined;
  return { descriptor: { mediaType, digest, size: bytes.length }, manifests: index.manifests };
}
