import { invalid, isKind } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, digestOf } from '#/oci/digest.ts';
import { encodeManifest } from '#/oci/manifest.ts';
import { canonicalName } from '#/oci/reference.ts';
import { type ChainId, chainIdOf } from '#/storage/chain-id.ts';
import type { ContentStore } from '#/storage/content/content-store.ts';
import type { Hold } from '#/storage/holds.ts';
import type { ImageParts } from '#/storage/images/record.ts';
import type { DownloadEvents } from './download.ts';
import type { Share } from './downloads.ts';
import { shortDigest } from './progress.ts';
import type { PullHolds, PullParts, PullRequest } from './pull.ts';
import type { RemoteImage } from './resolve.ts';

/** A layer of the image that is pulled. */
interface WantedLayer {
  readonly descriptor: Descriptor;
  readonly diffId: Digest;
  readonly id: string;
}

/** How often all is begun anew because of a download that was not this pull's own fault, nor that of a mirror. */
const maxAttempts = 3;

/**
 * Gets the layers of an image unpacked. Those that are there are only held; the others are downloaded and unpacked at
 * the same time.
 */
export async function pullLayers(
  parts: PullParts,
  request: PullRequest,
  { remote, holds: { blobs, chains } }: { remote: RemoteImage; holds: PullHolds },
): Promise<{ chainId: ChainId | undefined; size: number }> {
  const layers = remote.manifest.parsed.layers.map(
    (descriptor, index): WantedLayer => ({
      descriptor,
      diffId: remote.config.parsed.diffIds[index] as Digest,
      id: shortDigest(descriptor.digest),
    }),
  );
  const missing = layers.slice(present(parts, layers, chains));
  for (const { id } of layers.slice(0, layers.length - missing.length)) {
    request.onProgress({ kind: 'stage', id, status: 'Already exists' });
  }
  parts.kept.keep(missing.map(({ descriptor }) => descriptor.digest));
  for (const { id, descriptor } of missing) {
    blobs.add(descriptor.digest);
    request.onProgress({ kind: 'stage', id, status: 'Pulling fs layer' });
  }
  for (let attempt = 1; ; ) {
    const pull = new LayerPull(parts, request, { layers, missing, chains });
    try {
      return await pull.run();
    } catch (error) {
      if (request.signal.aborted) throw error;
      // There are only so many mirrors.
      if (pull.hasLostMirrors) continue;
      if (attempt >= maxAttempts || !pull.mayBlameOthers(error)) throw error;
      attempt += 1;
    }
  }
}

/** The names of the layers with these uncompressed contents on top of each other, the lowest first. */
export function chainIdsOf(diffIds: readonly Digest[]): ChainId[] {
  const chainIds: ChainId[] = [];
  for (const diffId of diffIds) chainIds.push(chainIdOf(chainIds.at(-1), diffId));
  return chainIds;
}

/** How many of the lowest layers exist. They are held from now on. */
function present({ layers }: PullParts, wanted: readonly WantedLayer[], chains: Hold<ChainId>): number {
  for (const [index, chainId] of chainIdsOf(wanted.map(({ diffId }) => diffId)).entries()) {
    chains.add(chainId);
    if (layers.usable(chainId) === undefined) return index;
  }
  return wanted.length;
}

/** One attempt. */
class LayerPull {
  readonly #parts: PullParts;
  readonly #request: PullRequest;
  readonly #layers: readonly WantedLayer[];
  readonly #missing: readonly WantedLayer[];
  readonly #chains: Hold<ChainId>;
  readonly #shares: Share[] = [];
  /** Layers whose unpacking is worth telling of: before, it is their download that people look at. */
  readonly #downloaded = new Set<WantedLayer>();

  constructor(
    parts: PullParts,
    request: PullRequest,
    {
      layers,
      missing,
      chains,
    }: { layers: readonly WantedLayer[]; missing: readonly WantedLayer[]; chains: Hold<ChainId> },
  ) {
    this.#parts = parts;
    this.#request = request;
    this.#layers = layers;
    this.#missing = missing;
    this.#chains = chains;
  }

  /** A failure can come from what others did: a download that another pull began, or the rest of an earlier one. */
  mayBlameOthers(error: unknown): boolean {
    return this.#shares.some(
      ({ foreign, download }) => foreign || (download.resumed && isKind(error, 'invalid')),
    );
  }

  /** Mirrors have brought something wrong, and will not be asked again. */
  get hasLostMirrors(): boolean {
    return this.#shares.some(({ foreign, download }) => !foreign && download.disowned);
  }

  async run(): Promise<{ chainId: ChainId | undefined; size: number }> {
    const { downloads, content } = this.#parts;
    const { repository, reference } = this.#request;
    const origin = { repository, name: canonicalName(reference) };
    const stop = new AbortController();
    const signal = AbortSignal.any([this.#request.signal, stop.signal]);
    await using stack = new AsyncDisposableStack();
    const shares = new Map<WantedLayer, Share>();
    for (const layer of this.#missing) {
      if (await content.has(layer.descriptor.digest)) {
        await refuseOtherSize(content, layer.descriptor);
        this.#downloaded.add(layer);
        this.#stage(layer, 'Download complete');
        continue;
      }
      const share = stack.use(await downloads.join(layer.descriptor, origin, this.#eventsOf(layer)));
      shares.set(layer, share);
      this.#shares.push(share);
    }
    const unpacking = this.#unpack(shares, signal);
    try {
      await Promise.all([unpacking, ...this.#shares.map(({ download }) => download.done)]);
      return await unpacking;
    } catch (error) {
      // Whatever failed first is the reason; unpacking ends because of it before the files are closed.
      stop.abort(error);
      await unpacking.catch(() => {});
      throw error;
    }
  }

  /** Unpacks all layers at once, those that are not here yet while they come. */
  #unpack(
    shares: ReadonlyMap<WantedLayer, Share>,
    signal: AbortSignal,
  ): Promise<{ chainId: ChainId | undefined; size: number }> {
    const { onProgress } = this.#request;
    const isMissing = new Set(this.#missing);
    return this.#parts.layers.unpackChain({
      layers: this.#layers.map((layer) => {
        const { digest: blob, mediaType, size } = layer.descriptor;
        return { diffId: layer.diffId, blob, mediaType, size, partial: shares.get(layer)?.download.partial };
      }),
      hold: this.#chains,
      signal,
      onProgress: (index, current) => {
        const layer = this.#layers[index];
        if (layer === undefined || !this.#downloaded.has(layer)) return;
        onProgress({
          kind: 'bytes',
          id: layer.id,
          status: 'Extracting',
          current,
          total: layer.descriptor.size,
        });
      },
      onUnpacked: (index) => {
        const layer = this.#layers[index];
        if (layer !== undefined && isMissing.has(layer)) this.#stage(layer, 'Pull complete');
      },
    });
  }

  #eventsOf(layer: WantedLayer): DownloadEvents {
    const { onProgress } = this.#request;
    const { id, descriptor } = layer;
    return {
      waiting: () => this.#stage(layer, 'Waiting'),
      bytes: (current) =>
        onProgress({ kind: 'bytes', id, status: 'Downloading', current, total: descriptor.size }),
      verifying: () => this.#stage(layer, 'Verifying Checksum'),
      complete: () => {
        this.#downloaded.add(layer);
        this.#stage(layer, 'Download complete');
      },
    };
  }

  #stage({ id }: WantedLayer, status: string): void {
    this.#request.onProgress({ kind: 'stage', id, status });
  }
}

/** What is here has been verified, so the manifest is wrong. */
async function refuseOtherSize(content: ContentStore, { digest, size }: Descriptor): Promise<void> {
  const actual = await content.size(digest);
  if (actual !== size) throw invalid(`layer ${digest} has ${actual} bytes, but the manifest says ${size}`);
}

/**
 * The manifest of an image whose layers are stored: the registry's own, or, where layers were here before as other blobs
 * (compressed in another way), one that lists those.
 */
export async function manifestOfStored(
  { layers, archives }: ImageParts,
  { manifest }: RemoteImage,
  chainId: ChainId | undefined,
): Promise<{ bytes: Buffer; digest: Digest; layers: readonly Digest[] }> {
  const wanted = manifest.parsed.layers;
  const chain = chainId === undefined ? [] : layers.chain(chainId);
  if (chain.every(({ blob }, index) => blob === wanted[index]?.digest)) {
    return {
      bytes: manifest.bytes,
      digest: manifest.descriptor.digest,
      layers: wanted.map(({ digest }) => digest),
    };
  }
  const stored = await Promise.all(
    chain.map(async (layer, index): Promise<Descriptor> => {
      const same = wanted[index];
      // A layer that was built here has no blob at all.
      return same?.digest === layer.blob ? same : archives.describe(layer);
    }),
  );
  const bytes = encodeManifest(manifest.parsed.config, stored);
  return { bytes, digest: digestOf(bytes), layers: stored.map(({ digest }) => digest) };
}
