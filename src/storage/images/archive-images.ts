import { invalid, notFound } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { parseDockerArchive } from '#/oci/docker-archive.ts';
import { maxConfigBytes, platformOf } from '#/oci/image-config.ts';
import { parseJson } from '#/oci/json.ts';
import { encodeManifest, kindOf, type Manifest, maxManifestBytes, parseManifest } from '#/oci/manifest.ts';
import { layerMediaType, mediaTypes } from '#/oci/media-types.ts';
import { formatPlatform, hostPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import { canonicalString, parseReference, type Reference } from '#/oci/reference.ts';
import type { Compression } from '#/tar/compression-kind.ts';
import { sniffCompression } from '../archive/compression.ts';
import type { ContentStore } from '../content/content-store.ts';
import type { ArchiveFiles } from './archive-files.ts';
import {
  type ArchivedImage,
  type ArchivedIndex,
  archivedIndex,
  imageOf,
  readConfig,
  sized,
} from './archive-index.ts';

/** What an archive has, in its order. */
interface ArchivedContent {
  /** Those that stand for themselves. */
  readonly images: readonly ArchivedImage[];
  readonly indexes: readonly ArchivedIndex[];
}

/** Where the images of an archive are looked for. */
export interface ArchiveSource {
  readonly files: ArchiveFiles;
  readonly content: ContentStore;
  /** Only images for this platform, of several the one for it. Undefined: whatever there is. */
  readonly platform: Platform | undefined;
}

/** Indexes inside of indexes. */
const maxIndexDepth = 3;
const maxSmallFile = 16 * 1024 * 1024;

/**
 * The images and indexes of an archive. `manifest.json` decides if there is one, as it does for Docker; otherwise the
 * archive must be an OCI image layout. Indexes, of which `manifest.json` knows nothing, are found in `index.json` in any case.
 */
export async function archivedImages(source: ArchiveSource): Promise<ArchivedContent> {
  const { files, platform } = source;
  const list = files.find('manifest.json');
  const index = files.find('index.json');
  const isLayout = index !== undefined && files.find('oci-layout') !== undefined;
  if (list === undefined && !isLayout) {
    throw invalid(
      'Cannot read image archive: it has neither manifest.json (docker save) nor oci-layout and index.json (OCI image layout)',
    );
  }
  const tops = index === undefined ? [] : readLayoutIndex(await files.read(index, maxManifestBytes));
  if (list === undefined && platform !== undefined)
    return { images: await layoutImages(source, tops), indexes: [] };
  const indexes = await wholeIndexes(files, tops);
  const isWhole = ({ digest }: Descriptor): boolean => indexes.some(({ id }) => id === digest);
  if (list === undefined) {
    const others = tops.filter((top) => !isWhole(top));
    return { images: await layoutImages(source, others), indexes };
  }
  const docker = await dockerImages(source, await files.read(list, maxSmallFile), tops);
  const images = docker.filter((image) => !indexes.some((one) => speaksFor(one, image)));
  if (platform === undefined) return { images, indexes };
  return { images: [...images, ...(await layoutImages(source, tops.filter(isWhole)))], indexes: [] };
}

/** The indexes that are kept as such, each once with all its names. */
async function wholeIndexes(files: ArchiveFiles, tops: readonly Descriptor[]): Promise<ArchivedIndex[]> {
  const found = new Map<Digest, ArchivedIndex>();
  for (const top of tops) {
    const known = found.get(top.digest);
    const index = known ?? (await archivedIndex(files, top));
    if (index === undefined) continue;
    found.set(top.digest, { ...index, names: [...(known?.names ?? []), ...namesIn(top)] });
  }
  return [...found.values()];
}

/** For readers who know `manifest.json` only, an archive has one image of an index there, under the same names. */
function speaksFor(index: ArchivedIndex, { id, names }: ArchivedImage): boolean {
  const own = new Set(index.names.map(canonicalString));
  const isPart = [...index.images.values()].some((image) => image.id === id);
  return isPart && names.every((name) => own.has(canonicalString(name)));
}

async function dockerImages(
  source: ArchiveSource,
  list: Buffer,
  tops: readonly Descriptor[],
): Promise<ArchivedImage[]> {
  const { files, platform } = source;
  const originals = await originalManifests(files, tops);
  const images: ArchivedImage[] = [];
  for (const entry of parseDockerArchive(list)) {
    const configFile = files.get(entry.config);
    const configBytes = await files.read(configFile, maxConfigBytes);
    const config = readConfig(configBytes, entry.layers.length);
    if (platform !== undefined && platformRank(platform, platformOf(config)) === 0) continue;
    const layers: Descriptor[] = [];
    for (const path of entry.layers) {
      const { digest, size } = files.get(path);
      const mediaType = layerMediaType(await compressionOf(source.content, digest));
      layers.push({ mediaType, digest, size });
    }
    const id = digestOf(configBytes);
    const original = originals.find(({ manifest }) => describes(manifest, id, layers));
    const made = encodeManifest(
      { mediaType: mediaTypes.config, digest: id, size: configBytes.length },
      layers,
    );
    const { names, parent } = entry;
    images.push({
      id,
      config,
      configBytes,
      manifest: original?.bytes ?? made,
      layers: original?.manifest.layers ?? layers,
      names,
      parent,
    });
  }
  return images;
}

/** The manifests beside a `manifest.json`: an image that has one keeps it, and with it the digest that registries know. */
async function originalManifests(
  files: ArchiveFiles,
  tops: readonly Descriptor[],
): Promise<{ manifest: Manifest; bytes: Buffer }[]> {
  const found: { manifest: Manifest; bytes: Buffer }[] = [];
  for (const descriptor of tops) {
    if (kindOf(descriptor.mediaType) !== 'manifest') continue;
    const bytes = await files.read(sized(files, descriptor), maxManifestBytes);
    const manifest = parseManifest(bytes, descriptor.mediaType);
    if (manifest.kind === 'manifest') found.push({ manifest, bytes });
  }
  return found;
}

function describes(manifest: Manifest, id: Digest, layers: readonly Descriptor[]): boolean {
  return (
    manifest.config.digest === id &&
    manifest.layers.length === layers.length &&
    manifest.layers.every(({ digest, size }, i) => digest === layers[i]?.digest && size === layers[i]?.size)
  );
}

async function layoutImages(source: ArchiveSource, tops: readonly Descriptor[]): Promise<ArchivedImage[]> {
  const images: ArchivedImage[] = [];
  for (const descriptor of tops) {
    // Signatures and other artifacts may stand beside images.
    if (kindOf(descriptor.mediaType) === undefined) continue;
    const found = await layoutImage(source, descriptor, 0);
    if (found !== undefined) images.push({ ...found, names: namesIn(descriptor) });
    else if (source.platform === undefined) {
      throw notFound(`no matching manifest for ${formatPlatform(hostPlatform())} in the image archive`);
    }
  }
  return images;
}

/** The image that a descriptor leads to; of an index, the one that suits best. */
async function layoutImage(
  source: ArchiveSource,
  descriptor: Descriptor,
  depth: number,
): Promise<ArchivedImage | undefined> {
  const { files, platform } = source;
  const bytes = await files.read(sized(files, descriptor), maxManifestBytes);
  const document = parseManifest(bytes, descriptor.mediaType);
  if (document.kind === 'manifest') {
    const image = await imageOf(files, document, bytes);
    const suits = platform === undefined || platformRank(platform, platformOf(image.config)) > 0;
    return suits ? image : undefined;
  }
  if (depth >= maxIndexDepth) throw invalid(`indexes are nested more than ${maxIndexDepth} levels deep`);
  const wanted = platform ?? hostPlatform();
  const rank = (candidate: Descriptor): number =>
    candidate.platform === undefined ? 1 : platformRank(wanted, candidate.platform);
  const candidates = document.manifests
    .filter((candidate) => kindOf(candidate.mediaType) !== undefined && rank(candidate) > 0)
    .toSorted((a, b) => rank(b) - rank(a));
  const best = candidates[0];
  return best === undefined ? undefined : layoutImage(source, best, depth + 1);
}

/** `index.json` has no descriptor that says what it is, so its media type may be absent, but nothing else. */
function readLayoutIndex(bytes: Buffer): readonly Descriptor[] {
  const document = parseJson(bytes, { what: 'index.json', maxBytes: maxManifestBytes });
  const stated = document.get('mediaType').optional((field) => field.string());
  const index = parseManifest(bytes, stated ?? mediaTypes.index);
  if (index.kind !== 'index') throw invalid('index.json is not an image index');
  return index.manifests;
}

/** Two annotations name images: containerd's with a complete name, the image-spec's with whatever the tool liked. */
function namesIn({ annotations = {} }: Descriptor): Reference[] {
  const complete = annotations['io.containerd.image.name'];
  const text = complete ?? annotations['org.opencontainers.image.ref.name'] ?? '';
  // A bare word is a tag of nobody knows what.
  if (!text.includes(':')) return [];
  const reference = parseReference(text);
  return reference.tag === undefined ? [] : [{ ...reference, digest: undefined }];
}

/** How the blob of a layer is compressed. */
export async function compressionOf(content: ContentStore, digest: Digest): Promise<Compression> {
  for await (const chunk of content.open(digest)) return sniffCompression(chunk as Buffer);
  return 'none';
}
