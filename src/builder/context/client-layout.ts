import { invalid } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { parseJson } from '#/oci/json.ts';
import { type Manifest, maxManifestBytes, parseManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { type Platform, platformRank } from '#/oci/platform.ts';
import { blobPath } from '#/storage/images/archive-layout.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { type TarInput, writeTar } from '#/tar/tar-writer.ts';
import type { ClientContent } from '../cache/exchange/client-content.ts';

/** What of an image is wanted. */
interface LayoutWish {
  /** Of the manifest or the index. */
  readonly digest: Digest;
  readonly platforms: readonly Platform[];
  readonly signal: AbortSignal;
}

const maxDepth = 3;

/**
 * An image that a client has in a store of blobs, as an archive of an OCI image layout. Of an index only the images for the
 * platforms come. Documents are verified here; who reads the archive verifies the rest.
 */
export async function* layoutArchive(content: ClientContent, wish: LayoutWish): AsyncGenerator<Uint8Array> {
  yield* writeTar(entriesOf(content, wish));
}

async function* entriesOf(content: ClientContent, wish: LayoutWish): AsyncGenerator<TarInput> {
  const documents = new Map<Digest, Buffer>();
  const images = await imagesOf(content, { ...wish, documents, depth: 0, mediaType: undefined });
  const [top = Buffer.alloc(0)] = documents.values();
  const descriptor = { mediaType: mediaTypeOf(top), digest: wish.digest, size: top.length };
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [descriptor] };
  yield document('oci-layout', Buffer.from('{"imageLayoutVersion":"1.0.0"}'));
  yield document('index.json', Buffer.from(JSON.stringify(index)));
  for (const [digest, bytes] of documents) yield document(blobPath(digest), bytes);
  const seen = new Set<Digest>();
  for (const blob of images.flatMap(({ config, layers }) => [config, ...layers])) {
    if (seen.has(blob.digest)) continue;
    seen.add(blob.digest);
    yield { ...fileHeader(blobPath(blob.digest), blob.size), body: content.read(blob, wish) };
  }
}

interface Walk extends LayoutWish {
  /** What has been read, the top first. */
  readonly documents: Map<Digest, Buffer>;
  readonly depth: number;
  /** Under which it was announced. */
  readonly mediaType: string | undefined;
}

async function imagesOf(content: ClientContent, walk: Walk): Promise<Manifest[]> {
  const { digest, platforms, depth, signal } = walk;
  if (depth > maxDepth) throw invalid(`indexes are nested more than ${maxDepth} levels deep`);
  const size = await content.size(digest, { signal });
  if (size === undefined) throw invalid(`the client's store has no ${digest}`);
  if (size > maxManifestBytes) throw invalid(`${digest} in the client's store is too large for a manifest`);
  const bytes = await bytesOf(content.read({ mediaType: '', digest, size }, { signal }), size);
  if (digestOf(bytes) !== digest) throw invalid(`the client's store has something else as ${digest}`);
  walk.documents.set(digest, bytes);
  const parsed = parseManifest(bytes, walk.mediaType ?? mediaTypeOf(bytes));
  if (parsed.kind === 'manifest') return [parsed];
  const wanted = parsed.manifests.filter(
    ({ platform }) => platform === undefined || platforms.some((each) => platformRank(each, platform) > 0),
  );
  const images: Manifest[] = [];
  for (const { digest: inner, mediaType } of wanted) {
    images.push(...(await imagesOf(content, { ...walk, digest: inner, mediaType, depth: depth + 1 })));
  }
  return images;
}

async function bytesOf(pieces: AsyncIterable<Uint8Array>, size: number): Promise<Buffer> {
  const read: Uint8Array[] = [];
  let left = size;
  for await (const piece of pieces) {
    left -= piece.length;
    if (left < 0) throw invalid("a blob of the client's store is longer than it says");
    read.push(piece);
  }
  return Buffer.concat(read);
}

/** What a document says that it is. */
function mediaTypeOf(bytes: Buffer): string {
  const stated = parseJson(bytes, { what: 'manifest', maxBytes: maxManifestBytes })
    .get('mediaType')
    .optional((field) => field.string());
  return stated ?? mediaTypes.manifest;
}

function document(path: string, bytes: Buffer): TarInput & Pick<Descriptor, 'size'> {
  return { ...fileHeader(path, bytes.length), body: [bytes] };
}
