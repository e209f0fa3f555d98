/** Archives and their parts for tests. */
import { fileHeader, type TarEntry, type TarHeader } from './tar-entry.ts';
import { readTar, type TarLimits } from './tar-reader.ts';
import { type TarInput, writeTar } from './tar-writer.ts';

/** A whole archive in memory. */
export async function tarOf(...entries: readonly TarInput[]): Promise<Buffer> {
  return Buffer.concat(await Array.fromAsync(writeTar(entries)));
}

/** A file entry with text. */
export function file(path: string, text: string = '', changes: Partial<TarHeader> = {}): TarInput {
  return { ...fileHeader(path, Buffer.byteLength(text)), ...changes, body: [Buffer.from(text)] };
}

/** A directory entry. */
export function directory(path: string, changes: Partial<TarHeader> = {}): TarInput {
  return { ...fileHeader(path, 0), kind: 'directory', mode: 0o755, ...changes };
}

/** A symbolic or hard link. */
export function link(kind: 'symlink' | 'hardlink', path: string, linkPath: string): TarInput {
  return { ...fileHeader(path, 0), kind, mode: 0o777, linkPath };
}

/** An entry with its content. */
export type WholeEntry = Omit<TarEntry, 'body'> & { readonly content: Buffer };

/** Reads an archive that is given in pieces of `pieceSize` bytes. */
export async function readAll(
  archive: Uint8Array,
  { pieceSize = 1 << 20, ...limits }: TarLimits & { pieceSize?: number } = {},
): Promise<WholeEntry[]> {
  const entries: WholeEntry[] = [];
  for await (const { body, ...header } of readTar(pieces(archive, pieceSize), limits)) {
    entries.push({ ...header, content: Buffer.concat(await Array.fromAsync(body)) });
  }
  return entries;
}

/** `bytes` as a stream. */
export async function* pieces(bytes: Uint8Array, size: number = 1 << 20): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.length; start += size) yield bytes.subarray(start, start + size);
}

/** Makes the checksum of the header block at `offset` right again. */
export function fixChecksum(archive: Buffer, offset: number = 0): void {
  archive.fill(' ', offset + 148, offset + 156);
  const sum = archive.subarray(offset, offset + 512).reduce((a, b) => a + b, 0);
  archive.write(`${sum.toString(8).padStart(6, '0')}\0 `, offset + 148, 'latin1');
}
