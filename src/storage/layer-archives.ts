import { randomUUID } from 'node:crypto';
import { existsSync, statSync } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { internal } from '#/base/errors.ts';
import { KeyedLocks } from '#/base/locks.ts';
import { canDeflate, type Deflater } from '#/kernel/gzip.ts';
import type { Descriptor } from '#/oci/descriptor.ts';
import { type Digest, parseDigest } from '#/oci/digest.ts';
import { layerCompression, layerMediaType } from '#/oci/media-types.ts';
import type { Database, Statement } from '#/state/db.ts';
import { type TreePackJob, verified } from './archive/hash-tree.ts';
import { bestDeflater, type PackJob } from './archive/pack-archive.ts';
import { followRecipe, type RecipeSource, recipeFile } from './archive/tar-recipe.ts';
import type { UnpackThreads } from './archive/unpack-threads.ts';
import type { ChainId } from './chain-id.ts';
import type { ContentStore } from './content/content-store.ts';
import type { Hold } from './holds.ts';
import type { Layer } from './layer-table.ts';
import type { Layers } from './layers.ts';
import type { Snapshotter } from './snapshots/snapshotter.ts';
import type { TreeThreads } from './tree/tree-threads.ts';

/**
 * What is kept of layers: `compressed`, their blobs as they came beside what is unpacked, so that a push is exact and needs no
 * work; or `unpacked`, only that and a recipe for the archive, which takes half the disk. Then a push packs layers anew, the
 * same bytes each time, but not those that the image came with.
 */
export type KeepPolicy = 'compressed' | 'unpacked';

/** A layer's archive, not packed. */
export interface LayerTar {
  /** Bytes. */
  readonly size: number;
  readonly body: AsyncIterable<Uint8Array>;
}

/** The number at the end of a file with a recipe. */
const sizeBytes = 8;

/**
 * The archives of layers: kept, or made again from recipes that lie beside the layers' snapshots. Those of layers that were built
 * are made from the snapshots alone.
 */
export class LayerArchives {
  readonly policy: KeepPolicy;
  readonly #content: ContentStore;
  readonly #layers: Layers;
  readonly #snapshots: Snapshotter;
  readonly #threads: UnpackThreads;
  readonly #trees: TreeThreads;
  readonly #locks = new KeyedLocks();
  readonly #withBlob: Statement;
  readonly #forgetBlob: Statement;
  readonly #findPacked: Statement;
  readonly #rememberPacked: Statement;

  constructor(parts: {
    policy: KeepPolicy;
    content: ContentStore;
    layers: Layers;
    snapshots: Snapshotter;
    threads: UnpackThreads;
    trees: TreeThreads;
    db: Database;
  }) {
    this.policy = parts.policy;
    this.#content = parts.content;
    this.#layers = parts.layers;
    this.#snapshots = parts.snapshots;
    this.#threads = parts.threads;
    this.#trees = parts.trees;
    this.#withBlob = parts.db.prepare('SELECT chain_id FROM layers WHERE blob = ?');
    this.#findPacked = parts.db.prepare(
      'SELECT digest, size, deflater FROM packed_layers WHERE chain_id = ?',
    );
    this.#rememberPacked = parts.db.prepare(
      `INSERT INTO packed_layers (chain_id, digest, size, deflater)
       SELECT chain_id, ?2, ?3, ?4 FROM layers WHERE chain_id = ?1
       ON CONFLICT DO UPDATE SET digest = ?2, size = ?3, deflater = ?4`,
    );
    this.#forgetBlob = parts.db.prepare('DELETE FROM image_blobs WHERE digest = ?');
  }

  /**
   * Under the policy `unpacked`, replaces the blobs of `top` and the layers below it by recipes, as far as nobody holds them.
   * Without effect on layers that are gone.
   */
  async compact(top: ChainId | undefined): Promise<void> {
    if (this.policy === 'compressed' || top === undefined || this.#layers.get(top) === undefined) return;
    for (const layer of this.#layers.chain(top)) await this.#compact(layer);
  }

  /**
   * Packs the layer with gzip, into a blob in the content store that is held; the same bytes each time, as long as the library is
   * there that packed it the first time.
   */
  async pack(
    layer: Layer,
    { hold, signal }: { readonly hold: Hold<Digest>; readonly signal: AbortSignal },
  ): Promise<Descriptor> {
    hold.add(layer.blob);
    const { source, size: tarSize } = await this.#packable(layer);
    const deflater = this.#deflaterOf(layer);
    const { digest, size } = await this.#content.adopt(
      (target) => this.#threads.pack({ source, target, deflater }, tarSize, { signal }),
      hold,
    );
    this.#rememberPacked.run(layer.chainId, digest, size, deflater);
    return { mediaType: layerMediaType('gzip'), digest, size };
  }

  async #packable(layer: Layer): Promise<{ source: PackJob['source']; size: number }> {
    if (layerCompression(layer.mediaType) === 'none' && (await this.#content.has(layer.blob))) {
      return {
        source: { path: this.#content.path(layer.blob) },
        size: await this.#content.size(layer.blob),
      };
    }
    const { source, tarSize } = await this.#source(layer);
    return { source: { ...source, diffId: layer.diffId }, size: tarSize };
  }

  /** The one that packed the layer before, so that registries which have it need not be sent it again. */
  #deflaterOf({ chainId }: Layer): Deflater {
    const before = this.#findPacked.get(chainId)?.['deflater'];
    return (before === 'isal' || before === 'zlib') && canDeflate(before) ? before : bestDeflater();
  }

  /** As what the layer was packed before, if it was. That blob may be gone. */
  packedAs({ chainId }: Layer): Descriptor | undefined {
    const row = this.#findPacked.get(chainId);
    if (row === undefined) return undefined;
    const digest = parseDigest(String(row['digest']));
    return { mediaType: layerMediaType('gzip'), digest, size: Number(row['size']) };
  }

  /** Bytes on disk of what is kept of a layer's archive: its blob, or the recipe for it. */
  async keptBytes({ blob, chainId }: Layer): Promise<number> {
    if (await this.#content.has(blob)) return this.#content.size(blob);
    const recipe = this.#snapshots.exists(chainId) ? this.#recipeOf(chainId) : '';
    return existsSync(recipe) ? statSync(recipe).size : 0;
  }

  /** Tells whether the layer's own blob is there. */
  hasBlob({ blob }: Layer): Promise<boolean> {
    return this.#content.has(blob);
  }

  /** The layer as an image lists it that is made of layers as they are here: its blob, else its archive. Throws as `tar`. */
  async describe(layer: Layer): Promise<Descriptor> {
    const { blob, diffId, mediaType } = layer;
    if (await this.#content.has(blob)) {
      return { mediaType, digest: blob, size: await this.#content.size(blob) };
    }
    const { tarSize } = await this.#source(layer);
    return { mediaType: layerMediaType('none'), digest: diffId, size: tarSize };
  }

  /**
   * The layer's archive, made again. Reading it fails at the end if files of the layer were changed on disk. Throws
   * `internal` if there is nothing to make it from.
   */
  async tar(layer: Layer): Promise<LayerTar> {
    const { source, tarSize } = await this.#source(layer);
    if ('recipe' in source) return { size: tarSize, body: followRecipe(source, layer) };
    const { diffId } = layer;
    return { size: tarSize, body: verified(this.#trees.pack(source), { diffId, path: source.source.path }) };
  }

  async #source(layer: Layer): Promise<{ source: RecipeSource | TreePackJob; tarSize: number }> {
    const { chainId, diffId } = layer;
    const recipe = this.#snapshots.exists(chainId) ? this.#recipeOf(chainId) : '';
    if (existsSync(recipe)) {
      const { tarSize, recipeSize } = await readSizes(recipe);
      const root = this.#snapshots.upperDir(chainId);
      return { source: { recipe, root, size: recipeSize }, tarSize };
    }
    const built = this.#layers.builtArchive(chainId);
    if (built === undefined) {
      throw internal(
        `Layer ${diffId} has neither its blob nor a recipe for it; remove the image and pull or load it again`,
      );
    }
    if (recipe === '') throw internal(`The files of layer ${diffId} are gone: build its image again`);
    const { size, newest } = built;
    return { source: { source: this.#snapshots.packSource(chainId), newest }, tarSize: size };
  }

  async #compact(layer: Layer): Promise<void> {
    using _alone = await this.#locks.acquire(layer.blob);
    if (!(await this.#content.has(layer.blob))) return;
    using hold = this.#layers.hold();
    for (const row of this.#withBlob.all(layer.blob)) {
      const chainId = String(row['chain_id']) as ChainId;
      hold.add(chainId);
      if (!this.#snapshots.exists(chainId)) return;
      if (!existsSync(this.#recipeOf(chainId))) await this.#makeRecipe(layer, chainId);
    }
    this.#forgetBlob.run(layer.blob);
    await this.#content.remove(layer.blob);
  }

  async #makeRecipe({ blob, diffId }: Layer, chainId: ChainId): Promise<void> {
    const path = this.#recipeOf(chainId);
    const temporary = `${path}.${randomUUID()}`;
    try {
      const job = {
        path: this.#content.path(blob),
        root: this.#snapshots.upperDir(chainId),
        recipe: temporary,
      };
      const made = await this.#threads.makeRecipe(job, await this.#content.size(blob));
      if (made.diffId !== diffId)
        throw internal(`Blob ${blob} on disk is not what it was: it holds ${made.diffId}`);
      await appendSize(temporary, made.size);
      await rename(temporary, path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  #recipeOf(chainId: ChainId): string {
    return this.#snapshots.besideOf(chainId, recipeFile);
  }
}

async function appendSize(path: string, size: number): Promise<void> {
  await using file = await open(path, 'a');
  const bytes = Buffer.alloc(sizeBytes);
  bytes.writeBigUInt64LE(BigInt(size));
  await file.writeFile(bytes);
  await file.sync();
}

async function readSizes(path: string): Promise<{ tarSize: number; recipeSize: number }> {
  await using file = await open(path, 'r');
  const recipeSize = (await file.stat()).size - sizeBytes;
  const bytes = Buffer.alloc(sizeBytes);
  await file.read(bytes, 0, sizeBytes, recipeSize);
  return { tarSize: Number(bytes.readBigUInt64LE()), recipeSize };
}
