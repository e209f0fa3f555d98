import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { invalid, isSystemError, tooLarge } from '#/base/errors.ts';
import { type Owner, openat2, RESOLVE_IN_ROOT } from '#/kernel/at.ts';
import { decompress } from '#/storage/archive/compression.ts';
import { extractTar } from '#/storage/archive/extract.ts';
import { undoForeign } from '#/storage/archive/foreign-compression.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { ReadableFile } from '#/storage/tree/open-file.ts';
import { removeTree } from '#/storage/tree/remove-tree.ts';
import type { BuildContext, ContextTree } from '../request.ts';

const emptyFolder = 'empty';
/** Entries of one archive; more than any project has. */
const maxEntries = 2_000_000;

/** Contexts that clients send as archives. */
export class ArchiveContexts {
  /** A context without files. */
  readonly empty: BuildContext;
  readonly #root: string;

  private constructor(root: string) {
    this.#root = root;
    const nobody = { [Symbol.asyncDispose]: () => Promise.resolve() };
    this.empty = new ArchiveContext(join(root, emptyFolder), { name: 'context', owned: nobody });
  }

  /** `root` is the folder that they are unpacked in; what a daemon that died has left there goes. */
  static async open({ root }: { root: string }): Promise<ArchiveContexts> {
    await mkdir(root, { recursive: true, mode: 0o700 });
    using folder = Directory.open(root);
    for (const name of folder.names()) await removeTree(folder, name);
    await mkdir(join(root, emptyFolder), { mode: 0o755 });
    return new ArchiveContexts(root);
  }

  /**
   * Unpacks an archive, compressed with gzip, bzip2, xz, zstd or not at all, as it comes; no bytes at all are an empty
   * context. With `owner` everything belongs to that one, whatever the archive says. Throws `invalid` for what is no archive.
   */
  async receive(
    bytes: AsyncIterable<Uint8Array>,
    { name, owner, signal }: { name: string; owner?: Owner; signal: AbortSignal },
  ): Promise<ArchiveContext> {
    await using stack = new AsyncDisposableStack();
    const folder = randomUUID();
    const root = join(this.#root, folder);
    stack.defer(async () => {
      using parent = Directory.open(this.#root);
      await removeTree(parent, folder);
    });
    await mkdir(root, { mode: 0o755 });
    const plain = await decompress(await undoForeign(bytes));
    await extractTar(plain.bytes, {
      root,
      whiteouts: 'none',
      makesLinkTargets: true,
      limits: { maxEntries },
      owner,
      signal,
    });
    return new ArchiveContext(root, { name, owned: stack.move() });
  }
}

/** The files of one archive, until this is disposed of. The client has chosen them: all of them are there for all wishes. */
export class ArchiveContext implements BuildContext, AsyncDisposable {
  readonly name: string;
  readonly #root: string;
  readonly #owned: AsyncDisposable;

  constructor(root: string, { name, owned }: { name: string; owned: AsyncDisposable }) {
    this.#root = root;
    this.name = name;
    this.#owned = owned;
  }

  open(): Promise<ContextTree> {
    return Promise.resolve({ root: this.#root, [Symbol.asyncDispose]: () => Promise.resolve() });
  }

  /** A file, found without leaving the context; undefined if there is none. Throws `tooLarge` beyond `limit` bytes. */
  read(path: string, limit: number): Buffer | undefined {
    using root = Directory.open(this.#root);
    const flags = constants.O_RDONLY | constants.O_NONBLOCK;
    try {
      using file = new ReadableFile(openat2(root.fd, path, { flags, resolve: RESOLVE_IN_ROOT }));
      if (!file.isFile) return undefined;
      const buffer = Buffer.alloc(limit + 1);
      const length = file.read(buffer, 0);
      if (length > limit) throw tooLarge(`${path} in the build context has more than ${limit} bytes`);
      return Buffer.from(buffer.subarray(0, length));
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'EISDIR', 'ENXIO')) return undefined;
      if (isSystemError(error, 'ELOOP', 'EXDEV', 'ENAMETOOLONG', 'EINVAL')) {
        throw invalid(`cannot read ${JSON.stringify(path)} in the build context: ${error.message}`, error);
      }
      throw error;
    }
  }

  /** Removes a file of the context's top folder or below it, if its folders are no links. */
  async remove(path: string): Promise<void> {
    const parts = path.split('/').filter((part) => part !== '' && part !== '.');
    const name = parts.pop();
    if (name === undefined || parts.includes('..')) return;
    using stack = new DisposableStack();
    let folder = stack.use(Directory.open(this.#root));
    try {
      for (const part of parts) folder = stack.use(folder.child(part));
    } catch (error) {
      if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return;
      throw error;
    }
    await removeTree(folder, name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned[Symbol.asyncDispose]();
  }
}
