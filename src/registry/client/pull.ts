import { Readable } from 'node:stream';
import { isKind } from '#/base/errors.ts';
import type { Repository } from '#/distribution/repository.ts';
import type { Digest } from '#/oci/digest.ts';
import type { Platform } from '#/oci/platform.ts';
import { canonicalString, type Reference } from '#/oci/reference.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { KeptBlobs } from '#/storage/content/kept-blobs.ts';
import type { Hold } from '#/storage/holds.ts';
import type { ImageParts, ImageRecord, NewImage } from '#/storage/images/record.ts';
import type { BlobSources } from './blob-sources.ts';
import type { Downloads } from './downloads.ts';
import type { OnProgress } from './progress.ts';
import { chainIdsOf, manifestOfStored, pullLayers } from './pull-layers.ts';
import { fetchTop, type RemoteImage, resolveImage } from './resolve.ts';

/** What pulls work with. */
export interface PullParts extends ImageParts {
  readonly downloads: Downloads;
  readonly sources: BlobSources;
  readonly kept: KeptBlobs;
}

/** What a pull needs until its image is there. */
export interface PullHolds {
  readonly blobs: Hold<Digest>;
  readonly chains: Hold<ChainId>;
}

/** One pull of one name. */
export interface PullRequest {
  readonly repository: Repository;
  /** Complete, with a digest or a tag; a digest decides over a tag beside it. */
  readonly reference: Reference;
  /** Undefined: this machine's. */
  readonly platform: Platform | undefined;
  /** False: the image gets no name, and whoever has the reference's keeps it. Default: true. */
  readonly named?: boolean;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/** What a pull brought. */
export interface PulledImage {
  readonly image: ImageRecord;
  /** False: the name meant this image before. */
  readonly changed: boolean;
}

/**
 * Pulls an image: finds the manifest for the platform, downloads the layers that are missing (several at once, each once
 * for all pulls) and unpacks them meanwhile. The image and its names appear in one transaction when everything was
 * verified. After a failure nothing is visible; what was downloaded is kept for the next attempt.
 */
export async function pullImage(parts: PullParts, request: PullRequest): Promise<PulledImage> {
  const { repository, signal, onProgress } = request;
  const wanted =
    request.reference.digest === undefined ? request.reference : { ...request.reference, tag: undefined };
  const { content } = parts;
  const before = parts.images.byName(wanted)?.id;
  const top = await fetchTop({ repository, content }, wanted.digest ?? wanted.tag ?? 'latest', {
    signal,
    expectKnown: before !== undefined,
  });
  const id = wanted.digest === undefined ? (wanted.tag ?? 'latest') : canonicalString(wanted);
  onProgress({ kind: 'note', status: `Pulling from ${wanted.path}`, id });
  const remote = await resolveImage({ repository, content }, top, request);
  const image = await new Store(parts, request, remote).take(wanted);
  await parts.archives.compact(image.chainId);
  const { config, layers } = remote.manifest.parsed;
  for (const { digest } of [config, ...layers]) parts.sources.note(digest, wanted);
  onProgress({ kind: 'note', status: `Digest: ${top.descriptor.digest}` });
  return { image, changed: before !== image.id };
}

/** What is known of an image when everything of it is stored. */
type MadeImage = Pick<ImageRecord, 'id' | 'manifest' | 'chainId' | 'size'> & Partial<Pick<NewImage, 'blobs'>>;

/** Makes the image of what the registry has, or gives the one that is there its names. */
class Store {
  readonly #parts: PullParts;
  readonly #request: PullRequest;
  readonly #remote: RemoteImage;
  /** Blobs that this pull has stored and that are of no use without the image. */
  readonly #documents: Digest[] = [];
  /** Blobs that would serve the next attempt. */
  readonly #downloads: Digest[];

  constructor(parts: PullParts, request: PullRequest, remote: RemoteImage) {
    this.#parts = parts;
    this.#request = request;
    this.#remote = remote;
    this.#downloads = remote.manifest.parsed.layers.map(({ digest }) => digest);
  }

  async take(wanted: Reference): Promise<ImageRecord> {
    const { content, layers, kept } = this.#parts;
    // The holds are let go first, then goes what did not become part of an image.
    await using stack = new AsyncDisposableStack();
    stack.defer(() => this.#cleanUp());
    const holds = { blobs: stack.use(content.hold()), chains: stack.use(layers.hold()) };
    try {
      const image = await this.#add(wanted, holds);
      kept.release(this.#downloads);
      return image;
    } catch (error) {
      // What was found to be wrong is not kept.
      if (isKind(error, 'invalid') || isKind(error, 'tooLarge')) {
        kept.release(this.#downloads);
        for (const digest of this.#downloads) await content.dropPartial(digest);
      }
      throw error;
    }
  }

  async #add(wanted: Reference, holds: PullHolds): Promise<ImageRecord> {
    const { images, content } = this.#parts;
    const { top, manifest, config } = this.#remote;
    const { digest } = top.descriptor;
    const id = manifest.parsed.config.digest;
    const keepTop = this.#keep(top.bytes, digest, holds.blobs);
    let made: MadeImage | undefined;
    do {
      const making = this.#isUsable(id) ? Promise.resolve(made) : this.#make(holds);
      [made] = await all([making, keepTop]);
      await content.flush();
      // An image that was here can have been removed meanwhile.
    } while (made === undefined && images.get(id) === undefined);
    const image = made ?? images.get(id);
    if (image === undefined) throw new Error('there is nothing to name');
    this.#request.signal.throwIfAborted();
    const digested = { ...wanted, tag: undefined, digest };
    const given = wanted.digest === undefined ? [wanted, digested] : [digested];
    const names = this.#request.named === false ? [] : given;
    const facts = {
      parent: undefined,
      tagged: undefined,
      configBytes: config.bytes,
      names,
      documents: [digest],
    };
    const [added] = images.add([{ blobs: [], ...image, ...facts }]);
    if (added === undefined) throw new Error('the store has taken no image');
    return added.image;
  }

  /** There is such an image, with layers that the present storage driver has. */
  #isUsable(id: Digest): boolean {
    const { images, layers } = this.#parts;
    const image = images.get(id);
    return image !== undefined && (image.chainId === undefined || layers.usable(image.chainId) !== undefined);
  }

  /** Stores the configuration while the layers come, and the manifest that fits what is stored of them. */
  async #make(holds: PullHolds): Promise<MadeImage> {
    const id = this.#remote.manifest.parsed.config.digest;
    const [{ chainId, size }] = await all([
      pullLayers(this.#parts, this.#request, { remote: this.#remote, holds }),
      this.#keep(this.#remote.config.bytes, id, holds.blobs),
    ]);
    const stored = await manifestOfStored(this.#parts, this.#remote, chainId);
    await this.#keep(stored.bytes, stored.digest, holds.blobs);
    return { id, manifest: stored.digest, chainId, size, blobs: [id, stored.digest, ...stored.layers] };
  }

  async #keep(bytes: Buffer, digest: Digest, hold: Hold<Digest>): Promise<void> {
    this.#documents.push(digest);
    hold.add(digest);
    if (await this.#parts.content.has(digest)) return;
    await this.#parts.content.ingest(Readable.from([bytes]), { expected: digest, hold });
  }

  async #cleanUp(): Promise<void> {
    const { layers, images } = this.#parts;
    const chains = chainIdsOf(this.#remote.config.parsed.diffIds);
    for (const chainId of chains.toReversed()) await layers.release(chainId);
    for (const digest of [...this.#documents, ...this.#downloads]) await images.dropBlob(digest);
  }
}

/** Waits for both, also if one fails: then nothing goes on behind the caller's back. */
async function all<A, B>(work: readonly [Promise<A>, Promise<B>]): Promise<[A, B]> {
  await Promise.allSettled(work);
  return Promise.all(work);
}
