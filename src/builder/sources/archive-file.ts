import { createReadStream } from 'node:fs';
import { decompress } from '#/storage/archive/compression.ts';
import { extractTar } from '#/storage/archive/extract.ts';
import { undoForeign } from '#/storage/archive/foreign-compression.ts';
import { blockSize } from '#/tar/header-block.ts';
import { isArchive } from '#/tar/is-archive.ts';

/** Entries of one archive; more than any project has. */
const maxEntries = 2_000_000;

/** Unpacks an archive of files, compressed or not, into an empty directory; nothing gets out of it. Throws as `extractTar`. */
export async function unpackArchive(
  path: string,
  { root, signal }: { root: string; signal: AbortSignal },
): Promise<void> {
  const { bytes } = await decompress(await undoForeign(createReadStream(path)));
  const how = { root, whiteouts: 'none', makesLinkTargets: true, limits: { maxEntries } } as const;
  await extractTar(bytes, { ...how, signal });
}

/** Tells whether a file is an archive, or compressed, which may be one: by its first bytes, as BuildKit decides. */
export async function looksLikeArchive(path: string): Promise<boolean> {
  return isArchive(await firstBlock(createReadStream(path, { end: blockSize - 1 })));
}

async function firstBlock(bytes: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const pieces: Uint8Array[] = [];
  let length = 0;
  for await (const piece of bytes) {
    pieces.push(piece);
    length += piece.length;
    if (length >= blockSize) break;
  }
  return Buffer.concat(pieces).subarray(0, blockSize);
}
