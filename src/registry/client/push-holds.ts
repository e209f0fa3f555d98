import type { Digest } from '#/oci/digest.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
import type { ImageParts } from '#/storage/images/record.ts';

/**
 * What a push works with, which may be removed meanwhile. When it is disposed of, goes what was packed for this push only, or is of
 * an image that was removed.
 */
export class PushHolds implements AsyncDisposable {
  readonly #parts: ImageParts;
  readonly blobs: Hold<Digest>;
  readonly #chains: Hold<ChainId>;
  readonly #used = new Set<Digest>();
  readonly #tops = new Set<ChainId>();
  #hasPacked = false;

  constructor(parts: ImageParts) {
    this.#parts = parts;
    this.blobs = parts.content.hold();
    this.#chains = parts.layers.hold();
  }

  /** Holds a blob. */
  use(digest: Digest): void {
    this.blobs.add(digest);
    this.#used.add(digest);
  }

  /** Holds a layer and those below it. */
  useChain(top: ChainId | undefined): void {
    if (top === undefined) return;
    this.#chains.add(top);
    this.#tops.add(top);
  }

  /** Notes a blob that was made for this push. */
  packed(digest: Digest): void {
    this.use(digest);
    this.#hasPacked = true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const { layers, images, archives } = this.#parts;
    this.blobs[Symbol.dispose]();
    this.#chains[Symbol.dispose]();
    for (const top of this.#tops) await layers.release(top);
    for (const digest of this.#used) await images.dropBlob(digest);
    // What was packed can be what the image came with.
    if (this.#hasPacked) for (const top of this.#tops) await archives.compact(top);
  }
}
