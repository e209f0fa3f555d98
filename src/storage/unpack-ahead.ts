import type { Digest } from '#/oci/digest.ts';
import type { Unpacked } from './archive/unpack-blob.ts';
import type { UnpackThreads } from './archive/unpack-threads.ts';
import type { GrowingFile } from './content/partial-blob.ts';
import type { Snapshotter } from './snapshots/snapshotter.ts';
import { unpackKey } from './unpack-key.ts';

/** A blob that lies unpacked in an active snapshot without a parent. */
export interface AheadSnapshot {
  readonly key: string;
  readonly unpacked: Unpacked;
}

/** What to unpack with. */
interface AheadParts {
  readonly snapshots: Snapshotter;
  readonly threads: UnpackThreads;
  /** Tells whether a layer was made of the blob: then it is not likely to be needed again. */
  readonly isLayer: (blob: Digest) => boolean;
}

/** Smaller blobs are unpacked in no time when they are known to be layers. Bytes. */
const leastSize = 1024 * 1024;

/**
 * Unpacks blobs of an image archive while they come, before it is known which layers they are, or whether they are any. Layers
 * take what they need; disposing of this removes the rest. Blobs must be verified before anything is taken.
 */
export class UnpackAhead implements AsyncDisposable {
  readonly #parts: AheadParts;
  readonly #begun = new Map<Digest, Promise<AheadSnapshot | undefined>>();
  readonly #stop = new AbortController();

  constructor(parts: AheadParts) {
    this.#parts = parts;
  }

  /** Begins with a blob that is still being written. Does nothing where it is of no use. */
  begin(blob: Digest, size: number, file: GrowingFile): void {
    const { snapshots, isLayer } = this.#parts;
    if (size <= leastSize || !snapshots.canRebase || this.#begun.has(blob) || isLayer(blob)) return;
    this.#begun.set(blob, this.#unpack(blob, size, file));
  }

  /** What came of a blob; it belongs to the caller now. Undefined: nothing. */
  async take(blob: Digest): Promise<AheadSnapshot | undefined> {
    const begun = this.#begun.get(blob);
    this.#begun.delete(blob);
    return begun;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort();
    for (const begun of this.#begun.values()) {
      const snapshot = await begun;
      if (snapshot !== undefined) await this.#parts.snapshots.remove(snapshot.key);
    }
  }

  async #unpack(blob: Digest, size: number, file: GrowingFile): Promise<AheadSnapshot | undefined> {
    const { snapshots, threads } = this.#parts;
    const key = unpackKey();
    try {
      await snapshots.prepare(key);
      const target = { ...snapshots.layerTarget(key), lowers: 'later' as const };
      const job = { path: file.path, digest: blob, target };
      return { key, unpacked: await threads.unpack(job, size, { file, signal: this.#stop.signal }) };
    } catch {
      // It may be no layer at all. If it is one, unpacking it when that is known tells what is wrong.
      if (snapshots.exists(key)) await snapshots.remove(key);
      return undefined;
    }
  }
}
