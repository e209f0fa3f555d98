import { createWriteStream, existsSync, statSync } from 'node:fs';
import { realpath, rename, rm } from 'node:fs/promises';
import { pipeline } from 'node:stream/promises';

/** What people call the thing at a path, links followed, if it is there and no regular file. Throws the error of the system. */
export function irregularKind(path: string): string | undefined {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats === undefined || stats.isFile()) return undefined;
  if (stats.isDirectory()) return 'directory';
  if (stats.isFIFO()) return 'named pipe';
  if (stats.isSocket()) return 'socket';
  return stats.isBlockDevice() ? 'block device file' : 'character device file';
}

/**
 * Writes a file that is there when it is complete, and not before. A link stays, and what it leads to is written; a device or
 * a pipe gets the bytes as they come. Rejects with the error of the system.
 */
export async function writeWholeFile(
  path: string,
  bytes: AsyncIterable<Uint8Array>,
  { mode = 0o666 }: { mode?: number } = {},
): Promise<void> {
  if (irregularKind(path) !== undefined) {
    await pipeline(bytes, createWriteStream(path, { flags: 'w' }));
    return;
  }
  const target = existsSync(path) ? await realpath(path) : path;
  const draft = `${target}.part-${process.pid}`;
  try {
    await pipeline(bytes, createWriteStream(draft, { mode, flags: 'wx' }));
    await rename(draft, target);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
}
