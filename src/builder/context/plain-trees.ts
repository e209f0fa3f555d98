import {
  chmodSync,
  closeSync,
  lchownSync,
  linkSync,
  lutimesSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeSync,
} from 'node:fs';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { invalid } from '#/base/errors.ts';
import { mkfifo } from '#/kernel/files.ts';
import type { ContextTree } from '../request.ts';

/** One thing in a tree that somebody sends, whose path is inside the tree and whose parent came before it. */
interface SentEntry {
  readonly path: ByteString;
  readonly kind: 'file' | 'directory' | 'symlink' | 'hardlink' | 'fifo' | 'socket' | 'device';
  /** Permissions with set-id and sticky bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Nanoseconds since 1970. */
  readonly mtime: bigint;
  readonly linkPath: ByteString;
}

/** Makes a fresh directory for each tree that a client sends. What is left of an earlier daemon goes at the start. */
export class PlainTrees {
  readonly #root: string;

  constructor(root: string) {
    rmSync(root, { recursive: true, force: true });
    mkdirSync(root, { mode: 0o700 });
    this.#root = root;
  }

  /** A tree that is empty yet. */
  update(): Promise<SentTree> {
    return Promise.resolve(new SentTree(mkdtempSync(join(this.#root, 'tree-'))));
  }
}

/** A tree that is being sent. Its directory belongs to the daemon alone, and nothing in it is followed. */
class SentTree implements AsyncDisposable {
  readonly #root: string;
  readonly #open = new Map<ByteString, number>();
  /** What is set when nothing more is made below: a directory may forbid it, and its time changes with it. */
  readonly #directories: SentEntry[] = [];
  readonly #files = new Map<ByteString, SentEntry>();
  #isFinished = false;

  constructor(root: string) {
    this.#root = root;
  }

  /** Makes an entry; tells whether its content is wanted: that of every file is. */
  entry(entry: SentEntry): boolean {
    const path = this.#at(entry.path);
    switch (entry.kind) {
      case 'directory':
        mkdirSync(path, { mode: 0o700 });
        this.#directories.push(entry);
        return false;
      case 'file':
        this.#open.set(entry.path, openSync(path, 'wx', 0o600));
        this.#files.set(entry.path, entry);
        return true;
      case 'symlink':
        symlinkSync(rawBytes(entry.linkPath), path);
        lchownSync(path, entry.uid, entry.gid);
        lutimesSync(path, seconds(entry), seconds(entry));
        return false;
      case 'hardlink':
        linkSync(this.#at(entry.linkPath), path);
        return false;
      case 'fifo':
        mkfifo(path, 0o600);
        this.#finishEntry(entry);
        return false;
      case 'socket':
        return false;
      case 'device':
        throw invalid(`Cannot take the device ${JSON.stringify(entry.path)} into a build context`);
      default:
        return entry.kind satisfies never;
    }
  }

  /** Takes a piece of a file. */
  write(path: ByteString, piece: Buffer): undefined {
    const fd = this.#open.get(path);
    if (fd === undefined) throw invalid(`${JSON.stringify(path)} is not being sent`);
    for (let at = 0; at < piece.length; ) at += writeSync(fd, piece, at);
  }

  /** A file is complete. */
  end(path: ByteString): undefined {
    const fd = this.#open.get(path);
    const entry = this.#files.get(path);
    if (fd === undefined || entry === undefined) throw invalid(`${JSON.stringify(path)} is not being sent`);
    closeSync(fd);
    this.#open.delete(path);
    this.#finishEntry(entry);
  }

  /** The tree, complete. Its disposal removes it. */
  finish(): Promise<ContextTree> {
    for (const directory of this.#directories.toReversed()) this.#finishEntry(directory);
    this.#isFinished = true;
    return Promise.resolve({ root: this.#root, [Symbol.asyncDispose]: () => this.#remove() });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const fd of this.#open.values()) closeSync(fd);
    this.#open.clear();
    if (!this.#isFinished) await this.#remove();
  }

  #finishEntry(entry: SentEntry): void {
    const path = this.#at(entry.path);
    lchownSync(path, entry.uid, entry.gid);
    chmodSync(path, entry.mode);
    utimesSync(path, seconds(entry), seconds(entry));
  }

  #at(path: ByteString): string | Buffer {
    const raw = rawBytes(path);
    return typeof raw === 'string'
      ? `${this.#root}/${raw}`
      : Buffer.concat([Buffer.from(`${this.#root}/`), raw]);
  }

  async #remove(): Promise<void> {
    await rm(this.#root, { recursive: true, force: true });
  }
}

function seconds({ mtime }: SentEntry): number {
  return Number(mtime) / 1e9;
}
