import { createHash } from 'node:crypto';
import { closeSync, constants, openSync, rmSync, utimesSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { newId } from '#/base/ids.ts';
import { AT_FDCWD, fstatat } from '#/kernel/at.ts';
import { spreadChildren } from '#/kernel/files.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { removeTree } from '#/storage/tree/remove-tree.ts';
import type { FileKeeper, KeptFiles } from '../cache/kept-files.ts';
import type { FileThreads } from '../files/file-threads.ts';
import type { TreeDigests } from '../files/tree-digests.ts';
import type { ContextTree } from '../request.ts';
import { type KnownEntries, readHead, readIndex, writeIndex } from './context-index.ts';
import { ContextUpdate, type UpdatedTree } from './context-update.ts';
import { contentBytes, joined, type StoreOp, storeFiles } from './store-files.ts';

/** What a store of contexts is made from. */
export interface ContextStoreOptions {
  /** A folder of its own, on the disk of the snapshots. */
  readonly root: string;
  readonly files: FileThreads;
  readonly digests: TreeDigests;
  /** Bytes of file content that are kept while nobody uses them. */
  readonly budget: number;
}

/** A folder with a tree: `<root>/<key>-<id>/{tree,index}`. */
interface Slot {
  readonly name: string;
  /** Digest of the key. */
  readonly key: string;
  bytes: number;
  /** When it was used last, milliseconds since 1970. */
  used: number;
  isBusy: boolean;
  /** See `ContextTree.version`. */
  version: string;
  /** What is in it, if that has been read. */
  known: KnownEntries | undefined;
}

/** Entries of one tree; more would only fill memory. */
const maxEntries = 1_000_000;
/** Entries of trees that nobody uses which are remembered; of others they are read again. */
const maxRemembered = 200_000;
/** What is written without a thread: less than its start costs. */
const inline = { ops: 64, bytes: 256 * 1024 };

/**
 * Trees that clients have sent, so that next time only what has changed is sent. A tree belongs to one user at a time; a second
 * one with the same key gets another. The index is written when a tree is complete and removed before it is changed: what has
 * none is removed at the start.
 */
export class ContextStore implements FileKeeper {
  readonly #options: ContextStoreOptions;
  readonly #slots = new Set<Slot>();

  private constructor(options: ContextStoreOptions) {
    this.#options = options;
  }

  /** Opens it; removes what a daemon that died, or a power cut, has left incomplete. */
  static async open(options: ContextStoreOptions): Promise<ContextStore> {
    const store = new ContextStore(options);
    await mkdir(options.root, { recursive: true, mode: 0o700 });
    spread(options.root);
    using root = Directory.open(options.root);
    for (const name of root.names()) {
      const index = join(options.root, name, 'index');
      const head = await readHead(index);
      const key = /^([0-9a-f]{32})-[0-9a-f]+$/.exec(name)?.[1];
      if (head === undefined || key === undefined) {
        await removeTree(root, name);
        continue;
      }
      const used = Number(fstatat(AT_FDCWD, index).mtime / 1_000_000n);
      store.#slots.add({
        name,
        key,
        bytes: head.bytes,
        used,
        isBusy: false,
        version: newId(),
        known: undefined,
      });
    }
    await store.#tidy();
    return store;
  }

  /** Bytes of file content of all trees. */
  get bytes(): number {
    return [...this.#slots].reduce((sum, { bytes }) => sum + bytes, 0);
  }

  /** Begins to receive a tree. `key` names the one that it is compared with: the same directory of the same client. */
  async update(key: string, { signal }: { readonly signal: AbortSignal }): Promise<ContextUpdate> {
    signal.throwIfAborted();
    const name = createHash('sha256').update(key).digest('hex').slice(0, 32);
    const idle = [...this.#slots].filter((slot) => slot.key === name && !slot.isBusy);
    const slot = idle.toSorted((a, b) => b.used - a.used)[0] ?? this.#newSlot(name);
    slot.isBusy = true;
    try {
      await mkdir(join(this.#path(slot), 'tree'), { recursive: true, mode: 0o755 });
      slot.known ??= idle.includes(slot) ? await readIndex(this.#index(slot)) : new Map();
      return new ContextUpdate(this.#updated(slot, slot.known), { maxEntries });
    } catch (error) {
      await this.#remove(slot);
      throw error;
    }
  }

  /** The trees; clients send them anew when they are needed. */
  kept(): Promise<KeptFiles[]> {
    const all = [...this.#slots].map(({ name, bytes, used, isBusy }): KeptFiles => {
      const time = new Date(used);
      const description = 'local source for a directory of a client';
      return {
        id: name,
        kind: 'source.local',
        description,
        inUse: isBusy,
        size: bytes,
        created: time,
        used: time,
      };
    });
    return Promise.resolve(all);
  }

  /** Removes a tree, unless somebody uses it. */
  async forget(id: string): Promise<boolean> {
    const slot = [...this.#slots].find(({ name, isBusy }) => name === id && !isBusy);
    if (slot === undefined) return false;
    await this.#remove(slot);
    return true;
  }

  /** Removes all trees that nobody uses; returns how many bytes of file content that were. */
  async prune(): Promise<number> {
    let removed = 0;
    for (const slot of [...this.#slots].filter(({ isBusy }) => !isBusy)) {
      removed += slot.bytes;
      await this.#remove(slot);
    }
    return removed;
  }

  #updated(slot: Slot, known: KnownEntries): UpdatedTree {
    const root = join(this.#path(slot), 'tree');
    const { dev } = fstatat(AT_FDCWD, root);
    return {
      known,
      changing: () => rmSync(this.#index(slot), { force: true }),
      apply: async (ops) => {
        for (const { digest, ...stat } of await this.#store(root, ops)) {
          // Inodes of files that are gone come again.
          this.#options.digests.forget({ dev, ino: stat.ino });
          if (digest !== undefined) this.#options.digests.remember({ dev, ...stat }, digest);
        }
      },
      keep: (isChanged) => this.#keep(slot, { root, isChanged }),
      discard: () => this.#remove(slot),
    };
  }

  #store(root: string, ops: readonly StoreOp[]): ReturnType<typeof storeFiles> {
    const bytes = contentBytes(ops);
    if (ops.length <= inline.ops && bytes <= inline.bytes) return storeFiles({ root, ops });
    const { ops: moved, memory } = joined(ops, bytes);
    return this.#options.files.run('store', { root, ops: moved }, { transfer: [memory] });
  }

  async #keep(slot: Slot, { root, isChanged }: { root: string; isChanged: boolean }): Promise<ContextTree> {
    const known: KnownEntries = slot.known ?? new Map();
    if (isChanged) slot.version = newId();
    const { version } = slot;
    try {
      if (isChanged || slot.used === 0) {
        slot.bytes = 0;
        for (const { size } of known.values()) slot.bytes += size;
        await writeIndex(this.#index(slot), known, slot.bytes);
      }
    } catch (error) {
      await this.#remove(slot);
      throw error;
    }
    return { root, isShared: true, version, [Symbol.asyncDispose]: () => this.#release(slot) };
  }

  async #release(slot: Slot): Promise<void> {
    if (!slot.isBusy) return;
    slot.isBusy = false;
    slot.used = Date.now();
    utimesSync(this.#index(slot), new Date(slot.used), new Date(slot.used));
    for (const other of this.#slots) {
      if (other !== slot && other.key === slot.key && !other.isBusy) await this.#remove(other);
    }
    await this.#tidy();
  }

  /** Keeps to the budget. */
  async #tidy(): Promise<void> {
    let bytes = 0;
    let entries = 0;
    for (const slot of [...this.#slots].toSorted((a, b) => b.used - a.used)) {
      bytes += slot.bytes;
      entries += slot.known?.size ?? 0;
      if (slot.isBusy) continue;
      if (entries > maxRemembered) slot.known = undefined;
      if (bytes > this.#options.budget) await this.#remove(slot);
    }
  }

  #newSlot(key: string): Slot {
    const name = `${key}-${newId().slice(0, 16)}`;
    const slot: Slot = { name, key, bytes: 0, used: 0, isBusy: true, version: newId(), known: undefined };
    this.#slots.add(slot);
    return slot;
  }

  async #remove(slot: Slot): Promise<void> {
    this.#slots.delete(slot);
    // First of all it must not look complete.
    rmSync(this.#index(slot), { force: true });
    using root = Directory.open(this.#options.root);
    await removeTree(root, slot.name);
  }

  #path({ name }: Slot): string {
    return join(this.#options.root, name);
  }

  #index(slot: Slot): string {
    return join(this.#path(slot), 'index');
  }
}

/** Trees come and go: beside each other they would have the file system look for free inodes where removed ones were. */
function spread(root: string): void {
  const fd = openSync(root, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    spreadChildren(fd);
  } finally {
    closeSync(fd);
  }
}
