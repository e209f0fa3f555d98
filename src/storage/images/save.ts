import { notFound } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import type { DockerArchiveEntry } from '#/oci/docker-archive.ts';
import { encodeManifest, type Manifest, maxManifestBytes, parseStoredManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { Reference } from '#/oci/reference.ts';
import { type WriteTarOptions, writeTar } from '#/tar/tar-writer.ts';
import { type ArchivedBlob, archiveEntries, blobPath } from './archive-layout.ts';
import { moveIndex } from './moved-index.ts';
import type { ImageParts, ImageRecord, NamedImage } from './record.ts';

/** One image or index to save, with the names that it is to have in the archive. */
export interface SaveItem {
  readonly named: NamedImage;
  readonly names: readonly Reference[];
  /** Of an index, this image alone. */
  readonly part?: ImageRecord;
}

/**
 * The images as one archive, which Docker (any version with `docker load`) and tools for OCI image layouts can read:
 * blobs as they were loaded, each once, and both kinds of index. The same images give the same bytes. The images may
 * be removed meanwhile. `lent`: as in `writeTar`.
 */
export async function* saveImages(
  parts: ImageParts,
  items: readonly SaveItem[],
  { lent = false }: WriteTarOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  await using stack = new AsyncDisposableStack();
  const used = new Set<Digest>();
  const wanted = items.map((item) => ({ ...item, manifests: manifestsOf(parts, item) }));
  const images = wanted.flatMap(({ manifests }) => manifests.map(({ image }) => image));
  // The holds are let go first, then goes what only they have kept of images that were removed meanwhile.
  stack.defer(() => dropUnused(parts, images, used));
  const hold = stack.use(parts.content.hold());
  const chains = stack.use(parts.layers.hold());
  const use = (digest: Digest): void => {
    hold.add(digest);
    used.add(digest);
  };
  for (const { named, manifests } of wanted) {
    if (named.index !== undefined) parts.images.blobsOf(named.index).forEach(use);
    for (const { image, manifest } of manifests) {
      use(manifest);
      use(image.id);
      if (image.chainId !== undefined) chains.add(image.chainId);
    }
  }
  const described: DescribedItem[] = [];
  for (const { manifests, ...item } of wanted) {
    const portables: PortableImage[] = [];
    for (const each of manifests) portables.push(await portable(parts, each, { use, lent }));
    described.push(await describe(parts, item, portables));
  }
  yield* writeTar(
    archiveEntries({
      blobs: described.flatMap(({ blobs }) => blobs),
      tops: described,
      images: described.map(({ names, main }) => archiveEntry(main, names, images)),
    }),
    { lent },
  );
}

/** An image, and the manifest that stands for it in what is saved. */
interface ManifestOfImage {
  readonly image: ImageRecord;
  readonly manifest: Digest;
}

function manifestsOf({ images }: ImageParts, { named: { image, index }, part }: SaveItem): ManifestOfImage[] {
  if (index === undefined) return [{ image, manifest: image.manifest }];
  return [...index.images].flatMap(([manifest, id]) => {
    const found = images.get(id);
    return found === undefined || (part ?? found).id !== id ? [] : [{ image: found, manifest }];
  });
}

async function dropUnused(
  { images, layers }: ImageParts,
  saved: readonly ImageRecord[],
  used: ReadonlySet<Digest>,
): Promise<void> {
  for (const { chainId } of saved) if (chainId !== undefined) await layers.release(chainId);
  for (const digest of used) await images.dropBlob(digest);
}

/** What an image is made of, as it goes into an archive. */
interface PortableImage extends ManifestOfImage {
  readonly document: Manifest;
  /** Of the manifest as it is in the archive. */
  readonly descriptor: Descriptor;
  readonly blobs: readonly ArchivedBlob[];
}

/** What is saved under some names. */
interface DescribedItem {
  readonly names: readonly Reference[];
  readonly descriptor: Descriptor;
  readonly blobs: readonly ArchivedBlob[];
  /** The image that Docker's own index names. */
  readonly main: PortableImage;
}

/** An image alone, or the index around images as they go into the archive. */
async function describe(
  { content }: ImageParts,
  { named: { image, index }, names, part }: SaveItem,
  portables: readonly PortableImage[],
): Promise<DescribedItem> {
  const { id } = part ?? image;
  const main = portables.find((one) => one.image.id === id);
  if (main === undefined) throw notFound(`No such image: ${id}`);
  if (index === undefined || part !== undefined)
    return { names, main, descriptor: main.descriptor, blobs: main.blobs };
  const moved = portables.filter(({ manifest, descriptor }) => descriptor.digest !== manifest);
  const moves = new Map(moved.map(({ manifest, descriptor }) => [manifest, descriptor]));
  const { digest, bytes, attestations } = await moveIndex(content, index, moves);
  const blobs: ArchivedBlob[] = portables.flatMap((one) => one.blobs);
  for (const attestation of attestations) {
    blobs.push(inMemory(attestation));
    for (const { descriptor, open } of attestation.blobs) blobs.push({ ...descriptor, open });
  }
  blobs.push(inMemory({ digest, bytes }));
  return {
    names,
    main,
    descriptor: { mediaType: index.document.mediaType, digest, size: bytes.length },
    blobs,
  };
}

function inMemory({ digest, bytes }: { digest: Digest; bytes: Buffer }): ArchivedBlob {
  return { digest, size: bytes.length, open: () => [bytes] };
}

/** The image as it is stored; where layers are not kept as blobs, with their archives unpacked, and a manifest of those. */
async function portable(
  { content, layers, archives }: ImageParts,
  { image, manifest }: ManifestOfImage,
  { use, lent }: { use: (digest: Digest) => void; lent: boolean },
): Promise<PortableImage> {
  const stored = await content.read(manifest, maxManifestBytes);
  const document = parseStoredManifest(stored);
  for (const { digest } of [document.config, ...document.layers]) use(digest);
  const kept = ({ digest, size }: Descriptor): ArchivedBlob => {
    return { digest, size, open: () => (lent ? content.lend(digest) : content.open(digest)) };
  };
  const chain = image.chainId === undefined ? [] : layers.chain(image.chainId);
  const made: { descriptor: Descriptor; blob: ArchivedBlob }[] = [];
  for (const [index, descriptor] of document.layers.entries()) {
    const layer = chain[index];
    if (layer === undefined || (await content.has(descriptor.digest))) {
      made.push({ descriptor, blob: kept(descriptor) });
      continue;
    }
    const { size, body } = await archives.tar(layer);
    const plain = { mediaType: mediaTypes.layer, digest: layer.diffId, size };
    made.push({ descriptor: plain, blob: { digest: layer.diffId, size, open: () => body } });
  }
  const inArchive = made.map(({ descriptor }) => descriptor);
  const isStored = inArchive.every(({ digest }, at) => digest === document.layers[at]?.digest);
  const bytes = isStored ? stored : encodeManifest(document.config, inArchive, document.annotations);
  const own = isStored ? manifest : digestOf(bytes);
  const described = isStored ? document : parseStoredManifest(bytes);
  return {
    image,
    manifest,
    document: described,
    descriptor: { mediaType: described.mediaType, digest: own, size: bytes.length },
    blobs: [inMemory({ digest: own, bytes }), kept(document.config), ...made.map(({ blob }) => blob)],
  };
}

function archiveEntry(
  { image, document }: PortableImage,
  names: readonly Reference[],
  saved: readonly ImageRecord[],
): DockerArchiveEntry {
  const { id, parent, config } = image;
  return {
    config: blobPath(id),
    names,
    parent: saved.some((other) => other.id === parent) ? parent : undefined,
    layers: document.layers.map(({ mediaType, size, digest }, i) => ({
      path: blobPath(digest),
      diffId: config.diffIds[i] as Digest,
      descriptor: { mediaType, size, digest },
    })),
  };
}
