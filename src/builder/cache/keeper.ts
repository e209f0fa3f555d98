import { statfsSync } from 'node:fs';
import { notFound } from '#/base/errors.ts';
import { shortId } from '#/base/ids.ts';
import { hexOf } from '#/oci/digest.ts';
import { familiarString } from '#/oci/reference.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { ImageStore } from '#/storage/images.ts';
import type { Layers } from '#/storage/layers.ts';
import type { TreeThreads } from '#/storage/tree/tree-threads.ts';
import type { BuildCache, UsedEntry } from './build-cache.ts';
import type { CacheMountRecord, CacheMounts } from './cache-mounts.ts';
import { chooseForRemoval } from './choose.ts';
import type { FileKeeper, KeptFiles } from './kept-files.ts';
import { exportCacheMount, importCacheMount } from './mount-archive.ts';
import { reasonFor } from './reasons.ts';
import type { CacheBudget, CacheRecord, PruneRequest, PruneResult } from './record.ts';

interface Parts {
  readonly cache: BuildCache;
  readonly mounts: CacheMounts;
  readonly trees: TreeThreads;
  /** Others who keep something for builds. */
  readonly files: readonly FileKeeper[];
  readonly layers: Layers;
  readonly images: ImageStore;
  /** A folder on the disk that is to have room. */
  readonly dataRoot: string;
  /** Undefined: nothing goes by itself. */
  readonly budget: CacheBudget | undefined;
  readonly onError: (error: unknown) => void;
}

/** A record, and how to remove what it stands for. */
interface Kept {
  readonly record: CacheRecord;
  /** Names of images that need it, too. */
  readonly images?: readonly string[];
  readonly remove: () => Promise<boolean>;
}

/** Milliseconds after a build. */
const collectionDelay = 30_000;

/** Looks after the size of the cache: tells what there is and why, removes what is asked for, or what is too much. */
export class CacheKeeper implements Disposable {
  readonly #parts: Parts;
  #timer: NodeJS.Timeout | undefined;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** All that is kept, and why. */
  async usage(): Promise<CacheRecord[]> {
    const rules = { budget: this.#parts.budget, now: Date.now() };
    const all = await this.#all();
    return all.map(({ record, images = [] }) => ({ ...record, reason: reasonFor(record, images, rules) }));
  }

  /** See `Builder.prune`. */
  async prune(request: PruneRequest): Promise<PruneResult> {
    const all = await this.#all();
    const records = all.map(({ record }) => record);
    const chosen = new Set(chooseForRemoval(records, request, { now: Date.now(), free: this.#free() }));
    const removed: CacheRecord[] = [];
    // The last used first: what others build on goes after what builds on it.
    for (const { record, remove } of all) if (chosen.has(record) && (await remove())) removed.push(record);
    const reclaimed = removed.filter(({ shared }) => !shared).reduce((sum, { size }) => sum + size, 0);
    return { removed, reclaimed };
  }

  /** See `Builder.exportCacheMount`. */
  exportMount(id: string): AsyncGenerator<Uint8Array, void, undefined> {
    const number = mountForm.exec(id)?.[1];
    if (number === undefined) throw notFound(`No such cache mount: ${id}`);
    return exportCacheMount(this.#parts.mounts, Number(number), this.#parts.trees);
  }

  /** See `Builder.importCacheMount`. */
  async importMount(
    bytes: AsyncIterable<Uint8Array>,
    options: { readonly signal: AbortSignal },
  ): Promise<{ readonly id: string; readonly name: string }> {
    const { id, name } = await importCacheMount(this.#parts.mounts, bytes, options);
    return { id: mountId(id), name };
  }

  /** What it collects by; undefined: nothing is collected. */
  get budget(): CacheBudget | undefined {
    return this.#parts.budget;
  }

  /** Collects what is over the budget some time after the last build. */
  collectLater(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => {
      this.collect().catch(this.#parts.onError);
    }, collectionDelay).unref();
  }

  /** Removes what is over the budget: what has lain unused too long, then the least recently used. */
  async collect(): Promise<PruneResult> {
    if (this.#parts.budget === undefined) return { removed: [], reclaimed: 0 };
    const { maxAge, ...bounds } = this.#parts.budget;
    const age = new Map([['until', [`${Math.round(maxAge / 1000)}s`]]]);
    const old = await this.prune({ all: true, filters: age });
    const more = await this.prune({ all: true, filters: new Map(), ...bounds });
    return { removed: [...old.removed, ...more.removed], reclaimed: old.reclaimed + more.reclaimed };
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
  }

  async #all(): Promise<Kept[]> {
    const entries = this.#parts.cache.list();
    const inImages = this.#imagesByLayer();
    const ids = new Map(
      entries.flatMap(({ layer, key }) => (layer === undefined ? [] : [[layer, idOf(key)] as const])),
    );
    const steps = entries.map((entry): Kept => {
      const record = this.#stepRecord(entry, { inImages, ids });
      const remove = async (): Promise<boolean> => {
        if (record.inUse) return false;
        await this.#parts.cache.remove([entry]);
        return true;
      };
      const images = (entry.layer && inImages.get(entry.layer)) ?? [];
      return { record, images, remove };
    });
    const mounts = (await this.#parts.mounts.list()).map(
      (mount): Kept => ({ record: mountRecord(mount), remove: () => this.#parts.mounts.remove(mount.id) }),
    );
    return [...steps, ...mounts, ...(await this.#files())];
  }

  #stepRecord(
    { key, layer, parent, description, created, used, uses, size }: UsedEntry,
    { inImages, ids }: { inImages: ReadonlyMap<ChainId, unknown>; ids: ReadonlyMap<ChainId, string> },
  ): CacheRecord {
    const parentId = parent && (ids.get(parent) ?? ids.get(this.#parts.layers.get(parent)?.diffId ?? parent));
    return {
      id: idOf(key),
      parents: parentId === undefined ? [] : [parentId],
      kind: 'regular',
      description,
      inUse: layer !== undefined && this.#parts.layers.isHeld(layer),
      shared: layer !== undefined && inImages.has(layer),
      size,
      createdAt: new Date(created),
      lastUsedAt: used,
      usageCount: uses,
    };
  }

  async #files(): Promise<Kept[]> {
    const all = await Promise.all(
      this.#parts.files.map(async (keeper) =>
        (await keeper.kept()).map(
          (one): Kept => ({ record: fileRecord(one), remove: () => keeper.forget(one.id) }),
        ),
      ),
    );
    return all.flat();
  }

  /** What images are called that have a layer. */
  #imagesByLayer(): Map<ChainId, string[]> {
    const { images, layers } = this.#parts;
    const found = new Map<ChainId, string[]>();
    for (const { id, chainId } of images.list()) {
      if (chainId === undefined) continue;
      const [name] = images.namesOf(id);
      const shown = name === undefined ? shortId(id) : familiarString(name);
      for (const layer of layers.chain(chainId)) {
        // What a linked step has made is there alone, too.
        const alone = layers.stackIsFree ? [layer.diffId] : [];
        for (const id of new Set([layer.chainId, ...alone])) {
          const names = found.get(id) ?? [];
          found.set(id, names);
          names.push(shown);
        }
      }
    }
    return found;
  }

  #free(): number {
    const { bavail, bsize } = statfsSync(this.#parts.dataRoot);
    return bavail * bsize;
  }
}

function idOf(key: string): string {
  return hexOf(key as never).slice(0, 25);
}

function fileRecord({ created, used, ...one }: KeptFiles): CacheRecord {
  return { ...one, parents: [], shared: false, createdAt: created, lastUsedAt: used, usageCount: 1 };
}

const mountForm = /^cachemount-(\d{1,15})$/;

function mountId(id: number): string {
  return `cachemount-${id}`;
}

function mountRecord({ id, name, inUse, size, created, used, uses }: CacheMountRecord): CacheRecord {
  return {
    id: mountId(id),
    parents: [],
    kind: 'exec.cachemount',
    description: `cached mount ${name}`,
    inUse,
    shared: false,
    size,
    createdAt: created,
    lastUsedAt: used,
    usageCount: uses,
  };
}
