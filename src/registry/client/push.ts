import { notFound } from '#/base/errors.ts';
import { attestedBy } from '#/oci/attestation.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { encodeManifest, kindOf, maxManifestBytes, parseStoredManifest } from '#/oci/manifest.ts';
import { formatPlatform } from '#/oci/platform.ts';
import { moveIndex } from '#/storage/images/moved-index.ts';
import type { ImageParts, ImageRecord, IndexRecord } from '#/storage/images/record.ts';
import type { BlobSources } from './blob-sources.ts';
import { shortDigest } from './progress.ts';
import { BlobPush, type BlobsRequest } from './push-blobs.ts';
import { PushHolds } from './push-holds.ts';
import type { Slots } from './slots.ts';

/** What pushes work with. */
export interface PushParts extends ImageParts {
  readonly sources: BlobSources;
  /** Bounds how many blobs are uploaded at once. */
  readonly uploads: Slots;
}

/** One push of one tag. */
interface PushTarget extends Omit<BlobsRequest, 'image'> {
  readonly tag: string;
}

/** An image to push. */
export interface ImagePush extends PushTarget {
  readonly image: ImageRecord;
  /** The manifest that it is to have at the registry: its own, or the one by which an index lists it. */
  readonly manifest: Digest;
}

/** An index to push. */
export interface IndexPush extends PushTarget {
  readonly index: IndexRecord;
}

/** A manifest or index as it is to be at the registry. */
interface PushedDocument {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly bytes: Buffer;
}

/**
 * Pushes an image: the blobs that the registry lacks, several at once, then the manifest as it is stored, so that its
 * digest stays what it was. Returns that digest. The image is held; it may be removed meanwhile.
 */
export async function pushImage(parts: PushParts, request: ImagePush): Promise<Digest> {
  await using holds = new PushHolds(parts);
  return await putTop(request, await pushContent(parts, request, holds));
}

/**
 * Pushes an index: its images and its attestations, as far as they are here, then the index, so that its tag never leads to what is
 * not complete. Throws `notFound` for manifests that are neither here nor at the registry.
 */
export async function pushIndex(parts: PushParts, request: IndexPush): Promise<Digest> {
  const { index, repository, signal } = request;
  const { content, images } = parts;
  await using holds = new PushHolds(parts);
  for (const blob of images.blobsOf(index)) holds.use(blob);
  for (const image of images.imagesOf(index)) holdImage(holds, image);
  await refuseMissing(parts, request);
  const moves = new Map<Digest, { digest: Digest; size: number }>();
  for (const [manifest, id] of index.images) {
    const image = images.get(id);
    if (image === undefined) throw notFound(`No such image: ${id}`);
    const pushed = await pushContent(parts, { ...request, image, manifest }, holds);
    await repository.putManifest(pushed.digest, pushed, { signal });
    if (pushed.digest !== manifest) moves.set(manifest, { digest: pushed.digest, size: pushed.bytes.length });
  }
  const { digest, bytes, attestations } = await moveIndex(content, index, moves);
  for (const attestation of attestations) {
    for (const { descriptor, open } of attestation.blobs) {
      await repository.pushBlob(descriptor, (start) => from(open(), start), { signal });
    }
    await repository.putManifest(attestation.digest, attestation, { signal });
  }
  return await putTop(request, { mediaType: index.document.mediaType, digest, bytes });
}

/** Brings to the registry what the manifest of an image refers to. Returns the manifest, which is not there yet. */
async function pushContent(
  parts: PushParts,
  request: BlobsRequest & Pick<ImagePush, 'manifest'>,
  holds: PushHolds,
): Promise<PushedDocument> {
  const { image, manifest, onProgress } = request;
  holds.use(manifest);
  holdImage(holds, image);
  for (const diffId of image.config.diffIds.toReversed()) {
    onProgress({ kind: 'stage', id: shortDigest(diffId), status: 'Preparing' });
  }
  const stored = await parts.content.read(manifest, maxManifestBytes);
  const { config, layers, mediaType, annotations } = parseStoredManifest(stored);
  for (const { digest } of [config, ...layers]) holds.use(digest);
  const pushed = await new BlobPush(parts, request, holds).all(layers, config);
  if (pushed.every(({ digest }, at) => digest === layers[at]?.digest)) {
    return { mediaType, digest: manifest, bytes: stored };
  }
  const bytes = encodeManifest(config, pushed, annotations);
  return { mediaType: parseStoredManifest(bytes).mediaType, digest: digestOf(bytes), bytes };
}

function holdImage(holds: PushHolds, { id, manifest, chainId }: ImageRecord): void {
  holds.use(id);
  holds.use(manifest);
  holds.useChain(chainId);
}

async function putTop(
  { repository, tag, onProgress, signal }: PushTarget,
  top: PushedDocument,
): Promise<Digest> {
  const digest = await repository.putManifest(tag, top, { signal });
  const { length } = top.bytes;
  onProgress({ kind: 'note', status: `${tag}: digest: ${digest} size: ${length}` });
  onProgress({ kind: 'result', value: { Tag: tag, Digest: digest, Size: length } });
  return digest;
}

/** What an index lists must be here, or at the registry already. */
async function refuseMissing(
  { content }: PushParts,
  { index, repository, signal }: IndexPush,
): Promise<void> {
  for (const descriptor of index.document.manifests) {
    const { digest } = descriptor;
    if (index.images.has(digest)) continue;
    if (attestedBy(descriptor) !== undefined && (await content.has(digest))) continue;
    if ((await repository.head(digest, { signal })) !== undefined) continue;
    throw notFound(
      `cannot push ${index.id}: it lists ${shown(descriptor)}, which is neither here nor at the registry; say with a platform which of its images to push`,
    );
  }
}

function shown({ digest, mediaType, platform }: Descriptor): string {
  const kind = kindOf(mediaType) === 'manifest' ? 'the manifest' : mediaType;
  return `${kind} ${digest}${platform === undefined ? '' : ` for ${formatPlatform(platform)}`}`;
}

async function* from(
  bytes: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
  start: number,
): AsyncGenerator<Uint8Array, void, undefined> {
  let skip = start;
  for await (const chunk of bytes) {
    if (skip < chunk.length) yield chunk.subarray(skip);
    skip = Math.max(0, skip - chunk.length);
  }
}
