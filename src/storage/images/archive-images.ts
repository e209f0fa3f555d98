import { invalid, notFound } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { parseDockerArchive } from '#/oci/docker-archive.ts';
import { type ImageConfig, maxConfigBytes, parseImageConfig, platformOf } from '#/oci/image-config.ts';
import { parseJson } from '#/oci/json.ts';
import { encodeManifest, kindOf, type Manifest, maxManifestBytes, parseManifest } from '#/oci/manifest.ts';
import { layerMediaType, mediaTypes } from '#/oci/media-types.ts';
import { formatPlatform, hostPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import { parseReference, type Reference } from '#/oci/reference.ts';
import type { Compression } from '#/tar/compression-kind.ts';
import { sniffCompression } from '../archive/compression.ts';
import type { ContentStore } from '../content/content-store.ts';
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

/** Where the images of an archive are looked for. */
export interface ArchiveSource {
  readonly files: ArchiveFiles;
  readonly content: ContentStore;
  /** Only images for this platform, of several the one for it. */
  readonly platform: Platform | undefined;
}

/** Indexes inside of indexes. */
const maxIndexDepth = 3;
const maxSmallFile = 16 * 1024 * 1024;

/**
 * The images of an archive, in its order. `manifest.json` decides if there is one, as it does for Docker; otherwise the
 * archive must be an OCI image layout.
 */
export async function archivedImages(source: ArchiveSource): Promise<ArchivedImage[]> {
  const list = source.files.find('manifest.json');
  if (list !== undefined) return dockerImages(source, await source.files.read(list, maxSmallFile));
  const index = source.files.find('index.json');
  if (index === undefined || source.files.find('oci-layout') === undefined) {
    throw invalid(
      'Cannot read image archive: it has neither manifest.json (docker save) nor oci-layout and index.json (OCI image layout)',
    );
  }
  return layoutImages(source, await source.files.read(index, maxManifestBytes));
}

async function dockerImages(source: ArchiveSource, list: Buffer): Promise<ArchivedImage[]> {
  const { files, platform } = source;
  const originals = await originalManifests(source);
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
async function originalManifests({ files }: ArchiveSource): Promise<{ manifest: Manifest; bytes: Buffer }[]> {
  const index = files.find('index.json');
  if (index === undefined) return [];
  const found: { manifest: Manifest; bytes: Buffer }[] = [];
  for (const descriptor of readLayoutIndex(await files.read(index, maxManifestBytes))) {
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

async function layoutImages(source: ArchiveSource, index: Buffer): Promise<ArchivedImage[]> {
  const images: ArchivedImage[] = [];
  for (const descriptor of readLayoutIndex(index)) {
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

async function imageOf(files: ArchiveFiles, document: Manifest, manifest: Buffer): Promise<ArchivedImage> {
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

/** The file that a descriptor means, which must have exactly the size that it says. */
function sized(files: ArchiveFiles, { digest, size }: Descriptor): { digest: Digest; size: number } {
  const file = files.blob(digest);
  if (file.size !== size)
    throw invalid(`Content ${digest} has ${file.size} bytes, its descriptor says ${size}`);
  return file;
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

function readConfig(bytes: Buffer, layers: number): ImageConfig {
  const config = parseImageConfig(bytes);
  if (config.diffIds.length !== layers) {
    throw invalid(
      `invalid manifest, layers length mismatch: expected ${layers}, got ${config.diffIds.length}`,
    );
  }
  if (config.os !== '' && config.os !== 'linux') throw invalid(`cannot load ${config.os} image on linux`);
  return config;
}

/** How the blob of a layer is compressed. */
export async function compressionOf(content: ContentStore, digest: Digest): Promise<Compression> {
  for await (const chunk of content.open(digest)) return sniffCompression(chunk as Buffer);
  return 'none';
}
