import { randomBytes } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { byteString } from '#/base/byte-string.ts';
import { fileHeader, type TarEntryKind } from '#/tar/tar-entry.ts';
import { type TarInput, writeTar } from '#/tar/tar-writer.ts';
import type { LocalContext } from './local-context.ts';
import { type ContextFile, walkContext } from './walk.ts';

/**
 * A folder as the archive that the classic API takes, with the Dockerfile in it, under another name if it is not from there.
 * Everything belongs to root. No folder at all is an archive of the Dockerfile alone.
 */
export function contextArchive(
  context: LocalContext | undefined,
  dockerfile: { readonly name: string; readonly content: Buffer | undefined },
): { archive: AsyncIterable<Uint8Array>; dockerfilePath: string } {
  const files = context === undefined ? [] : [...walkContext(context.root, context.rules)];
  const { name, content } = dockerfile;
  const isThere = files.some(({ path }) => path === name);
  // The daemon must not take it for a file of the context.
  const path = isThere || content === undefined ? name : `.dockerfile.${randomBytes(10).toString('hex')}`;
  const own = path === name || content === undefined ? [] : [fileEntry(path, content)];
  return {
    archive: writeTar([...files.flatMap(entryOf), ...own]),
    dockerfilePath: path,
  };
}

function fileEntry(path: string, content: Buffer): TarInput {
  return { ...fileHeader(byteString(path), content.length), body: [content] };
}

function entryOf({ path, absolute, stats, link }: ContextFile): TarInput[] {
  const kind = kindOf(stats);
  if (kind === undefined) return [];
  const size = kind === 'file' ? Number(stats.size) : 0;
  const header = {
    ...fileHeader(byteString(path), size),
    kind,
    linkPath: byteString(link),
    mode: Number(stats.mode & 0o7777n),
    mtime: stats.mtimeNs,
  };
  return [size === 0 ? header : { ...header, body: contentOf(absolute, size) }];
}

/** A file, opened when its turn comes. One that grows is sent as it was listed; one that shrinks fails. */
async function* contentOf(path: string, size: number): AsyncGenerator<Uint8Array, void, undefined> {
  yield* createReadStream(path, { end: size - 1 });
}

function kindOf(stats: ContextFile['stats']): TarEntryKind | undefined {
  if (stats.isFile()) return 'file';
  if (stats.isDirectory()) return 'directory';
  if (stats.isSymbolicLink()) return 'symlink';
  return stats.isFIFO() ? 'fifo' : undefined;
}
