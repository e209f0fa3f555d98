import { Readable } from 'node:stream';
import type { Digest } from '#/oci/digest.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import type { Hold } from '#/storage/holds.ts';
import type { ImageParts } from '#/storage/images/record.ts';

/** Documents that are put into the store for an image; what nothing needs when this is disposed of, goes. */
export class StoredDocuments implements AsyncDisposable {
  readonly #parts: ImageParts;
  readonly #hold: Hold<Digest>;
  readonly #kept: Digest[] = [];

  constructor(parts: ImageParts) {
    this.#parts = parts;
    this.#hold = parts.content.hold();
  }

  /** Stores a document, unless it is there, and holds it. */
  async keep(bytes: Buffer, digest: Digest): Promise<void> {
    const { content } = this.#parts;
    this.#hold.add(digest);
    this.#kept.push(digest);
    if (!(await content.has(digest))) await content.ingest(Readable.from([bytes]), { hold: this.#hold });
  }

  /** Those blobs of layers that are there, held; others can be made again. */
  async layersOf(top: ChainId | undefined): Promise<Digest[]> {
    const { content, layers } = this.#parts;
    const found: Digest[] = [];
    for (const { blob } of top === undefined ? [] : layers.chain(top)) {
      this.#hold.add(blob);
      if (await content.has(blob)) found.push(blob);
    }
    return found;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#hold[Symbol.dispose]();
    for (const digest of this.#kept) await this.#parts.images.dropBlob(digest);
  }
}
