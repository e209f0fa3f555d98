import type { PushBlobOptions, Repository } from '#/distribution/repository.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { encodeManifest, type Manifest, maxManifestBytes, parseStoredManifest } from '#/oci/manifest.ts';
import { layerCompression } from '#/oci/media-types.ts';
import type { Hold } from '#/storage/holds.ts';
import type { ImageParts, ImageRecord } from '#/storage/images/record.ts';
import type { BlobSources, RepositoryName } from './blob-sources.ts';
import { type OnProgress, shortDigest } from './progress.ts';
import type { Slots } from './slots.ts';

/** What pushes work with. */
export interface PushParts extends ImageParts {
  readonly sources: BlobSources;
  /** Bounds how many blobs are uploaded at once. */
  readonly uploads: Slots;
}

/** One push of one tag. */
export interface PushRequest {
  readonly repository: Repository;
  readonly name: RepositoryName;
  readonly tag: string;
  readonly image: ImageRecord;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/** A layer to push. Docker names them by their uncompressed content here. */
interface Layer {
  readonly descriptor: Descriptor;
  readonly id: string;
}

/**
 * Pushes an image: the blobs that the registry lacks, several at once, then the manifest as it is stored, so that its
 * digest stays what it was. Returns that digest. The image is held; it may be removed meanwhile.
 */
export async function pushImage(parts: PushParts, request: PushRequest): Promise<Digest> {
  const { content, layers: store, images, archives } = parts;
  const { image, tag, repository, onProgress, signal } = request;
  // The holds are let go first, then goes what was packed for this push only, or of an image that was removed meanwhile.
  await using stack = new AsyncDisposableStack();
  const used = new Set<Digest>([image.manifest]);
  const made: Digest[] = [];
  stack.defer(async () => {
    if (image.chainId !== undefined) await store.release(image.chainId);
    for (const digest of [...used, ...made]) await images.dropBlob(digest);
    // What was packed can be what the image came with.
    if (made.length > 0) await archives.compact(image.chainId);
  });
  const hold = stack.use(content.hold());
  hold.add(image.manifest);
  if (image.chainId !== undefined) stack.use(store.hold()).add(image.chainId);
  for (const diffId of image.config.diffIds.toReversed()) {
    onProgress({ kind: 'stage', id: shortDigest(diffId), status: 'Preparing' });
  }
  const { bytes, manifest } = await packed(parts, request, { hold, used, made });
  const layers = manifest.layers
    .map(
      (descriptor, index): Layer => ({
        descriptor,
        id: shortDigest(image.config.diffIds[index] ?? descriptor.digest),
      }),
    )
    .toReversed();
  await new BlobPush(parts, request).all(layers, manifest.config);
  const digest = await repository.putManifest(tag, { mediaType: manifest.mediaType, bytes }, { signal });
  onProgress({ kind: 'note', status: `${tag}: digest: ${digest} size: ${bytes.length}` });
  onProgress({ kind: 'result', value: { Tag: tag, Digest: digest, Size: bytes.length } });
  return digest;
}

/**
 * The image's manifest, with every blob of it in the content store or at the registry. Layers that are not kept as blobs, or came
 * from an archive without being packed, are packed now, unless the registry has them. What came from a registry is pushed as it
 * came.
 */
async function packed(
  parts: PushParts,
  { image, repository, signal }: PushRequest,
  { hold, used, made }: { hold: Hold<Digest>; used: Set<Digest>; made: Digest[] },
): Promise<{ bytes: Buffer; manifest: Manifest }> {
  const { content, layers, archives, sources } = parts;
  const bytes = await content.read(image.manifest, maxManifestBytes);
  const manifest = parseStoredManifest(bytes);
  for (const { digest } of [manifest.config, ...manifest.layers]) {
    hold.add(digest);
    used.add(digest);
  }
  const chain = image.chainId === undefined ? [] : layers.chain(image.chainId);
  const isAtRegistry = async ({ digest }: Descriptor): Promise<boolean> =>
    (await repository.hasBlob(digest, { signal })) !== undefined;
  const descriptorOf = async (own: Descriptor, index: number): Promise<Descriptor> => {
    const layer = chain[index];
    const isFit = layerCompression(own.mediaType) !== 'none' || sources.isKnown(own.digest);
    if (layer === undefined || (isFit && (await content.has(own.digest)))) return own;
    if (await isAtRegistry(own)) return own;
    const before = archives.packedAs(layer);
    if (before !== undefined && (await isAtRegistry(before))) return before;
    signal.throwIfAborted();
    const fresh = await archives.pack(layer, hold);
    made.push(fresh.digest);
    return fresh;
  };
  const work = manifest.layers.map(descriptorOf);
  // Nothing may be left at work when the hold is let go.
  await Promise.allSettled(work);
  const descriptors = await Promise.all(work);
  if (descriptors.every(({ digest }, index) => digest === manifest.layers[index]?.digest))
    return { bytes, manifest };
  const anew = encodeManifest(manifest.config, descriptors);
  return { bytes: anew, manifest: parseStoredManifest(anew) };
}

/** The blobs of one push. */
class BlobPush {
  readonly #parts: PushParts;
  readonly #request: PushRequest;

  constructor(parts: PushParts, request: PushRequest) {
    this.#parts = parts;
    this.#request = request;
  }

  /** All of them, each once; the first failure ends the others. */
  async all(layers: readonly Layer[], config: Descriptor): Promise<void> {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#request.signal, stop.signal]);
    const first = new Map(layers.map((layer) => [layer.descriptor.digest, layer]));
    const tasks = [...first.values()].map((layer) => this.#layer(layer, signal));
    tasks.push(this.#upload(config, { signal }).then(() => {}));
    try {
      await Promise.all(tasks);
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(tasks);
      throw error;
    }
  }

  async #layer({ descriptor, id }: Layer, signal: AbortSignal): Promise<void> {
    const { onProgress, name } = this.#request;
    const { sources, uploads } = this.#parts;
    const stage = (status: string): void => onProgress({ kind: 'stage', id, status });
    const { digest, size: total } = descriptor;
    using _slot = await uploads.acquire({ signal, onWait: () => stage('Waiting') });
    const mountFrom = sources.others(digest, name);
    let mounted = '';
    const how = await this.#upload(descriptor, {
      signal,
      mountFrom,
      onMounted: (path) => {
        mounted = path;
      },
      onProgress: (current) => onProgress({ kind: 'bytes', id, status: 'Pushing', current, total }),
    });
    if (how === 'uploaded') {
      // Whoever was asked did not have it, after all.
      for (const path of mountFrom) sources.forget(digest, { domain: name.domain, path });
    }
    stage({ exists: 'Layer already exists', mounted: `Mounted from ${mounted}`, uploaded: 'Pushed' }[how]);
  }

  async #upload(
    descriptor: Descriptor,
    options: PushBlobOptions,
  ): Promise<'exists' | 'mounted' | 'uploaded'> {
    const { content, sources } = this.#parts;
    const { repository, name } = this.#request;
    const { digest } = descriptor;
    const how = await repository.pushBlob(descriptor, (start) => content.open(digest, { start }), options);
    sources.note(digest, name);
    return how;
  }
}
