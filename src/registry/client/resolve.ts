import { createHash } from 'node:crypto';
import { invalid, isKind, isSystemError, notFound } from '#/base/errors.ts';
import type { Repository } from '#/distribution/repository.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { algorithmOf, type Digest, hexOf } from '#/oci/digest.ts';
import { type ImageConfig, maxConfigBytes, parseImageConfig } from '#/oci/image-config.ts';
import { type Index, kindOf, type Manifest, maxManifestBytes, parseManifest } from '#/oci/manifest.ts';
import { formatPlatform, hostPlatform, type Platform, platformRank } from '#/oci/platform.ts';
import type { ContentStore } from '#/storage/content/content-store.ts';

/** A document as the registry has it. */
export interface StoredDocument {
  readonly descriptor: Descriptor;
  readonly bytes: Buffer;
}

/** An image in a registry, down to its configuration. */
export interface RemoteImage {
  /** What the tag or digest stands for: the manifest itself, or an index of several. */
  readonly top: StoredDocument;
  readonly manifest: StoredDocument & { readonly parsed: Manifest };
  readonly config: { readonly bytes: Buffer; readonly parsed: ImageConfig };
}

/** How to look for an image. */
export interface ResolveOptions {
  /** Undefined: this machine's. */
  readonly platform: Platform | undefined;
  readonly signal: AbortSignal;
}

/** Indexes within indexes: more than any tool makes. */
const maxDepth = 3;

/** Media types of documents that were images once, before there were manifests that could be verified. */
const legacyTypes: ReadonlySet<string> = new Set([
  'application/vnd.docker.distribution.manifest.v1+json',
  'application/vnd.docker.distribution.manifest.v1+prettyjws',
  'application/json',
]);

/** Where to look: documents that are here, named by their digests, need not be fetched. */
export interface Sources {
  readonly repository: Repository;
  readonly content: ContentStore;
}

/**
 * The document that a tag or digest stands for; it has been verified against its digest. The registry is asked in any
 * case, so that only those get an answer who may have it.
 */
export async function fetchTop(
  { repository, content }: Sources,
  reference: string,
  { signal, expectKnown }: { signal: AbortSignal; expectKnown: boolean },
): Promise<StoredDocument> {
  const descriptor = expectKnown ? await repository.head(reference, { signal }) : undefined;
  const isKnown = descriptor !== undefined && kindOf(descriptor.mediaType) !== undefined;
  const bytes = isKnown ? await readIfStored(content, descriptor.digest, maxManifestBytes) : undefined;
  const document =
    isKnown && bytes !== undefined ? { descriptor, bytes } : await repository.manifest(reference, { signal });
  refuseForeignDocument(document.descriptor);
  return document;
}

/**
 * Goes from a document to the image for one platform, through indexes where there are such. Throws `invalid` for what is
 * not an image, with Docker's message (`no matching manifest for …`) `notFound` if there is none for the platform.
 */
export async function resolveImage(
  sources: Sources,
  top: StoredDocument,
  options: ResolveOptions,
): Promise<RemoteImage> {
  const manifest = await new Search(sources, options).manifestIn(top);
  const { config: descriptor, layers } = manifest.parsed;
  const bytes = await fetchConfig(sources, descriptor, options);
  const parsed = parseImageConfig(bytes);
  if (parsed.diffIds.length !== layers.length) {
    throw invalid(
      `image ${manifest.descriptor.digest} is inconsistent: its configuration has ${parsed.diffIds.length} layers, its manifest ${layers.length}`,
    );
  }
  if (parsed.os !== '' && parsed.os !== 'linux') {
    throw invalid(
      `image operating system ${JSON.stringify(parsed.os)} cannot be used on this platform: operating system is not supported`,
    );
  }
  return { top, manifest, config: { bytes, parsed } };
}

/** The configuration of an image, verified. Throws `invalid` if it is larger than any should be. */
export async function fetchConfig(
  { repository, content }: Sources,
  descriptor: Descriptor,
  { signal }: { signal: AbortSignal },
): Promise<Buffer> {
  const { digest, size } = descriptor;
  if (size > maxConfigBytes) {
    throw invalid(
      `image configuration ${digest} has ${size} bytes, more than the ${maxConfigBytes} that are allowed`,
    );
  }
  const stored = await readIfStored(content, digest, maxConfigBytes);
  if (stored !== undefined) return stored;
  for (;;) {
    try {
      const bytes = Buffer.concat(await Array.fromAsync(repository.download(descriptor, { signal })));
      const actual = createHash(algorithmOf(digest)).update(bytes).digest('hex');
      if (actual !== hexOf(digest))
        throw invalid(`image configuration ${digest} came with other content: ${actual}`);
      return bytes;
    } catch (error) {
      // There are only so many mirrors that can bring something wrong.
      if (!isKind(error, 'invalid') || !repository.disown(digest)) throw error;
    }
  }
}

/** Looks through one tree of indexes. */
class Search {
  readonly #sources: Sources;
  readonly #wanted: Platform;
  readonly #signal: AbortSignal;
  readonly #seen = new Set<Digest>();

  constructor(sources: Sources, { platform, signal }: ResolveOptions) {
    this.#sources = sources;
    this.#wanted = platform ?? hostPlatform();
    this.#signal = signal;
  }

  async manifestIn(top: StoredDocument): Promise<RemoteImage['manifest']> {
    const found = await this.#within(top, 1);
    if (found !== undefined) return found;
    throw notFound(`no matching manifest for ${formatPlatform(this.#wanted)} in the manifest list entries`);
  }

  async #within(document: StoredDocument, depth: number): Promise<RemoteImage['manifest'] | undefined> {
    const { digest, mediaType } = document.descriptor;
    if (this.#seen.has(digest)) throw invalid(`index ${digest} contains itself`);
    this.#seen.add(digest);
    const parsed = parseManifest(document.bytes, mediaType);
    if (parsed.kind === 'manifest') return { ...document, parsed };
    if (depth > maxDepth) throw invalid(`indexes are nested more than ${maxDepth} levels deep`);
    for (const candidate of this.#candidates(parsed)) {
      const found = await this.#within(await this.#fetch(candidate), depth + 1);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  /** The best for the platform first; what does not say its platform is only looked at if nothing else is there. */
  #candidates({ manifests }: Index): Descriptor[] {
    const known = manifests.filter(({ mediaType }) => kindOf(mediaType) !== undefined);
    const ranked = known
      .map((descriptor) => ({
        descriptor,
        rank: descriptor.platform === undefined ? 0 : platformRank(this.#wanted, descriptor.platform),
      }))
      .filter(({ rank }) => rank > 0)
      .toSorted((a, b) => b.rank - a.rank);
    const best = ranked[0];
    if (best !== undefined) return [best.descriptor];
    return known.filter(({ platform, mediaType }) => platform === undefined && kindOf(mediaType) === 'index');
  }

  async #fetch({ digest, mediaType, size }: Descriptor): Promise<StoredDocument> {
    if (size > maxManifestBytes) {
      throw invalid(
        `${mediaType} ${digest} has ${size} bytes, more than the ${maxManifestBytes} that are allowed`,
      );
    }
    const { repository, content } = this.#sources;
    const stored = await readIfStored(content, digest, maxManifestBytes);
    if (stored !== undefined) return { bytes: stored, descriptor: { mediaType, digest, size } };
    const document = await repository.manifest(digest, { signal: this.#signal });
    if (document.bytes.length !== size) {
      throw invalid(`${mediaType} ${digest} has ${document.bytes.length} bytes, but its index says ${size}`);
    }
    // What it is was said by the index that led here, not by whoever delivers it.
    return { bytes: document.bytes, descriptor: { mediaType, digest, size } };
  }
}

function refuseForeignDocument({ mediaType, digest }: Descriptor): void {
  if (legacyTypes.has(mediaType)) {
    throw invalid(
      `${digest} is an image in Docker's schema 1 (${mediaType}), which is no longer supported; ask its author to push it again with a current tool`,
    );
  }
}

/** A document that is here, as far as it is not just being removed. */
async function readIfStored(
  content: ContentStore,
  digest: Digest,
  maxBytes: number,
): Promise<Buffer | undefined> {
  try {
    return await content.read(digest, maxBytes);
  } catch (error) {
    if (isKind(error, 'notFound') || isSystemError(error, 'ENOENT')) return undefined;
    throw error;
  }
}
