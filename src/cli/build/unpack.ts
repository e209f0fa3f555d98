import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  futimesSync,
  linkSync,
  lstatSync,
  lutimesSync,
  mkdirSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { textOf } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import type { TarEntry } from '#/tar/tar-entry.ts';
import { readTar } from '#/tar/tar-reader.ts';

/**
 * Unpacks the archive of an image's files into a folder of the user's, over what is there. Everything belongs to the user.
 * Nothing is written through symbolic links: neither those of the archive, which come from an image, nor those in the
 * folder. Devices are left out.
 */
export async function unpackInto(root: string, bytes: AsyncIterable<Uint8Array>): Promise<void> {
  const folders = new Folders(root);
  for await (const entry of readTar(bytes)) {
    const path = innerPath(textOf(entry.path));
    if (path === '') continue;
    await unpackEntry(entry, { path, folders });
  }
  folders.finish();
}

/** A path below the root, without `.` and empty components. Throws an Error for one that leads out. */
function innerPath(text: string): string {
  const parts = text.split('/').filter((part) => part !== '' && part !== '.');
  if (parts.includes('..')) throw new Error(`the result has a file outside of it: ${JSON.stringify(text)}`);
  return parts.join('/');
}

async function unpackEntry(
  entry: TarEntry,
  { path, folders }: { path: string; folders: Folders },
): Promise<void> {
  const target = folders.place(path);
  const seconds = Number(entry.mtime) / 1e9;
  switch (entry.kind) {
    case 'directory':
      folders.make(path, { mode: entry.mode, seconds });
      return;
    case 'file': {
      rmSync(target, { force: true });
      const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
      const file = openSync(target, flags, 0o600);
      try {
        for await (const chunk of entry.body) writeAll(file, chunk);
        fchmodSync(file, entry.mode);
        futimesSync(file, seconds, seconds);
      } finally {
        closeSync(file);
      }
      return;
    }
    case 'symlink':
      rmSync(target, { force: true });
      symlinkSync(textOf(entry.linkPath), target);
      lutimesSync(target, seconds, seconds);
      return;
    case 'hardlink':
      rmSync(target, { force: true });
      linkSync(folders.place(innerPath(textOf(entry.linkPath))), target);
      return;
    case 'char':
    case 'block':
    case 'fifo':
      // Only root could make devices, and nobody builds to get them.
      return;
    default:
      entry.kind satisfies never;
  }
}

function writeAll(file: number, chunk: Uint8Array): void {
  for (let at = 0; at < chunk.length; ) at += writeSync(file, chunk, at);
}

/** The folders of a tree that is unpacked. */
class Folders {
  readonly #root: string;
  /** Known to be folders and not links to such. */
  readonly #real = new Set<string>(['']);
  /** What they are to be like at the end: until then files are put into them. */
  readonly #wished = new Map<string, { mode: number; seconds: number }>();

  constructor(root: string) {
    this.#root = root;
  }

  /** The path for a file, whose folder is there. Throws an Error if a link stands in its way. */
  place(path: string): string {
    const slash = path.lastIndexOf('/');
    if (slash > 0) this.#ensure(path.slice(0, slash));
    return join(this.#root, path);
  }

  make(path: string, wish: { mode: number; seconds: number }): void {
    this.place(path);
    this.#ensure(path);
    this.#wished.set(path, wish);
  }

  finish(): void {
    for (const [path, { mode, seconds }] of [...this.#wished].reverse()) {
      const absolute = join(this.#root, path);
      chmodSync(absolute, mode);
      utimesSync(absolute, seconds, seconds);
    }
  }

  #ensure(path: string): void {
    if (this.#real.has(path)) return;
    const slash = path.lastIndexOf('/');
    if (slash > 0) this.#ensure(path.slice(0, slash));
    const absolute = join(this.#root, path);
    try {
      mkdirSync(absolute, 0o755);
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error;
      if (!lstatSync(absolute).isDirectory()) {
        throw new Error(`cannot write into ${absolute}: it is there and not a folder`, { cause: error });
      }
    }
    this.#real.add(path);
  }
}
