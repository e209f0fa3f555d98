import { constants, fstatSync, readSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { internal, invalid, isSystemError, notFound, tooLarge } from '#/base/errors.ts';
import { close, openat2, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from '#/kernel/at.ts';
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

/** Which image of a layout is meant. */
export interface LayoutWish {
  /** A tag, a name or a digest; empty: the only one that there is. */
  readonly reference: string;
  readonly platform: Platform;
  readonly signal: AbortSignal;
}

const maxEntries = 1000;
const maxDepth = 3;
const readSize = 256 * 1024;
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
    yield { ...fileHeader(blobPath(blob.digest), blob.size), body: content(layout, blob) };
  }
}

function chosen(layout: Directory, wish: LayoutWish): { descriptor: Descriptor; manifest: Manifest } {
  const index = parseJson(readSmall(layout, 'index.json'), {
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
  const bytes = readSmall(layout, blobPath(digest));
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
  const parsed = parseManifest(readSmall(layout, blobPath(descriptor.digest)), descriptor.mediaType);
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

function readSmall(layout: Directory, path: string): Buffer {
  const fd = opened(layout, path);
  try {
    const { size } = fstatSync(fd);
    if (size > maxManifestBytes)
      throw tooLarge(`${path} of the layout has ${size} bytes, more than ${maxManifestBytes}`);
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readSync(fd, bytes, 0, size, 0));
  } finally {
    close(fd);
  }
}

async function* content(
  layout: Directory,
  { digest, size }: { digest: Digest; size: number },
): AsyncGenerator<Buffer, void, undefined> {
  const fd = opened(layout, blobPath(digest));
  try {
    for (let at = 0; at < size; ) {
      const bytes = Buffer.allocUnsafe(Math.min(readSize, size - at));
      const got = readSync(fd, bytes, 0, bytes.length, at);
      if (got === 0) throw invalid(`blob ${digest} of the layout has less than ${size} bytes`);
      yield bytes.subarray(0, got);
      at += got;
      await turn();
    }
  } finally {
    close(fd);
  }
}

/** A file of the layout, reached without a link. */
function opened(layout: Directory, path: string): number {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let fd: number;
  try {
    fd = openat2(layout.fd, path, { flags, resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw notFound(`the OCI layout has no file ${path}`, error);
    if (isSystemError(error, 'ELOOP', 'EXDEV'))
      throw invalid(`${path} of the OCI layout is behind a link`, error);
    throw internal(`cannot read ${path} of the OCI layout`, error);
  }
  if (fstatSync(fd).isFile()) return fd;
  close(fd);
  throw invalid(`${path} of the OCI layout is not a file`);
}
