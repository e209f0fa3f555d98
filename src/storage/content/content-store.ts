import { createHash, randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { conflict, invalid, isSystemError, notFound, tooLarge } from '#/base/errors.ts';
import { algorithmOf, type Digest, hexOf, isDigest, parseDigest } from '#/oci/digest.ts';
import { type Hold, Holds } from '../holds.ts';
import { lendFile } from './lent-file.ts';
import { type ExpectedBlob, PartialBlob } from './partial-blob.ts';
import { Settling, syncPath } from './settling.ts';
import { WriteBehind } from './write-behind.ts';

/** How to take in a blob. */
export interface IngestOptions {
  /** What the content must hash to. */
  readonly expected?: Digest;
  /** Refuse more bytes than this. Default: no bound. */
  readonly maxBytes?: number;
  /** Keeps the blob from `remove` until the hold is closed; see `ContentStore.hold`. */
  readonly hold?: Hold<Digest>;
}

/** A blob that is stored. */
export interface BlobInfo {
  readonly digest: Digest;
  /** Bytes. */
  readonly size: number;
}

const readSize = 256 * 1024;
/** How long what an interrupted download left is kept, in milliseconds. */
const partialAge = 7 * 24 * 3600 * 1000;

/** Blobs up to this size are flushed at once: manifests, configurations, small layers. Bytes. */
const settledAtOnce = 1024 * 1024;

/** As in the image-spec, image-layout.md. */
const layoutFile = '{"imageLayoutVersion":"1.0.0"}';
const emptyIndex = '{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}';

/**
 * Blobs by digest, in an OCI image layout (image-spec, image-layout.md). A blob appears under its name only when it is
 * complete and verified; it never changes after that. What was not
 * flushed can be lost in a power cut. Taking in the same content twice is not an error.
 */
export class ContentStore {
  readonly #root: string;
  readonly #holds = new Holds<Digest>();
  readonly #partials = new Set<Digest>();
  /** Stored, but perhaps only in memory yet. */
  readonly #unflushed = new Set<Digest>();
  readonly #settling: Settling;
  #flushing: Promise<void> = Promise.resolve();

  private constructor(root: string) {
    this.#root = root;
    this.#settling = new Settling(join(root, 'settling'), (digest) => this.path(digest));
  }

  /** Opens or creates the store in the directory `root`, and sweeps what an interrupted ingest left. */
  static async open({ root }: { root: string }): Promise<ContentStore> {
    const store = new ContentStore(root);
    await mkdir(root, { recursive: true, mode: 0o700 });
    await rm(store.#ingestDir, { recursive: true, force: true });
    await mkdir(store.#ingestDir, { mode: 0o700 });
    await mkdir(store.#partialDir, { recursive: true, mode: 0o700 });
    await store.#sweepPartials();
    await mkdir(join(root, 'blobs', 'sha256'), { recursive: true, mode: 0o700 });
    await store.#settling.recover();
    await writeIfMissing(join(root, 'oci-layout'), layoutFile);
    await writeIfMissing(join(root, 'index.json'), emptyIndex);
    return store;
  }

  /** `using hold = content.hold()`: blobs added to it survive `remove` until it is closed. */
  hold(): Hold<Digest> {
    return this.#holds.open();
  }

  /**
   * Stores what `source` yields. Throws `invalid` when it is not what was expected, `tooLarge` beyond `maxBytes`; then,
   * and when `source` fails, nothing is left.
   */
  async ingest(source: AsyncIterable<Uint8Array>, options: IngestOptions = {}): Promise<BlobInfo> {
    const { expected, maxBytes, hold } = options;
    const algorithm = expected === undefined ? 'sha256' : algorithmOf(expected);
    return this.adopt(async (path) => {
      const { hex, size } = await writeHashed(path, source, { algorithm, maxBytes });
      const digest = parseDigest(`${algorithm}:${hex}`);
      if (expected !== undefined && digest !== expected) {
        throw invalid(`Content has digest ${digest}, expected ${expected}`);
      }
      return { digest, size };
    }, hold);
  }

  /**
   * Stores the file that `make` writes at the path it is given, and whose digest and size it then tells. Throws what `make` throws;
   * then nothing is left.
   */
  async adopt(make: (path: string) => Promise<BlobInfo>, hold?: Hold<Digest>): Promise<BlobInfo> {
    const temporary = join(this.#ingestDir, randomUUID());
    try {
      const made = await make(temporary);
      hold?.add(made.digest);
      await this.#place(temporary, made.digest);
      return made;
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }

  /**
   * The blob that somebody is about to download, with what an earlier download left of it. Throws `conflict` while it is open
   * already. The blob should be held before it is complete.
   */
  async partial(expected: ExpectedBlob): Promise<PartialBlob> {
    const { digest } = expected;
    if (this.#partials.has(digest)) throw conflict(`Content ${digest} is being downloaded already`);
    this.#partials.add(digest);
    const path = this.#partialPath(digest);
    try {
      return await PartialBlob.open({ path, later: this.path(digest) }, expected, async (state) => {
        this.#partials.delete(digest);
        if (state === 'complete') await this.#place(path, digest);
      });
    } catch (error) {
      this.#partials.delete(digest);
      throw error;
    }
  }

  /**
   * A blob of known digest that somebody writes and others may read along, as with `partial`; but if its writer leaves, nothing is
   * left of it. It should be held before it is complete.
   */
  async growing(expected: ExpectedBlob): Promise<PartialBlob> {
    const path = join(this.#ingestDir, randomUUID());
    return PartialBlob.open({ path, later: this.path(expected.digest) }, expected, async (state) => {
      if (state === 'complete') await this.#place(path, expected.digest);
      else await rm(path, { force: true });
    });
  }

  /** Removes what an earlier download left of a blob, unless somebody is downloading it. */
  async dropPartial(digest: Digest): Promise<void> {
    if (!this.#partials.has(digest)) await rm(this.#partialPath(digest), { force: true });
  }

  /** The blob as a stream, from byte `start`. The stream fails with `notFound` when there is no such blob. */
  open(digest: Digest, { start = 0 }: { start?: number } = {}): Readable {
    return Readable.from(this.#chunks(digest, start), { objectMode: false });
  }

  /** As `open`, in chunks that are only valid until the next one is asked for. */
  async *lend(digest: Digest): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* lendFile(this.path(digest));
    } catch (error) {
      throw explained(error, digest);
    }
  }

  /** The whole of a small blob. Throws `notFound`, and `tooLarge` above `maxBytes`. */
  async read(digest: Digest, maxBytes: number): Promise<Buffer> {
    const size = await this.size(digest);
    if (size > maxBytes) throw tooLarge(`Content ${digest} has ${size} bytes, more than ${maxBytes}`);
    return readFile(this.path(digest));
  }

  /** Tells whether the blob is stored. */
  async has(digest: Digest): Promise<boolean> {
    try {
      await stat(this.path(digest));
      return true;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** Bytes of the blob; throws `notFound`. */
  async size(digest: Digest): Promise<number> {
    try {
      return (await stat(this.path(digest))).size;
    } catch (error) {
      throw explained(error, digest);
    }
  }

  /** Removes the blob. False: there was none, or somebody holds it. */
  async remove(digest: Digest): Promise<boolean> {
    if (this.#holds.has(digest)) return false;
    try {
      await rm(this.path(digest));
      return true;
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return false;
      throw error;
    }
  }

  /** All blobs, in no order. */
  async list(): Promise<BlobInfo[]> {
    const found: BlobInfo[] = [];
    for (const algorithm of await readdir(join(this.#root, 'blobs'))) {
      for (const hex of await readdir(join(this.#root, 'blobs', algorithm))) {
        const digest = `${algorithm}:${hex}`;
        if (isDigest(digest)) found.push({ digest, size: await this.size(digest) });
      }
    }
    return found;
  }

  /** Where the blob is, if it is there. Read only: whoever writes to it breaks the store. */
  path(digest: Digest): string {
    return join(this.#root, 'blobs', algorithmOf(digest), hexOf(digest));
  }

  async *#chunks(digest: Digest, start: number): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* createReadStream(this.path(digest), { start, highWaterMark: readSize });
    } catch (error) {
      throw explained(error, digest);
    }
  }

  /** Gives a complete file its name. */
  async #place(file: string, digest: Digest): Promise<void> {
    const directory = join(this.#root, 'blobs', algorithmOf(digest));
    await mkdir(directory, { recursive: true, mode: 0o700 });
    await rename(file, this.path(digest));
    this.#unflushed.add(digest);
  }

  /**
   * Makes small blobs that were stored until now survive a power cut: call it before a row refers to a blob. Blobs are flushed at
   * the same time, which costs a disk little more than one of them alone. Large ones are flushed afterwards, without anybody
   * waiting for it; until then they are marked, and looked at after a power cut.
   */
  flush(): Promise<void> {
    // What another call is flushing now may be what this one is about.
    const flushed = this.#flushing.then(
      () => this.#flush(),
      () => this.#flush(),
    );
    this.#flushing = flushed;
    return flushed;
  }

  async #flush(): Promise<void> {
    const digests = [...this.#unflushed];
    this.#unflushed.clear();
    try {
      const small: string[] = [];
      const large: Digest[] = [];
      for (const digest of digests) {
        if (await this.#isLarge(digest)) large.push(digest);
        else small.push(this.path(digest));
      }
      const directories = new Set(digests.map((digest) => join(this.#root, 'blobs', algorithmOf(digest))));
      await Promise.all([...[...directories, ...small].map(syncPath), this.#settling.mark(large)]);
    } catch (error) {
      for (const digest of digests) this.#unflushed.add(digest);
      throw error;
    }
  }

  async #isLarge(digest: Digest): Promise<boolean> {
    return (await this.has(digest)) && (await this.size(digest)) > settledAtOnce;
  }

  /** Removes partial blobs that nobody has gone on with for long. */
  async #sweepPartials(): Promise<void> {
    for (const name of await readdir(this.#partialDir)) {
      const path = join(this.#partialDir, name);
      if ((await stat(path)).mtimeMs < Date.now() - partialAge)
        await rm(path, { force: true, recursive: true });
    }
  }

  #partialPath(digest: Digest): string {
    return join(this.#partialDir, `${algorithmOf(digest)}-${hexOf(digest)}`);
  }

  get #partialDir(): string {
    return join(this.#root, 'partial');
  }

  get #ingestDir(): string {
    return join(this.#root, 'ingest');
  }
}

async function writeHashed(
  path: string,
  source: AsyncIterable<Uint8Array>,
  { algorithm, maxBytes = Number.POSITIVE_INFINITY }: { algorithm: string; maxBytes: number | undefined },
): Promise<{ hex: string; size: number }> {
  const hash = createHash(algorithm);
  await using file = await open(path, 'wx', 0o600);
  let size = 0;
  const output = new WriteBehind(file);
  for await (const chunk of source) {
    size += chunk.length;
    if (size > maxBytes) throw tooLarge(`Content is larger than ${maxBytes} bytes`);
    hash.update(chunk);
    await output.append(chunk);
  }
  await output.flush();
  return { hex: hash.digest('hex'), size };
}

async function writeIfMissing(path: string, text: string): Promise<void> {
  try {
    await writeFile(path, text, { flag: 'wx', mode: 0o600 });
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
  }
}

function explained(error: unknown, digest: Digest): unknown {
  return isSystemError(error, 'ENOENT') ? notFound(`Content ${digest} not found`, error) : error;
}
