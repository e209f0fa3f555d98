import { createHash } from 'node:crypto';
import { closeSync, constants, createReadStream, fsyncSync, openSync, readSync, writeSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { type ByteString, quoted, rawBytes } from '#/base/byte-string.ts';
import { invalid, isSystemError } from '#/base/errors.ts';
import { close, openat2, RESOLVE_IN_ROOT } from '#/kernel/at.ts';
import { type Digest, parseDigest } from '#/oci/digest.ts';
import { ByteSource, truncated } from '#/tar/byte-source.ts';
import { readTar } from '#/tar/tar-reader.ts';
import { Directory } from '../tree/directory.ts';
import { Pacer } from '../tree/pacer.ts';
import { decompress } from './compression.ts';
import { verified } from './hash-tree.ts';

/**
 * How to make an archive again from what was unpacked of it: its bytes in order, where those that files of the layer have are
 * replaced by the file's name. The file holds records, one after the other, packed with gzip:
 *
 *   0, length (4 bytes), bytes                                     these bytes
 *   1, length of the name (4), name, offset (8), length (8)        bytes of a file of the layer
 *
 * Numbers are little-endian. Only what has been compared byte by byte is replaced, so that archives of any kind, with files
 * twice or with holes, come out as they were.
 */
const literal = 0;
const content = 1;

/** What the file is called that lies beside the snapshot of a layer. */
export const recipeFile = 'recipe';

/** Records are packed in blocks of about this size. */
const blockSize = 1024 * 1024;
const readSize = 256 * 1024;
/** Less than this is not worth a name. Bytes. */
const leastContent = 256;
const maxName = 1024 * 1024;

/** An archive whose recipe is to be made; plain data that can go to another thread. */
export interface RecipeJob {
  /** The blob's file, checked against its digest. */
  readonly path: string;
  /** The directory that it has been unpacked to. */
  readonly root: string;
  /** The file to make. */
  readonly recipe: string;
}

/** What a recipe makes. */
export interface Recipe {
  readonly diffId: Digest;
  /** Bytes of the archive. */
  readonly size: number;
}

/** Writes the recipe of an archive and flushes it to disk. Throws system errors, and as `readTar`. */
export async function makeRecipe({ path, root, recipe }: RecipeJob): Promise<Recipe> {
  const hash = createHash('sha256');
  const pacer = new Pacer();
  using writer = new RecipeWriter(recipe);
  using files = new LayerFiles(root);
  let size = 0;
  const { bytes } = await decompress(createReadStream(path, { highWaterMark: readSize }));
  const tap = (piece: Buffer): void => {
    hash.update(piece);
    size += piece.length;
    writer.literal(piece);
  };
  for await (const entry of readTar(bytes, {}, tap)) {
    if (pacer.due) await pacer.turn();
    if (entry.kind !== 'file' || entry.sparse !== undefined || entry.size < leastContent) continue;
    using file = files.open(entry.path);
    let offset = 0;
    for await (const piece of entry.body) {
      if (file?.has(piece, offset)) writer.isContent(entry.path, offset, piece.length);
      offset += piece.length;
    }
  }
  writer.finish();
  return { diffId: parseDigest(`sha256:${hash.digest('hex')}`), size };
}

/** A recipe to follow: its file, of which the first `size` bytes count, and where the files are. */
export interface RecipeSource extends Pick<RecipeJob, 'recipe' | 'root'> {
  /** Absent: all of it. */
  readonly size?: number;
}

/** The archive that a recipe describes. Throws `invalid` at its end if files of the layer are not what they were. */
export async function* followRecipe(
  { recipe, root, size = Number.POSITIVE_INFINITY }: RecipeSource,
  { diffId }: Pick<Recipe, 'diffId'>,
): AsyncGenerator<Uint8Array, void, undefined> {
  const { bytes } = await decompress(createReadStream(recipe, { highWaterMark: readSize, end: size - 1 }));
  using files = new LayerFiles(root);
  yield* verified(pieces(new ByteSource(bytes), files), { diffId, path: root });
}

async function* pieces(source: ByteSource, files: LayerFiles): AsyncGenerator<Buffer, void, undefined> {
  try {
    for (;;) {
      const kind = await source.exactly(1);
      if (kind === undefined) return;
      const length = (await needed(source, 4)).readUInt32LE();
      if (kind[0] === literal) {
        for (let left = length; left > 0; ) {
          const piece = await source.some(left);
          if (piece === undefined) throw truncated();
          left -= piece.length;
          yield piece;
        }
      } else {
        if (length > maxName) throw invalid('Cannot read a recipe: a name is too long');
        const name = (await needed(source, length)).toString('latin1');
        const numbers = await needed(source, 16);
        yield* files.read(name, Number(numbers.readBigUInt64LE(0)), Number(numbers.readBigUInt64LE(8)));
      }
    }
  } finally {
    await source.close();
  }
}

async function needed(source: ByteSource, size: number): Promise<Buffer> {
  const bytes = await source.exactly(size);
  if (bytes === undefined) throw truncated();
  return bytes;
}

/** Writes records. */
class RecipeWriter implements Disposable {
  readonly #fd: number;
  /** Records, and the bytes after them that are not in one yet. */
  #records: Buffer[] = [];
  #recordBytes = 0;
  #pending: Buffer[] = [];
  #pendingBytes = 0;
  #content: { name: ByteString; offset: number; length: number } | undefined;

  constructor(path: string) {
    this.#fd = openSync(path, 'w', 0o600);
  }

  /** The next bytes of the archive. */
  literal(piece: Buffer): void {
    if (this.#pendingBytes >= blockSize) this.#flushPending();
    // What the piece is a view of may be large.
    this.#pending.push(Buffer.from(piece));
    this.#pendingBytes += piece.length;
  }

  /** The last bytes that were added are these of a file. */
  isContent(name: ByteString, offset: number, length: number): void {
    this.#pending.pop();
    this.#pendingBytes -= length;
    const current = this.#content;
    if (this.#pending.length === 0 && current?.name === name && current.offset + current.length === offset) {
      current.length += length;
      return;
    }
    this.#flushPending();
    this.#content = { name, offset, length };
  }

  finish(): void {
    this.#flushPending();
    this.#flushRecords();
    fsyncSync(this.#fd);
  }

  /** What was content comes before what is pending. */
  #flushPending(): void {
    if (this.#content !== undefined) {
      const { name, offset, length } = this.#content;
      const bytes = Buffer.from(name, 'latin1');
      const record = Buffer.alloc(5 + bytes.length + 16);
      record[0] = content;
      record.writeUInt32LE(bytes.length, 1);
      record.set(bytes, 5);
      record.writeBigUInt64LE(BigInt(offset), 5 + bytes.length);
      record.writeBigUInt64LE(BigInt(length), 13 + bytes.length);
      this.#content = undefined;
      this.#add(record);
    }
    if (this.#pending.length === 0) return;
    const bytes = Buffer.concat(this.#pending);
    this.#pending = [];
    this.#pendingBytes = 0;
    const head = Buffer.alloc(5);
    head[0] = literal;
    head.writeUInt32LE(bytes.length, 1);
    this.#add(head);
    this.#add(bytes);
  }

  #add(record: Buffer): void {
    this.#records.push(record);
    this.#recordBytes += record.length;
    if (this.#recordBytes >= blockSize) this.#flushRecords();
  }

  #flushRecords(): void {
    const packed = gzipSync(Buffer.concat(this.#records));
    this.#records = [];
    this.#recordBytes = 0;
    for (let done = 0; done < packed.length; ) done += writeSync(this.#fd, packed, done);
  }

  [Symbol.dispose](): void {
    closeSync(this.#fd);
  }
}

/** The files of a layer. */
class LayerFiles implements Disposable {
  readonly #root: Directory;
  readonly #buffer = Buffer.allocUnsafe(readSize);

  constructor(root: string) {
    this.#root = Directory.open(root);
  }

  /** Undefined: there is no such file any more. */
  open(path: ByteString): OpenFile | undefined {
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
    try {
      return new OpenFile(
        openat2(this.#root.fd, rawBytes(path), { flags, resolve: RESOLVE_IN_ROOT }),
        this.#buffer,
      );
    } catch (error) {
      if (isSystemError(error)) return undefined;
      throw error;
    }
  }

  *read(path: ByteString, offset: number, length: number): Generator<Buffer, void, undefined> {
    using file = this.open(path);
    if (file === undefined) throw invalid(`Cannot make an archive again: its file ${quoted(path)} is gone`);
    yield* file.read(offset, length);
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
  }
}

class OpenFile implements Disposable {
  readonly #fd: number;
  readonly #buffer: Buffer;

  constructor(fd: number, buffer: Buffer) {
    this.#fd = fd;
    this.#buffer = buffer;
  }

  /** Tells whether the file has these bytes at `offset`. */
  has(bytes: Uint8Array, offset: number): boolean {
    for (let at = 0; at < bytes.length; ) {
      const got = readSync(
        this.#fd,
        this.#buffer,
        0,
        Math.min(this.#buffer.length, bytes.length - at),
        offset + at,
      );
      if (got === 0 || this.#buffer.compare(bytes, at, at + got, 0, got) !== 0) return false;
      at += got;
    }
    return true;
  }

  *read(offset: number, length: number): Generator<Buffer, void, undefined> {
    for (let at = 0; at < length; ) {
      const piece = Buffer.allocUnsafe(Math.min(readSize, length - at));
      const got = readSync(this.#fd, piece, 0, piece.length, offset + at);
      if (got === 0)
        throw invalid('Cannot make an archive again: a file of the layer is shorter than it was');
      yield piece.subarray(0, got);
      at += got;
    }
  }

  [Symbol.dispose](): void {
    close(this.#fd);
  }
}
