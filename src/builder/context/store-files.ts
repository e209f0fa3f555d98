import { hash } from 'node:crypto';
import { constants, writeSync } from 'node:fs';
import { type ByteString, quoted, rawBytes } from '#/base/byte-string.ts';
import { internal, invalid, isSystemError } from '#/base/errors.ts';
import {
  close,
  fchmodat,
  fchownat,
  fstatat,
  linkat,
  mkdirat,
  mknodat,
  O_PATH,
  openat2,
  RESOLVE_BENEATH,
  RESOLVE_NO_SYMLINKS,
  symlinkat,
  utimensat,
} from '#/kernel/at.ts';
import { lsetxattr } from '#/kernel/files.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { dressFile } from '#/storage/tree/dress-file.ts';
import { Pacer } from '#/storage/tree/pacer.ts';
import { removeTreeSync } from '#/storage/tree/remove-tree.ts';
import { isDirectory, statIfThere } from '#/storage/tree/walk-tree.ts';
import type { Xattrs } from './context-entry.ts';

/** What a file, link or directory is to have. */
interface StoredFacts {
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: bigint;
  /** Of files. */
  readonly xattrs?: Xattrs | undefined;
}

/** One change of a tree; plain data that can go to another thread. What is in the way of something new goes. */
export type StoreOp = { readonly path: ByteString } & (
  | {
      /** One that exists stays. Its times come with `times`, when all is in it. */ readonly op: 'directory';
      readonly facts: StoredFacts;
    }
  | { readonly op: 'symlink'; readonly target: ByteString; readonly facts: StoredFacts }
  | { readonly op: 'fifo' | 'socket'; readonly facts: StoredFacts }
  /** A piece of a file: the first one makes it, facts come with the last. */
  | {
      readonly op: 'file';
      readonly offset: number;
      /** In pieces. */
      readonly content: readonly Uint8Array[];
      readonly facts: StoredFacts | undefined;
    }
  | { readonly op: 'hardlink'; readonly target: ByteString }
  | { readonly op: 'remove' }
  | { readonly op: 'times'; readonly mtime: bigint }
);

/** Changes of a tree. */
export interface StoreJob {
  readonly root: string;
  readonly ops: readonly StoreOp[];
}

/** A file that is complete. */
export interface StoredFile {
  readonly ino: bigint;
  readonly size: number;
  readonly mtime: bigint;
  readonly ctime: bigint;
  /** SHA-256 of the content, if it came in one piece and there is nothing more to the file. */
  readonly digest: Uint8Array | undefined;
}

/** The same changes with their content in one piece of memory of its own, which can be handed to another thread. */
export function joined(ops: readonly StoreOp[], bytes: number): { ops: StoreOp[]; memory: ArrayBuffer } {
  const memory = new ArrayBuffer(bytes);
  const all = new Uint8Array(memory);
  let used = 0;
  const moved = ops.map((op) => {
    if (op.op !== 'file') return op;
    const start = used;
    for (const piece of op.content) {
      all.set(piece, used);
      used += piece.length;
    }
    return { ...op, content: [new Uint8Array(memory, start, used - start)] };
  });
  return { ops: moved, memory };
}

/** Bytes of content in changes. */
export function contentBytes(ops: readonly StoreOp[]): number {
  let sum = 0;
  for (const op of ops) if (op.op === 'file') for (const piece of op.content) sum += piece.length;
  return sum;
}

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;

/**
 * Carries out changes of a tree in their order. A file is never written to once it is complete: a new one takes its place. No
 * link is followed on the way to anything. Throws `internal` when the machine fails, the signal's reason.
 */
export async function storeFiles(
  { root, ops }: StoreJob,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<StoredFile[]> {
  using writer = new TreeWriter(root);
  const pacer = new Pacer();
  const stored: StoredFile[] = [];
  for (const op of ops) {
    if (pacer.due) await pacer.turn();
    signal?.throwIfAborted();
    try {
      const file = writer.apply(op);
      if (file !== undefined) stored.push(file);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      throw internal(`Cannot store ${quoted(op.path)} of the build context: ${error.message}`, error);
    }
  }
  return stored;
}

class TreeWriter implements Disposable {
  readonly #top: Directory;
  /** The directory that was used last. */
  #last: { readonly path: ByteString; readonly directory: Directory } | undefined;

  constructor(root: string) {
    this.#top = Directory.open(root);
  }

  apply(op: StoreOp): StoredFile | undefined {
    const slash = op.path.lastIndexOf('/');
    const parent = this.#directory(op.path.slice(0, Math.max(slash, 0)), op.op === 'remove');
    if (parent === undefined) return undefined;
    const name = op.path.slice(slash + 1);
    const clear = (): void => this.#clear(parent, name, op.path);
    const { fd } = parent;
    const at = rawBytes(name);
    switch (op.op) {
      case 'directory':
        return this.#makeDirectory(parent, op, clear);
      case 'symlink':
        making(() => symlinkat(rawBytes(op.target), fd, at), clear);
        fchownat(fd, at, op.facts);
        utimensat(fd, at, { atime: op.facts.mtime, mtime: op.facts.mtime });
        return undefined;
      case 'fifo':
      case 'socket': {
        const mode = (op.op === 'fifo' ? constants.S_IFIFO : constants.S_IFSOCK) | 0o600;
        making(() => mknodat(fd, at, { mode }), clear);
        fchownat(fd, at, op.facts);
        fchmodat(fd, at, op.facts.mode);
        utimensat(fd, at, { atime: op.facts.mtime, mtime: op.facts.mtime });
        return undefined;
      }
      case 'file':
        return writePiece(parent, op, clear);
      case 'hardlink':
        making(() => this.#link(op.target, { dirfd: fd, path: at }), clear);
        return undefined;
      case 'remove':
        clear();
        return undefined;
      case 'times':
        utimensat(fd, at, { atime: op.mtime, mtime: op.mtime });
        return undefined;
    }
  }

  #makeDirectory(parent: Directory, op: Extract<StoreOp, { op: 'directory' }>, clear: () => void): undefined {
    const name = op.path.slice(op.path.lastIndexOf('/') + 1);
    const stat = statIfThere(parent, name);
    if (stat !== undefined && !isDirectory(stat.mode)) clear();
    if (stat === undefined || !isDirectory(stat.mode)) mkdirat(parent.fd, rawBytes(name), 0o700);
    fchownat(parent.fd, rawBytes(name), op.facts);
    fchmodat(parent.fd, rawBytes(name), op.facts.mode);
  }

  #link(target: ByteString, to: { dirfd: number; path: string | Buffer }): void {
    const slash = target.lastIndexOf('/');
    using from = this.#open(target.slice(0, Math.max(slash, 0)));
    linkat({ dirfd: from.fd, path: rawBytes(target.slice(slash + 1)) }, to);
  }

  /** Whatever has the name goes. */
  #clear(parent: Directory, name: ByteString, path: ByteString): void {
    const last = this.#last?.path ?? '';
    if (last === path || last.startsWith(`${path}/`)) this.#forget();
    removeTreeSync(parent, name);
  }

  /** Undefined, if that is all right: there is no such directory any more. */
  #directory(path: ByteString, mayMiss: boolean): Directory | undefined {
    if (path === '') return this.#top;
    if (this.#last?.path === path) return this.#last.directory;
    this.#forget();
    try {
      const directory = this.#open(path);
      this.#last = { path, directory };
      return directory;
    } catch (error) {
      if (mayMiss && isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) return undefined;
      throw error;
    }
  }

  #open(path: ByteString): Directory {
    const how = { flags: O_PATH | constants.O_DIRECTORY, resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS };
    return new Directory(openat2(this.#top.fd, path === '' ? '.' : rawBytes(path), how));
  }

  #forget(): void {
    this.#last?.directory[Symbol.dispose]();
    this.#last = undefined;
  }

  [Symbol.dispose](): void {
    this.#forget();
    this.#top[Symbol.dispose]();
  }
}

function making<T>(make: () => T, clear: () => void): T {
  try {
    return make();
  } catch (error) {
    if (!isSystemError(error, 'EEXIST')) throw error;
    clear();
    return make();
  }
}

function writePiece(
  parent: Directory,
  { path, offset, content: pieces, facts }: Extract<StoreOp, { op: 'file' }>,
  clear: () => void,
): StoredFile | undefined {
  const [content = new Uint8Array(0)] = pieces.length > 1 ? [Buffer.concat(pieces)] : pieces;
  const at = rawBytes(path.slice(path.lastIndexOf('/') + 1));
  const fd =
    offset === 0
      ? making(() => openat2(parent.fd, at, { flags: newFile, mode: 0o600 }), clear)
      : openat2(parent.fd, at, { flags: constants.O_WRONLY | constants.O_NOFOLLOW });
  try {
    for (let done = 0; done < content.length; ) {
      done += writeSync(fd, content, done, content.length - done, offset + done);
    }
    if (facts === undefined) return undefined;
    dressFile(fd, { ...facts, atime: facts.mtime });
    // Changing the owner takes capabilities away.
    if (facts.xattrs !== undefined)
      setXattrs(parent.pathOf(path.slice(path.lastIndexOf('/') + 1)), facts.xattrs);
    const { ino, size, mtime, ctime } = fstatat(fd, '');
    const isPlain = offset === 0 && facts.xattrs === undefined;
    return { ino, size, mtime, ctime, digest: isPlain ? hash('sha256', content, 'buffer') : undefined };
  } finally {
    close(fd);
  }
}

function setXattrs(path: string | Buffer, xattrs: Xattrs): void {
  for (const [name, value] of xattrs) {
    try {
      lsetxattr(path, name, value);
    } catch (error) {
      if (isSystemError(error, 'EINVAL'))
        throw invalid(`its attribute ${quoted(name)} has no valid value`, error);
      // As everywhere: a file system may know less of them, but a program that loses its capabilities is broken.
      if (name === 'security.capability' || !isSystemError(error, 'ENOTSUP', 'EOPNOTSUPP', 'EPERM'))
        throw error;
    }
  }
}
