import { invalid, notFound } from '#/base/errors.ts';
import { type Descriptor, readDescriptor } from '#/oci/descriptor.ts';
import { type Digest, isDigest } from '#/oci/digest.ts';
import { parseJson } from '#/oci/json.ts';
import { type Manifest, maxManifestBytes, parseManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { formatPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import { blobPath } from '#/storage/images/archive-layout.ts';
import { loadImages } from '#/storage/images/load.ts';
import type { ImageParts, ImageRecord } from '#/storage/images/record.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { fileHeader } from '#/tar/tar-entry.ts';
import { type TarInput, writeTar } from '#/tar/tar-writer.ts';
import { readDocument, readLayoutBlob } from './layout-files.ts';

/** Which image of a layout is meant. */
export interface LayoutWish {
  /** A tag, a name or a digest; empty: the only one that there is. */
  readonly reference: string;
  readonly platform: Platform;
  readonly signal: AbortSignal;
}

const maxEntries = 1000;
const maxDepth = 3;
const nameAnnotations = ['org.opencontainers.image.ref.name', 'io.containerd.image.name'];

/**
 * An image from an OCI image layout in the directory `root`, which a stranger has made: brought into the store without a name,
 * unless it is there. Everything is verified; no link is followed. Throws `notFound`, `invalid`.
 */
export async function imageFromLayout(
  parts: ImageParts,
  root: string,
  wish: LayoutWish,
): Promise<ImageRecord> {
  using layout = Directory.open(root);
  const { descriptor, manifest } = chosen(layout, wish);
  const known = parts.images.get(manifest.config.digest);
  if (known !== undefined) return known;
  const [added] = await loadImages(parts, writeTar(entries(layout, descriptor, manifest)), {
    platform: wish.platform,
    signal: wish.signal,
  });
  if (added === undefined) throw notFound(`the layout has no image for ${formatPlatform(wish.platform)}`);
  return added.image;
}

/** The layout with this image alone, and without its names. */
async function* entries(
  layout: Directory,
  { mediaType, digest, size }: Descriptor,
  manifest: Manifest,
): AsyncGenerator<TarInput> {
  const index = { schemaVersion: 2, mediaType: mediaTypes.index, manifests: [{ mediaType, digest, size }] };
  for (const [name, text] of [
    ['oci-layout', '{"imageLayoutVersion":"1.0.0"}'],
    ['index.json', JSON.stringify(index)],
  ] as const) {
    yield { ...fileHeader(name, Buffer.byteLength(text)), body: [Buffer.from(text)] };
  }
  const seen = new Set<Digest>();
  for (const blob of [{ digest, size }, manifest.config, ...manifest.layers]) {
    if (seen.has(blob.digest)) continue;
    seen.add(blob.digest);
    yield { ...fileHeader(blobPath(blob.digest), blob.size), body: readLayoutBlob(layout, blob) };
  }
}

function chosen(layout: Directory, wish: LayoutWish): { descriptor: Descriptor; manifest: Manifest } {
  const index = parseJson(readDocument(layout, 'index.json'), {
    what: 'index.json',
    maxBytes: maxManifestBytes,
  });
  const listed = index.get('manifests').list(maxEntries, readDescriptor);
  const { reference } = wish;
  const fitting =
    reference === ''
      ? listed
      : listed.filter(
          ({ digest, annotations }) =>
            digest === reference || nameAnnotations.some((name) => annotations?.[name] === reference),
        );
  const [top, ...more] = fitting;
  if (top === undefined && isDigest(reference))
    return within(layout, documentOf(layout, reference), { wish, depth: 0 });
  if (top === undefined) throw notFound(`the layout has no image ${JSON.stringify(reference)}`);
  if (more.length > 0 && reference === '') throw invalid('the layout has several images: say which is meant');
  return within(layout, top, { wish, depth: 0 });
}

/** What a client names by its digest alone: what it is, it says itself. */
function documentOf(layout: Directory, digest: Digest): Descriptor {
  const bytes = readDocument(layout, blobPath(digest));
  const stated = parseJson(bytes, { what: 'manifest', maxBytes: maxManifestBytes })
    .get('mediaType')
    .optional((field) => field.string());
  return { mediaType: stated ?? mediaTypes.manifest, digest, size: bytes.length };
}

function within(
  layout: Directory,
  descriptor: Descriptor,
  { wish, depth }: { wish: LayoutWish; depth: number },
): { descriptor: Descriptor; manifest: Manifest } {
  if (depth > maxDepth) throw invalid(`indexes are nested more than ${maxDepth} levels deep`);
  const parsed = parseManifest(readDocument(layout, blobPath(descriptor.digest)), descriptor.mediaType);
  if (parsed.kind === 'manifest') return { descriptor, manifest: parsed };
  const [best] = parsed.manifests
    .map((one) => ({ one, rank: one.platform === undefined ? 0 : platformRank(wish.platform, one.platform) }))
    .filter(({ rank }) => rank > 0)
    .toSorted((a, b) => b.rank - a.rank);
  if (best === undefined) {
    throw notFound(`no matching manifest for ${formatPlatform(wish.platform)} in the layout`);
  }
  return within(layout, best.one, { wish, depth: depth + 1 });
}
