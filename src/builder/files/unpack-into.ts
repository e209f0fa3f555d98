import { join, posix } from 'node:path';
import { type ByteString, quoted } from '#/base/byte-string.ts';
import { internal, isKind, isSystemError, notFound } from '#/base/errors.ts';
import type { Owner } from '#/kernel/at.ts';
import { decompress } from '#/storage/archive/compression.ts';
import { extractTar } from '#/storage/archive/extract.ts';
import { undoForeign } from '#/storage/archive/foreign-compression.ts';
import { openForReading, type ReadableFile } from '#/storage/tree/open-file.ts';
import { Pacer } from '#/storage/tree/pacer.ts';
import { blockSize, parseHeaderBlock } from '#/tar/header-block.ts';
import { makeDirectories } from './make-directories.ts';
import { splitPath, TreeView } from './tree-view.ts';

/** A file of a tree that nobody changes meanwhile; `path` as those of `CopyRequest`. */
export interface ArchivePlace {
  readonly root: string;
  readonly path: ByteString;
}

/** What ADD unpacks, and where; plain data that can go to another thread. */
export interface UnpackIntoRequest {
  readonly archive: ArchivePlace;
  /** Where the snapshot is mounted. */
  readonly root: string;
  /** Absolute, in the snapshot. */
  readonly destination: ByteString;
  /** `--chown`: of all that is made. */
  readonly owner?: Owner | undefined;
}

const readSize = 256 * 1024;

/**
 * Tells whether ADD unpacks a file: one that an archive begins in, whatever its name, plain or compressed with gzip, bzip2, xz or
 * zstd. Throws `notFound`.
 */
export async function isArchive(place: ArchivePlace): Promise<boolean> {
  using file = openPlace(place);
  if (file === undefined) return false;
  try {
    const pieces: Uint8Array[] = [];
    let size = 0;
    for await (const piece of plainBytes(file)) {
      pieces.push(Buffer.from(piece));
      size += piece.length;
      if (size >= blockSize) break;
    }
    const start = Buffer.concat(pieces).subarray(0, blockSize);
    return start.length === blockSize && parseHeaderBlock(start) !== undefined;
  } catch (error) {
    if (isKind(error, 'invalid')) return false;
    throw error;
  }
}

/**
 * Unpacks an archive into a directory of a mounted snapshot, which is made if it is missing. The directory is the root for the
 * archive: its links lead nowhere else. Unless told otherwise, owners are those of the archive. Throws as `extractTar`.
 */
export async function unpackInto(
  { archive, root, destination, owner }: UnpackIntoRequest,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<{ entries: number; bytes: number }> {
  using file = openPlace(archive);
  if (file === undefined) throw notFound(`${quoted(archive.path)}: not a file`);
  try {
    const path = makeDirectories({ target: { root, lowers: [] }, path: destination, owner });
    const options = {
      root: join(root, Buffer.from(path, 'latin1').toString()),
      whiteouts: 'none' as const,
      makesLinkTargets: true,
      keepsRoot: true,
      owner,
    };
    const { entries, bytes } = await extractTar(plainBytes(file), { ...options, ...(signal && { signal }) });
    return { entries, bytes };
  } catch (error) {
    if (!isSystemError(error)) throw error;
    throw internal(
      `cannot unpack ${quoted(archive.path)} to ${quoted(destination)}: ${error.message}`,
      error,
    );
  }
}

/** Undefined: it is no file. */
function openPlace({ root, path }: ArchivePlace): ReadableFile | undefined {
  using view = new TreeView({ root, lowers: [] });
  const { path: real, kind } = view.resolve(path);
  if (kind === 'directory') return undefined;
  const { dir, name } = splitPath(real);
  using parent = kind === 'missing' ? undefined : view.open(dir);
  if (parent === undefined) throw notFound(`${quoted(posix.resolve('/', path))}: not found`);
  const file = openForReading({ parent, name });
  if (file.isFile) return file;
  file[Symbol.dispose]();
  return undefined;
}

async function* plainBytes(file: ReadableFile): AsyncGenerator<Uint8Array, void, undefined> {
  const { bytes } = await decompress(await undoForeign(chunksOf(file)));
  yield* bytes;
}

async function* chunksOf(file: ReadableFile): AsyncGenerator<Uint8Array, void, undefined> {
  const pacer = new Pacer();
  for (let offset = 0; ; ) {
    const buffer = Buffer.allocUnsafe(readSize);
    const got = file.read(buffer, offset);
    if (got === 0) return;
    yield buffer.subarray(0, got);
    offset += got;
    if (pacer.due) await pacer.turn();
  }
}
