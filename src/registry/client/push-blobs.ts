import type { PushBlobOptions, Repository } from '#/distribution/repository.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { layerCompression } from '#/oci/media-types.ts';
import type { ImageRecord } from '#/storage/images/record.ts';
import type { Layer as StoredLayer } from '#/storage/layer-table.ts';
import type { RepositoryName } from './blob-sources.ts';
import { type OnProgress, shortDigest } from './progress.ts';
import type { PushParts } from './push.ts';
import type { PushHolds } from './push-holds.ts';

/** An image whose blobs are to be at a registry. */
export interface BlobsRequest {
  readonly repository: Repository;
  readonly name: RepositoryName;
  readonly image: ImageRecord;
  readonly onProgress: OnProgress;
  readonly signal: AbortSignal;
}

/** A layer to push. Docker names them by their uncompressed content here. */
interface Layer {
  readonly id: string;
  /** As what it is pushed; it may have to be packed for that. */
  readonly descriptor: Promise<Descriptor>;
}

/** The blobs of one image. */
export class BlobPush {
  readonly #parts: PushParts;
  readonly #request: BlobsRequest;
  readonly #holds: PushHolds;
  readonly #chain: readonly StoredLayer[];

  constructor(parts: PushParts, request: BlobsRequest, holds: PushHolds) {
    this.#parts = parts;
    this.#request = request;
    this.#holds = holds;
    const { chainId } = request.image;
    this.#chain = chainId === undefined ? [] : parts.layers.chain(chainId);
  }

  /**
   * All of them, each once and as soon as it can be; the first failure ends the others. Returns as what the layers were pushed. Nothing
   * is left at work after that.
   */
  async all(layers: readonly Descriptor[], config: Descriptor): Promise<Descriptor[]> {
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#request.signal, stop.signal]);
    const { diffIds } = this.#request.image.config;
    const ready = new Map<Digest, Layer>();
    for (const [index, own] of layers.entries()) {
      if (ready.has(own.digest)) continue;
      const id = shortDigest(diffIds[index] ?? own.digest);
      ready.set(own.digest, { id, descriptor: this.#packed(own, { layer: this.#chain[index], signal }) });
    }
    const tasks: Promise<unknown>[] = [...ready.values()]
      .toReversed()
      .map((layer) => this.#layer(layer, signal));
    tasks.push(this.#upload(config, { signal }));
    try {
      await Promise.all(tasks);
    } catch (error) {
      stop.abort(error);
      await Promise.allSettled(tasks);
      throw error;
    }
    return Promise.all(layers.map(async (own) => (await ready.get(own.digest)?.descriptor) ?? own));
  }

  /**
   * What to push of a layer: a blob in the content store or at the registry. A layer that is not kept as a blob, or came from an
   * archive without being packed, is packed now, unless the registry has it. What came from a registry is pushed as it came.
   */
  async #packed(
    own: Descriptor,
    { layer, signal }: { layer: StoredLayer | undefined; signal: AbortSignal },
  ): Promise<Descriptor> {
    const { content, archives, sources } = this.#parts;
    const isAtRegistry = async ({ digest }: Descriptor): Promise<boolean> =>
      (await this.#request.repository.hasBlob(digest, { signal })) !== undefined;
    const isFit = layerCompression(own.mediaType) !== 'none' || sources.isKnown(own.digest);
    if (layer === undefined || (isFit && (await content.has(own.digest)))) return own;
    if (await isAtRegistry(own)) return own;
    const before = archives.packedAs(layer);
    if (before !== undefined && (await isAtRegistry(before))) return before;
    signal.throwIfAborted();
    const fresh = await archives.pack(layer, { hold: this.#holds.blobs, signal });
    this.#holds.packed(fresh.digest);
    return fresh;
  }

  async #layer({ descriptor: packing, id }: Layer, signal: AbortSignal): Promise<void> {
    const { onProgress, name } = this.#request;
    const { sources, uploads } = this.#parts;
    const stage = (status: string): void => onProgress({ kind: 'stage', id, status });
    const descriptor = await packing;
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
