import { isKind, notFound } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import type { DockerArchiveEntry } from '#/oci/docker-archive.ts';
import { encodeManifest, type Manifest, maxManifestBytes, parseStoredManifest } from '#/oci/manifest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import { canonicalName, canonicalString, parseAnyReference, type Reference } from '#/oci/reference.ts';
import { type WriteTarOptions, writeTar } from '#/tar/tar-writer.ts';
import type { ImageStore } from '../images.ts';
import { type ArchivedBlob, archiveEntries, blobPath } from './archive-layout.ts';
import type { ImageParts, ImageRecord } from './record.ts';

/** One image to save, with the names that it is to have in the archive. */
export interface SaveItem {
  readonly image: ImageRecord;
  readonly names: readonly Reference[];
}

/**
 * What the names in a request mean: a name with a tag, a repository (all its tags), or an identifier, which brings no
 * name along. An image appears once, where it was named first. Throws `notFound` in the words of Docker.
 */
export function selectImages(images: ImageStore, texts: readonly string[]): SaveItem[] {
  const selected = new Map<Digest, Map<string, Reference>>();
  const select = (id: Digest, reference?: Reference): void => {
    const names = selected.get(id) ?? new Map<string, Reference>();
    selected.set(id, names);
    if (reference?.tag !== undefined) names.set(canonicalString(reference), reference);
  };
  for (const text of texts) {
    const meaning = parseAnyReference(text);
    const bare = typeof meaning !== 'string' && meaning.tag === undefined && meaning.digest === undefined;
    const tags = bare ? tagsOf(images, meaning) : [];
    for (const { id, reference } of tags) select(id, reference);
    if (tags.length > 0) continue;
    const image = findOrRefuse(images, text, meaning);
    const isName = typeof meaning !== 'string' && meaning.digest === undefined;
    select(image.id, isName && images.byName(meaning)?.image.id === image.id ? meaning : undefined);
  }
  return [...selected].map(([id, names]) => ({
    image: images.get(id) as ImageRecord,
    names: [...names.values()],
  }));
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
  // The holds are let go first, then goes what only they have kept of images that were removed meanwhile.
  stack.defer(() => dropUnused(parts, items, used));
  const hold = stack.use(parts.content.hold());
  const chains = stack.use(parts.layers.hold());
  const use = (digest: Digest): void => {
    hold.add(digest);
    used.add(digest);
  };
  for (const { image } of items) {
    use(image.manifest);
    use(image.id);
    if (image.chainId !== undefined) chains.add(image.chainId);
  }
  const described: DescribedItem[] = [];
  for (const item of items)
    described.push({ ...item, ...(await portable(parts, item.image, { use, lent })) });
  yield* writeTar(
    archiveEntries({
      blobs: described.flatMap(({ blobs }) => blobs),
      tops: described.map(({ names, manifest, manifestDigest, manifestSize }) => ({
        names,
        descriptor: { mediaType: manifest.mediaType, digest: manifestDigest, size: manifestSize },
      })),
      images: described.map((item) => archiveEntry(item, described)),
    }),
    { lent },
  );
}

async function dropUnused(
  { images, layers }: ImageParts,
  items: readonly SaveItem[],
  used: ReadonlySet<Digest>,
): Promise<void> {
  for (const { image } of items) if (image.chainId !== undefined) await layers.release(image.chainId);
  for (const digest of used) await images.dropBlob(digest);
}

/** What an image is made of, as it goes into an archive. */
interface PortableImage {
  readonly manifest: Manifest;
  readonly manifestDigest: Digest;
  readonly manifestSize: number;
  readonly blobs: readonly ArchivedBlob[];
}

type DescribedItem = SaveItem & PortableImage;

/** The image as it is stored; where layers are not kept as blobs, with their archives unpacked, and a manifest of those. */
async function portable(
  { content, layers, archives }: ImageParts,
  image: ImageRecord,
  { use, lent }: { use: (digest: Digest) => void; lent: boolean },
): Promise<PortableImage> {
  const bytes = await content.read(image.manifest, maxManifestBytes);
  const stored = parseStoredManifest(bytes);
  for (const { digest } of [stored.config, ...stored.layers]) use(digest);
  const kept = ({ digest, size }: { digest: Digest; size: number }): ArchivedBlob => {
    return { digest, size, open: () => (lent ? content.lend(digest) : content.open(digest)) };
  };
  const chain = image.chainId === undefined ? [] : layers.chain(image.chainId);
  const present = await Promise.all(stored.layers.map(({ digest }) => content.has(digest)));
  if (!present.includes(false)) {
    const whole = { digest: image.manifest, size: bytes.length };
    const blobs = [whole, stored.config, ...stored.layers].map(kept);
    return { manifest: stored, manifestDigest: image.manifest, manifestSize: bytes.length, blobs };
  }
  const made: { descriptor: Descriptor; blob: ArchivedBlob }[] = [];
  for (const [index, layer] of chain.entries()) {
    const descriptor = stored.layers[index];
    if (present[index] === true && descriptor !== undefined) {
      made.push({ descriptor, blob: kept(descriptor) });
      continue;
    }
    const { size, body } = await archives.tar(layer);
    const plain = { mediaType: mediaTypes.layer, digest: layer.diffId, size };
    made.push({ descriptor: plain, blob: { digest: layer.diffId, size, open: () => body } });
  }
  const manifest = encodeManifest(
    stored.config,
    made.map(({ descriptor }) => descriptor),
  );
  const own = { digest: digestOf(manifest), size: manifest.length, open: () => [manifest] };
  return {
    manifest: parseStoredManifest(manifest),
    manifestDigest: own.digest,
    manifestSize: own.size,
    blobs: [own, kept(stored.config), ...made.map(({ blob }) => blob)],
  };
}

function archiveEntry(
  { image, names, manifest }: DescribedItem,
  items: readonly SaveItem[],
): DockerArchiveEntry {
  const { id, parent, config } = image;
  return {
    config: blobPath(id),
    names,
    parent: items.some((other) => other.image.id === parent) ? parent : undefined,
    layers: manifest.layers.map(({ mediaType, size, digest }, i) => ({
      path: blobPath(digest),
      diffId: config.diffIds[i] as Digest,
      descriptor: { mediaType, size, digest },
    })),
  };
}

function tagsOf(images: ImageStore, repository: Reference): { id: Digest; reference: Reference }[] {
  const name = canonicalName(repository);
  const all = images.list().flatMap(({ id }) => images.namesOf(id).map((reference) => ({ id, reference })));
  return all
    .filter(({ reference }) => reference.tag !== undefined && canonicalName(reference) === name)
    .toSorted((a, b) => ((a.reference.tag ?? '') < (b.reference.tag ?? '') ? -1 : 1));
}

/** Docker's words: here it does not add `latest` to a name, and does not repeat one with a tag or digest. */
function findOrRefuse(images: ImageStore, text: string, meaning: Reference | string): ImageRecord {
  try {
    return images.find(text).image;
  } catch (error) {
    if (!isKind(error, 'notFound')) throw error;
    const isComplete =
      typeof meaning !== 'string' && (meaning.tag !== undefined || meaning.digest !== undefined);
    throw notFound(isComplete ? 'reference does not exist' : `No such image: ${text}`, error);
  }
}
