import {
  chmodSync,
  closeSync,
  constants,
  fchmodSync,
  ftruncateSync,
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

/**
 * Unpacks the archive of an image's files into a folder of the user's, over what is there. Everything belongs to the user.
 * Nothing is written through symbolic links: neither those of the archive, which come from an image, nor those in the
 * folder. Devices are left out.
 */
export async function unpackInto(root: string, entries: AsyncIterable<TarEntry>): Promise<void> {
  const folders = new Folders(root);
  for await (const entry of entries) {
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
        await writeContent(file, entry);
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

/** Writes the content of a new file. Of one with holes only what is between them was sent. */
async function writeContent(file: number, { body, size, sparse }: TarEntry): Promise<void> {
  const runs = sparse ?? [{ offset: 0, length: size }];
  if (sparse !== undefined) ftruncateSync(file, size);
  let index = 0;
  let done = 0;
  for await (const chunk of body) {
    for (let at = 0; at < chunk.length; ) {
      const run = runs[index];
      if (run === undefined) throw new Error('the result has a file with more content than places for it');
      const written = writeSync(
        file,
        chunk,
        at,
        Math.min(chunk.length - at, run.length - done),
        run.offset + done,
      );
      at += written;
      done += written;
      if (done < run.length) continue;
      index += 1;
      done = 0;
    }
  }
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
