import { internal, notFound } from '#/base/errors.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import type { Digest } from '#/oci/digest.ts';
import { layerCompression, layerMediaType } from '#/oci/media-types.ts';
import { compress, decompress } from '#/storage/archive/compression.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
import type { ImageParts } from '#/storage/images/record.ts';
import type { Layer } from '#/storage/layer-table.ts';
import type { PackOptions } from './image-options.ts';

/** Bytes to be put somewhere else under their digest. */
export interface ExportBlob {
  readonly descriptor: Descriptor;
  /** The bytes from `start` on; can be called again. */
  readonly open: (start: number) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;
}

/** A layer to be put somewhere else. */
export interface LayerBlob extends ExportBlob {
  readonly diffId: Digest;
}

/**
 * Layers in the form in which they are to go out. What is packed for it is held, and goes when this is disposed of unless
 * something else has come to need it; the layers may be removed meanwhile.
 */
export class LayerBlobs implements AsyncDisposable {
  readonly #parts: ImageParts;
  readonly #signal: AbortSignal;
  readonly #stack = new AsyncDisposableStack();
  readonly #hold: Hold<Digest>;
  readonly #chains: Hold<ChainId>;
  readonly #tops = new Set<ChainId>();
  readonly #used = new Set<Digest>();
  readonly #packing = new Map<string, Promise<Descriptor>>();

  constructor(parts: ImageParts, signal: AbortSignal) {
    this.#parts = parts;
    this.#signal = signal;
    // The holds are let go first.
    this.#stack.defer(() => this.#dropUnused());
    this.#hold = this.#stack.use(parts.content.hold());
    this.#chains = this.#stack.use(parts.layers.hold());
  }

  /** The layers from the lowest to `top`. Those that are not compressed are packed, several at the same time. */
  async of(top: ChainId | undefined, options: PackOptions): Promise<LayerBlob[]> {
    if (top === undefined) return [];
    this.#chains.add(top);
    this.#tops.add(top);
    const work = this.#parts.layers.chain(top).map((layer) => this.#blobOf(layer, options));
    // Nothing may be left at work when this is disposed of.
    await Promise.allSettled(work);
    return Promise.all(work);
  }

  /** The layer `top` alone. */
  async top(top: ChainId, options: PackOptions): Promise<LayerBlob> {
    this.#chains.add(top);
    this.#tops.add(top);
    const layer = this.#parts.layers.get(top);
    if (layer === undefined) throw notFound(`Layer ${top} not found`);
    return this.#blobOf(layer, options);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.allSettled(this.#packing.values());
    await this.#stack.disposeAsync();
  }

  async #blobOf(layer: Layer, options: PackOptions): Promise<LayerBlob> {
    const { content } = this.#parts;
    this.#use(layer.blob);
    const present = await content.has(layer.blob);
    const kept = layerCompression(layer.mediaType) ?? 'none';
    if (options.compression === 'kept') return present ? this.#whole(layer) : this.#plain(layer);
    const wanted = options.compression === 'uncompressed' ? 'none' : (options.compression ?? 'gzip');
    const isFit = kept === wanted || (kept !== 'none' && !options.force);
    if (present && isFit) return this.#whole(layer);
    if (wanted === 'none' && !present) return this.#plain(layer);
    if (wanted === 'gzip' && options.level === undefined) return this.#gzipped(layer);
    return this.#stored(layer, await this.#packed(layer, { wanted, level: options.level }));
  }

  /** The blob that the layer came in. */
  async #whole(layer: Layer): Promise<LayerBlob> {
    const { blob: digest, mediaType } = layer;
    return this.#stored(layer, { mediaType, digest, size: await this.#parts.content.size(digest) });
  }

  /** With the packer that pushes use. One that was packed before need not be packed again until somebody really reads it. */
  async #gzipped(layer: Layer): Promise<LayerBlob> {
    const { archives } = this.#parts;
    const before = archives.packedAs(layer);
    const pack = (): Promise<Descriptor> =>
      this.#once(`gzip ${layer.chainId}`, () =>
        archives.pack(layer, { hold: this.#hold, signal: this.#signal }),
      );
    if (before === undefined) return this.#stored(layer, await pack());
    return {
      diffId: layer.diffId,
      descriptor: before,
      open: (start) => this.#openLater(before, pack, start),
    };
  }

  async *#openLater(
    promised: Descriptor,
    pack: () => Promise<Descriptor>,
    start: number,
  ): AsyncGenerator<Uint8Array, void, undefined> {
    const { content } = this.#parts;
    this.#use(promised.digest);
    if (!(await content.has(promised.digest))) {
      const made = await pack();
      this.#use(made.digest);
      if (made.digest !== promised.digest) {
        throw internal(
          `A layer was packed as ${promised.digest} before and as ${made.digest} now; try again`,
        );
      }
    }
    yield* content.open(promised.digest, { start });
  }

  /** What is not kept as a blob is made while it is read. */
  async #plain(layer: Layer): Promise<LayerBlob> {
    const { size } = await this.#parts.archives.tar(layer);
    const mediaType = layerMediaType('none');
    return {
      diffId: layer.diffId,
      descriptor: { mediaType, digest: layer.diffId, size },
      open: (start) => this.#tar(layer, start),
    };
  }

  #packed(
    layer: Layer,
    { wanted, level }: { wanted: 'none' | 'gzip' | 'zstd'; level: number | undefined },
  ): Promise<Descriptor> {
    return this.#once(`${wanted} ${level} ${layer.chainId}`, async () => {
      const packed = compress(this.#tar(layer, 0), wanted, level);
      const { digest, size } = await this.#parts.content.ingest(this.#stoppable(packed), {
        hold: this.#hold,
      });
      this.#used.add(digest);
      return { mediaType: layerMediaType(wanted), digest, size };
    });
  }

  async *#tar(layer: Layer, start: number): AsyncGenerator<Uint8Array, void, undefined> {
    const { content, archives } = this.#parts;
    const isKept = await content.has(layer.blob);
    const bytes = isKept
      ? (await decompress(content.open(layer.blob))).bytes
      : (await archives.tar(layer)).body;
    let skip = start;
    for await (const chunk of bytes) {
      if (skip < chunk.length) yield chunk.subarray(skip);
      skip = Math.max(0, skip - chunk.length);
    }
  }

  async *#stoppable(source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void, undefined> {
    for await (const chunk of source) {
      this.#signal.throwIfAborted();
      yield chunk;
    }
  }

  #stored({ diffId }: Layer, descriptor: Descriptor): LayerBlob {
    this.#use(descriptor.digest);
    return { diffId, descriptor, open: (start) => this.#parts.content.open(descriptor.digest, { start }) };
  }

  #once(key: string, pack: () => Promise<Descriptor>): Promise<Descriptor> {
    const known = this.#packing.get(key) ?? pack();
    this.#packing.set(key, known);
    return known;
  }

  #use(digest: Digest): void {
    this.#hold.add(digest);
    this.#used.add(digest);
  }

  async #dropUnused(): Promise<void> {
    const { layers, images, archives } = this.#parts;
    for (const top of this.#tops) await layers.release(top);
    for (const digest of this.#used) await images.dropBlob(digest);
    // What was packed can be what an image came with.
    for (const top of this.#tops) await archives.compact(top);
  }
}
