import { unlessAborted } from '#/base/abort.ts';
import { invalid, isKind } from '#/base/errors.ts';
import type { KeyedLocks } from '#/base/locks.ts';
import type { Digest } from '#/oci/digest.ts';
import { dressImplied } from './archive/implied-directories.ts';
import type { Unpacked } from './archive/unpack-blob.ts';
import type { UnpackThreads } from './archive/unpack-threads.ts';
import { type ChainId, chainIdOf } from './chain-id.ts';
import type { ContentStore } from './content/content-store.ts';
import type { PartialBlob } from './content/partial-blob.ts';
import type { Hold } from './holds.ts';
import type { Layer } from './layer-table.ts';
import type { Snapshotter } from './snapshots/snapshotter.ts';
import type { UnpackAhead } from './unpack-ahead.ts';
import { unpackKey } from './unpack-key.ts';

/** One layer of a chain to unpack. */
export interface ChainLayer {
  readonly diffId: Digest;
  readonly blob: Digest;
  readonly mediaType: string;
  /** Bytes of the blob. */
  readonly size: number;
  /** The blob while it is being downloaded; absent if the content store has it. It must be held there either way. */
  readonly partial?: PartialBlob | undefined;
}

/** A chain of layers to unpack. */
export interface ChainRequest {
  /** The lowest first. */
  readonly layers: readonly ChainLayer[];
  /** Keeps the layers, until a row refers to them. */
  readonly hold: Hold<ChainId>;
  /** What has been unpacked already, of blobs that the content store has by now. */
  readonly ahead?: UnpackAhead | undefined;
  readonly signal?: AbortSignal | undefined;
  /** How many bytes of the blob of `layers[index]` have been unpacked. */
  readonly onProgress?: ((index: number, bytes: number) => void) | undefined;
  /** `layers[index]` is complete, with all below it. */
  readonly onUnpacked?: ((index: number) => void) | undefined;
}

/** What a chain is unpacked with. */
export interface ChainParts {
  readonly content: ContentStore;
  readonly snapshots: Snapshotter;
  readonly threads: UnpackThreads;
  /** One at a time works on a chain id. */
  readonly locks: KeyedLocks;
  /** The layer, if it is unpacked. */
  readonly existing: (chainId: ChainId) => Layer | undefined;
  readonly record: (layer: Layer) => Layer;
}

/** See `Layers.unpackChain`. */
export async function unpackChain(
  request: ChainRequest,
  parts: ChainParts,
): Promise<{ chainId: ChainId | undefined; size: number }> {
  const stop = new AbortController();
  const signal = request.signal === undefined ? stop.signal : AbortSignal.any([request.signal, stop.signal]);
  const tasks: Promise<Layer>[] = [];
  let parent: ChainId | undefined;
  for (const [index, layer] of request.layers.entries()) {
    const chainId = chainIdOf(parent, layer.diffId);
    request.hold.add(chainId);
    const below = tasks.at(-1);
    const onProgress = (bytes: number): void => request.onProgress?.(index, bytes);
    const { ahead } = request;
    const one = new LayerUnpack(parts, layer, { parent, chainId, below, ahead, signal, onProgress });
    const task = one.run().then((made) => {
      request.onUnpacked?.(index);
      return made;
    });
    // The first failure is the reason, and ends the others.
    task.catch((error: unknown) => stop.abort(error));
    tasks.push(task);
    parent = chainId;
  }
  const results = await Promise.allSettled(tasks);
  request.signal?.throwIfAborted();
  stop.signal.throwIfAborted();
  const size = results.reduce(
    (sum, result) => sum + (result.status === 'fulfilled' ? result.value.size : 0),
    0,
  );
  return { chainId: parent, size };
}

/** Where a layer is in its chain. */
interface ChainPlace {
  readonly parent: ChainId | undefined;
  readonly chainId: ChainId;
  /** The layer below, which may still be in the making. */
  readonly below: Promise<Layer> | undefined;
  readonly ahead: UnpackAhead | undefined;
  readonly signal: AbortSignal;
  readonly onProgress: (bytes: number) => void;
}

/** The unpacking of one layer of a chain. */
class LayerUnpack {
  readonly #parts: ChainParts;
  readonly #layer: ChainLayer;
  readonly #place: ChainPlace;

  constructor(parts: ChainParts, layer: ChainLayer, place: ChainPlace) {
    this.#parts = parts;
    this.#layer = layer;
    this.#place = place;
  }

  async run(): Promise<Layer> {
    const { chainId, below } = this.#place;
    // Whoever has the lock of a layer waits at most for locks of layers below it.
    using _alone = await this.#parts.locks.acquire(chainId);
    const existing = this.#parts.existing(chainId);
    if (existing !== undefined) {
      await below;
      return existing;
    }
    return (await this.#fromAhead()) ?? (await this.#besideParent()) ?? (await this.#onParent());
  }

  /** Uses what was unpacked before the layer was known. Undefined: there is nothing of use. */
  async #fromAhead(): Promise<Layer | undefined> {
    const taken = await this.#place.ahead?.take(this.#layer.blob);
    if (taken === undefined) return undefined;
    const { key, unpacked } = taken;
    return this.#keeping(key, async () => {
      this.#place.onProgress(this.#layer.size);
      this.#check(unpacked);
      return this.#withParent(key, unpacked);
    });
  }

  /** Unpacks at once, before the layers below are there. Undefined: that cannot be done. */
  async #besideParent(): Promise<Layer | undefined> {
    const { snapshots } = this.#parts;
    if (this.#place.parent === undefined || !snapshots.canRebase) return undefined;
    return this.#inSnapshot(undefined, async (key) => {
      return this.#withParent(key, await this.#unpack(key, { lowersLater: true }));
    });
  }

  /** Puts what was unpacked without a parent on top of it. Undefined: it could not be unpacked without. */
  async #withParent(key: string, unpacked: Unpacked): Promise<Unpacked | undefined> {
    const { snapshots } = this.#parts;
    const { parent, below } = this.#place;
    await below;
    if (unpacked.needsLowers) return undefined;
    if (parent === undefined) return unpacked;
    snapshots.rebase(key, parent);
    const { root, lowers } = snapshots.layerTarget(key);
    await dressImplied(root, unpacked.implied, lowers);
    return unpacked;
  }

  /** Unpacks when the layers below are there. */
  async #onParent(): Promise<Layer> {
    const { parent, below } = this.#place;
    await below;
    const layer = await this.#inSnapshot(parent, (key) => this.#unpack(key, { lowersLater: false }));
    if (layer === undefined) throw new Error('an archive needed layers that were there');
    return layer;
  }

  async #inSnapshot(
    parent: ChainId | undefined,
    fill: (key: string) => Promise<Unpacked | undefined>,
  ): Promise<Layer | undefined> {
    const key = unpackKey();
    await this.#parts.snapshots.prepare(key, parent);
    return this.#keeping(key, () => fill(key));
  }

  /** Makes the snapshot the layer's, or removes it. */
  async #keeping(key: string, fill: () => Promise<Unpacked | undefined>): Promise<Layer | undefined> {
    const { snapshots } = this.#parts;
    try {
      const unpacked = await fill();
      if (unpacked === undefined) {
        await snapshots.remove(key);
        return undefined;
      }
      this.#place.signal.throwIfAborted();
      await snapshots.commit(key, this.#place.chainId);
      const { diffId, blob, mediaType } = this.#layer;
      const { parent: above, chainId } = this.#place;
      return this.#parts.record({ chainId, parent: above, diffId, blob, mediaType, size: unpacked.bytes });
    } catch (error) {
      if (snapshots.exists(key)) await snapshots.remove(key);
      throw error;
    }
  }

  /** Unpacks the blob; when this returns, the blob and what came out of it are verified. */
  async #unpack(key: string, { lowersLater }: { lowersLater: boolean }): Promise<Unpacked> {
    const { content, snapshots, threads } = this.#parts;
    const { blob, size, partial } = this.#layer;
    const { signal, onProgress } = this.#place;
    const growing = partial?.isComplete === false ? partial : undefined;
    const target = snapshots.layerTarget(key);
    const job = {
      path: growing?.path ?? content.path(blob),
      digest: blob,
      target: lowersLater ? { ...target, lowers: 'later' as const } : target,
    };
    let unpacked: Unpacked;
    try {
      unpacked = await threads.unpack(job, size, { signal, onProgress, file: growing });
    } catch (error) {
      // A wrong download makes an archive look damaged, one that ends makes it break off, and of one that brought nothing no file is
      // left to open: then that is the reason.
      if (partial !== undefined && (isKind(error, 'invalid') || partial.ended))
        await unlessAborted(partial.completed, signal);
      throw error;
    }
    if (partial !== undefined) await unlessAborted(partial.completed, signal);
    this.#check(unpacked);
    return unpacked;
  }

  #check(unpacked: Unpacked): void {
    const { blob, diffId } = this.#layer;
    if (unpacked.needsLowers || unpacked.diffId === diffId) return;
    throw invalid(`Layer ${blob} has diff id ${unpacked.diffId}, expected ${diffId}`);
  }
}
