import { invalid, notFound } from '#/base/errors.ts';
import { KeyedLocks } from '#/base/locks.ts';
import type { Digest } from '#/oci/digest.ts';
import { mediaTypes } from '#/oci/media-types.ts';
import type { Database } from '#/state/db.ts';
import type { UnpackControl } from './archive/unpack-blob.ts';
import type { UnpackThreads } from './archive/unpack-threads.ts';
import { type BuiltArchive, BuiltLayers } from './built-layers.ts';
import { type ChainId, chainIdOf } from './chain-id.ts';
import type { ContentStore } from './content/content-store.ts';
import { type Hold, Holds } from './holds.ts';
import { type Layer, LayerTable } from './layer-table.ts';
import type { Snapshotter } from './snapshots/snapshotter.ts';
import { type StackOptions, stackLayer } from './stack-layer.ts';
import type { TreeThreads } from './tree/tree-threads.ts';
import { UnpackAhead } from './unpack-ahead.ts';
import { type ChainRequest, unpackChain } from './unpack-chain.ts';
import { buildPrefix, unpackKey, unpackPrefix } from './unpack-key.ts';

/** A layer to unpack. */
export interface UnpackRequest extends UnpackControl {
  readonly parent?: ChainId | undefined;
  /** In the content store; it must be held there (`ContentStore.hold`) until this is done. */
  readonly blob: Digest;
  readonly mediaType: string;
  /** What the uncompressed archive must hash to, where that is known. Then a layer that exists is not unpacked again. */
  readonly diffId?: Digest;
  /** Keeps the layer, until a row refers to it. */
  readonly hold?: Hold<ChainId>;
}

/** How a snapshot becomes a layer. */
export interface CommitBuiltOptions {
  readonly parent: ChainId | undefined;
  /** Times after this one are taken for this one, in seconds since 1970. */
  readonly newest?: number | undefined;
  /** Keeps the layer, until a row refers to it. */
  readonly hold?: Hold<ChainId> | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Layers: archives in the content store that are unpacked to committed snapshots, named by their chain ids. A layer is
 * kept as long as a row refers to it (a layer above, an image), a snapshot builds on it, or somebody holds it; what is
 * not kept goes with `release` or `collect`, its blob with it.
 */
export class Layers {
  readonly #content: ContentStore;
  readonly #snapshots: Snapshotter;
  readonly #threads: UnpackThreads;
  readonly #trees: TreeThreads;
  readonly #built: BuiltLayers;
  readonly #db: Database;
  readonly #table: LayerTable;
  readonly #holds = new Holds<ChainId>();
  readonly #locks = new KeyedLocks();

  constructor(parts: {
    content: ContentStore;
    snapshots: Snapshotter;
    threads: UnpackThreads;
    trees: TreeThreads;
    db: Database;
  }) {
    const { db } = parts;
    this.#db = db;
    this.#trees = parts.trees;
    this.#built = new BuiltLayers(db);
    this.#content = parts.content;
    this.#snapshots = parts.snapshots;
    this.#threads = parts.threads;
    this.#table = new LayerTable(db);
  }

  /** All layers, in no order. */
  all(): Layer[] {
    return this.#table.all();
  }

  /** `using hold = layers.hold()`: layers added to it are kept until it is closed. */
  hold(): Hold<ChainId> {
    return this.#holds.open();
  }

  /** Tells whether somebody holds the layer. */
  isHeld(chainId: ChainId): boolean {
    return this.#holds.has(chainId);
  }

  get(chainId: ChainId): Layer | undefined {
    return this.#table.get(chainId);
  }

  /** The layer, if its snapshot exists, too: another driver may have been in use when it was unpacked. */
  usable(chainId: ChainId): Layer | undefined {
    return this.#snapshots.exists(chainId) ? this.get(chainId) : undefined;
  }

  /** `top` and all layers below it, the lowest first. Throws `notFound`. */
  chain(top: ChainId): Layer[] {
    const chain = this.#table.chain(top);
    if (chain.length === 0) throw notFound(`Layer ${top} not found`);
    return chain;
  }

  /**
   * Makes the layer that the blob holds, or finds that it exists. Several requests for one layer do the work once.
   * Throws `invalid` for a malformed archive or another digest than expected; then nothing is left.
   */
  async unpack(request: UnpackRequest): Promise<Layer> {
    const { parent, diffId } = request;
    if (parent !== undefined) request.hold?.add(parent);
    if (diffId === undefined) return this.#unpack(request);
    const chainId = chainIdOf(parent, diffId);
    request.hold?.add(chainId);
    using _alone = await this.#locks.acquire(chainId);
    return this.usable(chainId) ?? (await this.#unpack(request));
  }

  /**
   * Makes all layers of an image, or finds that they exist, several at the same time, also while their blobs are still being
   * downloaded. What is finished when one fails stays, held. Throws as `unpack`, and what a download fails with.
   */
  unpackChain(request: ChainRequest): Promise<{ chainId: ChainId | undefined; size: number }> {
    const parts = {
      snapshots: this.#snapshots,
      threads: this.#threads,
      locks: this.#locks,
      content: this.#content,
    };
    return unpackChain(request, {
      ...parts,
      existing: (chainId) => this.usable(chainId),
      record: (layer) => this.#table.record(layer),
    });
  }

  /**
   * Makes a layer of the active snapshot `key`, whose parent is that of the layer: the digest is that of the archive of what it
   * changed, which is not written anywhere. If there is such a layer already, the snapshot goes. The snapshot must not be
   * mounted any more. Throws system errors and the signal's reason; then the snapshot is what it was.
   */
  async commitBuilt(key: string, { parent, newest, hold, signal }: CommitBuiltOptions): Promise<Layer> {
    if (parent !== undefined) hold?.add(parent);
    const source = this.#snapshots.packSource(key);
    const made = await this.#trees.hash({ source, newest }, { signal });
    const chainId = chainIdOf(parent, made.diffId);
    hold?.add(chainId);
    using _alone = await this.#locks.acquire(chainId);
    const existing = this.usable(chainId);
    if (existing !== undefined) {
      await this.#snapshots.remove(key);
      return existing;
    }
    await this.#snapshots.commit(key, chainId);
    const { diffId, size, content } = made;
    const layer = { chainId, parent, diffId, blob: diffId, mediaType: mediaTypes.layer, size: content };
    return this.#recordBuilt(layer, { size, newest });
  }

  /** What `stack` makes takes no room beside what it is made of. */
  get stackIsFree(): boolean {
    return this.#snapshots.canRebase;
  }

  /**
   * The layer with what is in `alone`, which has no layer below it, on top of `parent`: names count, links of the parent do not. Throws `notFound`, system errors, the signal's reason.
   */
  stack(alone: ChainId, options: StackOptions): Promise<Layer> {
    return stackLayer(alone, options, {
      snapshots: this.#snapshots,
      trees: this.#trees,
      locks: this.#locks,
      existing: (chainId) => this.usable(chainId),
      builtArchive: (chainId) => this.#built.get(chainId),
      record: (layer, built) => this.#recordBuilt(layer, built),
      commitBuilt: (key, commit) => this.commitBuilt(key, commit),
    });
  }

  /** The archive that a built layer would have; undefined for others. */
  builtArchive(chainId: ChainId): BuiltArchive | undefined {
    return this.#built.get(chainId);
  }

  /** For blobs that may turn out to be layers; see `ChainRequest.ahead`. */
  unpackAhead(): UnpackAhead {
    const isLayer = (blob: Digest): boolean => this.#table.hasWithBlob(blob);
    return new UnpackAhead({ snapshots: this.#snapshots, threads: this.#threads, isLayer });
  }

  /**
   * Unpacks again what has no snapshot, of `top` and the layers below it: after a change of the storage driver. Throws
   * `notFound` for a built layer.
   */
  async restore(top: ChainId): Promise<void> {
    using hold = this.hold();
    for (const layer of this.chain(top)) {
      const { chainId, diffId } = layer;
      if (this.usable(chainId) === undefined && this.builtArchive(chainId) !== undefined) {
        const { driver } = this.#snapshots;
        throw notFound(
          `Layer ${diffId} was built with another storage driver than ${driver}: build it again`,
        );
      }
      await this.unpack({ ...layer, hold });
    }
  }

  /** Removes `top` and the layers below it, as far as nothing needs them. */
  async release(top: ChainId): Promise<void> {
    for (let next = this.get(top); next !== undefined; ) {
      if (!(await this.#remove(next))) return;
      next = next.parent === undefined ? undefined : this.get(next.parent);
    }
  }

  /** Removes all layers that nothing needs, and what unpacking and removing left when a daemon died at it. */
  async collect(): Promise<void> {
    for (const { chainId } of this.#table.all()) await this.release(chainId);
    for (const { name, kind } of this.#snapshots.list().toReversed()) {
      const inWork = this.#locks.isHeld(name) || this.#holds.has(name as ChainId);
      const orphan = kind === 'committed' && this.get(name as ChainId) === undefined && !inWork;
      if (orphan && !this.#snapshots.hasChildren(name)) await this.#snapshots.remove(name);
    }
  }

  /** Removes what a daemon that died left half unpacked or half built. Call it once, before anything is unpacked. */
  async reconcile(): Promise<void> {
    for (const { name } of this.#snapshots.list().toReversed()) {
      if (name.startsWith(unpackPrefix) || name.startsWith(buildPrefix)) await this.#snapshots.remove(name);
    }
    await this.collect();
  }

  async #unpack(request: UnpackRequest): Promise<Layer> {
    const { parent, blob, diffId } = request;
    if (parent !== undefined && this.usable(parent) === undefined)
      throw notFound(`Layer ${parent} not found`);
    const key = unpackKey();
    await this.#snapshots.prepare(key, parent);
    try {
      const target = this.#snapshots.layerTarget(key);
      const job = { path: this.#content.path(blob), digest: blob, target };
      const unpacked = await this.#threads.unpack(job, await this.#content.size(blob), request);
      if (diffId !== undefined && unpacked.diffId !== diffId) {
        throw invalid(`Layer ${blob} has diff id ${unpacked.diffId}, expected ${diffId}`);
      }
      const chainId = chainIdOf(parent, unpacked.diffId);
      request.hold?.add(chainId);
      using _alone = diffId === undefined ? await this.#locks.acquire(chainId) : undefined;
      const existing = this.usable(chainId);
      if (existing !== undefined) {
        await this.#snapshots.remove(key);
        return existing;
      }
      await this.#snapshots.commit(key, chainId);
      return this.#table.record({
        ...request,
        chainId,
        parent,
        diffId: unpacked.diffId,
        size: unpacked.bytes,
      });
    } catch (error) {
      if (this.#snapshots.exists(key)) await this.#snapshots.remove(key);
      throw error;
    }
  }

  #recordBuilt(layer: Layer, built: BuiltArchive | undefined): Layer {
    return this.#db.transaction(() => {
      const recorded = this.#table.record(layer);
      if (built !== undefined && recorded.blob === recorded.diffId) this.#built.record(layer.chainId, built);
      return recorded;
    });
  }

  /** False: something needs the layer. */
  async #remove(layer: Layer): Promise<boolean> {
    const { chainId, blob } = layer;
    if (this.#holds.has(chainId) || this.#locks.isHeld(chainId)) return false;
    const unpacked = this.#snapshots.exists(chainId);
    if (unpacked && this.#snapshots.hasChildren(chainId)) return false;
    if (!this.#table.delete(chainId)) return false;
    // Nothing has been awaited since the checks, and `remove` deletes the snapshot's row before it waits.
    if (unpacked) await this.#snapshots.remove(chainId);
    if (!this.#table.needsBlob(blob)) await this.#content.remove(blob);
    return true;
  }
}
