import { posix } from 'node:path';
import { invalid } from '#/base/errors.ts';
import { type Digest, isDigest } from '#/oci/digest.ts';
import type { TarEntry } from '#/tar/tar-entry.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { decompress } from '../archive/compression.ts';
import { undoForeign } from '../archive/foreign-compression.ts';
import type { BlobInfo, ContentStore } from '../content/content-store.ts';
import type { Hold } from '../holds.ts';
import type { UnpackAhead } from '../unpack-ahead.ts';

/** Entries of one image archive; the largest have a few files for each of their layers. */
const maxEntries = 100_000;
/** Links from link to link. */
const maxLinks = 16;

/**
 * The files of an image archive, taken into the content store: archives come as streams in any order, and what a file
 * is shows only at the end. Links inside the archive are followed by name; nothing of it touches the file system.
 */
export class ArchiveFiles {
  readonly #content: ContentStore;
  readonly #ahead: UnpackAhead;
  readonly #files = new Map<string, BlobInfo>();
  readonly #links = new Map<string, string>();

  /** `ahead` is told of what may be layers. */
  constructor(content: ContentStore, ahead: UnpackAhead) {
    this.#content = content;
    this.#ahead = ahead;
  }

  /** Reads the archive to its end; every file is added to `hold`. Throws `invalid` for what is not an archive. */
  async ingest(source: AsyncIterable<Uint8Array>, hold: Hold<Digest>): Promise<void> {
    const { bytes } = await decompress(await undoForeign(source));
    for await (const entry of readTar(bytes, { maxEntries })) {
      const path = normalize(entry.path);
      if (entry.kind === 'file') {
        if (entry.sparse !== undefined)
          throw invalid(`Cannot read image archive: "${path}" is a sparse file`);
        this.#files.set(path, await this.#store(path, entry, hold));
        this.#links.delete(path);
      } else if (entry.kind === 'symlink') {
        this.#links.set(path, normalize(posix.join(posix.dirname(path), entry.linkPath)));
      } else if (entry.kind === 'hardlink') {
        this.#links.set(path, normalize(entry.linkPath));
      }
    }
  }

  async #store(path: string, { size, body }: TarEntry, hold: Hold<Digest>): Promise<BlobInfo> {
    const digest = blobDigest(path);
    if (digest === undefined) return this.#content.ingest(body, { hold });
    hold.add(digest);
    const blob = await this.#content.growing({ digest, size });
    try {
      this.#ahead.begin(digest, size, blob);
      for await (const chunk of body) await blob.append(chunk);
      return await blob.complete();
    } catch (error) {
      await blob.close(error);
      throw error;
    }
  }

  /** Every blob that was taken in. */
  get blobs(): Digest[] {
    return [...this.#files.values()].map(({ digest }) => digest);
  }

  /** The file at `path`, if the archive has it. */
  find(path: string): BlobInfo | undefined {
    let at = normalize(path);
    for (let hops = 0; hops <= maxLinks; hops += 1) {
      const file = this.#files.get(at);
      if (file !== undefined) return file;
      const target = this.#links.get(at);
      if (target === undefined) return undefined;
      at = target;
    }
    throw invalid(`Cannot read image archive: too many links at "${path}"`);
  }

  /** The file at `path`; throws `invalid`. */
  get(path: string): BlobInfo {
    const file = this.find(path);
    if (file === undefined) throw invalid(`Cannot read image archive: it has no file "${path}"`);
    return file;
  }

  /** The blob of this digest, which must be one of the archive's own; throws `invalid`. */
  blob(digest: Digest): BlobInfo {
    return this.get(pathOf(digest));
  }

  /** The blob of this digest, if it is one of the archive's own. */
  findBlob(digest: Digest): BlobInfo | undefined {
    return this.find(pathOf(digest));
  }

  /** The content of a small file. */
  read({ digest }: BlobInfo, maxBytes: number): Promise<Buffer> {
    return this.#content.read(digest, maxBytes);
  }
}

function pathOf(digest: Digest): string {
  return `blobs/${digest.replace(':', '/')}`;
}

/** The digest that a file of an OCI image layout must have because of its name. */
function blobDigest(path: string): Digest | undefined {
  const match = /^blobs\/([a-z0-9]+)\/([0-9a-f]+)$/.exec(path);
  const text = match === null ? '' : `${match[1]}:${match[2]}`;
  return isDigest(text) ? text : undefined;
}

/** One spelling for each name: "./a//b" is "a/b". What climbs out ("../a") keeps its dots and matches nothing. */
function normalize(path: string): string {
  return posix.normalize(`/${path}`).slice(1).replace(/\/$/, '');
}
