import type { FileStat } from '#/kernel/at.ts';

/** Bytes of a SHA-256 digest. */
const digestSize = 32;
const defaultCapacity = 200_000;

/** What tells a version of a file from others. */
export type FileFacts = Pick<FileStat, 'dev' | 'ino' | 'size' | 'mtime' | 'ctime'>;

/**
 * Digests of files that have been read, by their inodes; the oldest ones go when there are too many. A file that was changed
 * has another size, time of modification, or time of change (ctime, which nobody can set).
 */
export class DigestCache {
  readonly #capacity: number;
  readonly #slots = new Map<string, number>();
  /** By slot. */
  readonly #keys: string[] = [];
  readonly #sizes: Float64Array;
  readonly #mtimes: BigInt64Array;
  readonly #ctimes: BigInt64Array;
  readonly #digests: Buffer;
  #next = 0;

  constructor(capacity: number = defaultCapacity) {
    this.#capacity = capacity;
    this.#sizes = new Float64Array(capacity);
    this.#mtimes = new BigInt64Array(capacity);
    this.#ctimes = new BigInt64Array(capacity);
    this.#digests = Buffer.alloc(capacity * digestSize);
  }

  /**
   * The digest, if it is known. `isOwned`: files of the tree come and go through somebody who calls `forget`; then the time of
   * change does not count, which a further name of the file changes, too.
   */
  get(stat: FileFacts, isOwned: boolean): Buffer | undefined {
    const slot = this.#slots.get(keyOf(stat));
    if (slot === undefined) return undefined;
    if (this.#sizes[slot] !== stat.size || this.#mtimes[slot] !== stat.mtime) return undefined;
    if (!isOwned && this.#ctimes[slot] !== stat.ctime) return undefined;
    // The slot may get another file's.
    return Buffer.from(this.#digests.subarray(slot * digestSize, (slot + 1) * digestSize));
  }

  /** `stat` is from before the file was read. */
  set(stat: FileFacts, digest: Uint8Array): void {
    const key = keyOf(stat);
    const slot = this.#slots.get(key) ?? this.#newSlot(key);
    this.#sizes[slot] = stat.size;
    this.#mtimes[slot] = stat.mtime;
    this.#ctimes[slot] = stat.ctime;
    this.#digests.set(digest, slot * digestSize);
  }

  /** A file of an owned tree is new, or was changed. */
  forget(stat: Pick<FileStat, 'dev' | 'ino'>): void {
    const key = keyOf(stat);
    const slot = this.#slots.get(key);
    if (slot === undefined) return;
    this.#slots.delete(key);
    this.#keys[slot] = '';
  }

  #newSlot(key: string): number {
    const slot = this.#next;
    this.#next = (slot + 1) % this.#capacity;
    const old = this.#keys[slot];
    if (old !== undefined && old !== '') this.#slots.delete(old);
    this.#keys[slot] = key;
    this.#slots.set(key, slot);
    return slot;
  }
}

function keyOf({ dev, ino }: Pick<FileStat, 'dev' | 'ino'>): string {
  return `${dev.major}:${dev.minor}:${ino}`;
}
