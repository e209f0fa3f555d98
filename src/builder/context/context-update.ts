import { type ByteString, quoted } from '#/base/byte-string.ts';
import { internal, invalid } from '#/base/errors.ts';
import type { ContextTree } from '../request.ts';
import { ContextEntries, type ContextEntry, sameXattrs } from './context-entry.ts';
import type { KnownEntries } from './context-index.ts';
import type { StoreOp } from './store-files.ts';

/** A tree that is brought up to date. */
export interface UpdatedTree {
  /** What it holds. */
  readonly known: KnownEntries;
  /** Carries out changes, in their order; called once at a time. */
  apply(ops: readonly StoreOp[]): Promise<void>;
  /** Called before the first change. */
  changing(): void;
  /** It is as `known` says from now on, and nobody changes it until the result is disposed of. */
  keep(isChanged: boolean): Promise<ContextTree>;
  /** What is in it is not known any more. */
  discard(): Promise<void>;
}

/** A file whose content comes. */
interface ComingFile {
  readonly entry: ContextEntry;
  pieces: Buffer[];
  /** Of the pieces. */
  bytes: number;
  /** What went on its way before them. */
  offset: number;
}

/** Content that is sent on its way together. Bytes. */
const batchBytes = 1024 * 1024;
const batchOps = 512;
/** What waits to be written beside that; then whoever sends has to wait. */
const maxWaiting = 8 * 1024 * 1024;

/**
 * Makes a kept tree equal to what a client lists: entries in the order of a walk, then, for files that are wanted, their
 * content, in pieces that may be mixed. Nothing of it can be used before it is finished. Disposing of it before that
 * keeps what has come for the next time.
 */
export class ContextUpdate implements AsyncDisposable {
  readonly #tree: UpdatedTree;
  readonly #entries: ContextEntries;
  readonly #coming = new Map<ByteString, ComingFile>();
  readonly #links: ContextEntry[] = [];
  /** Files that are new. */
  readonly #fresh = new Set<ByteString>();
  /** Directories whose times have to be set again. */
  readonly #touched = new Set<ByteString>();
  #ops: StoreOp[] = [];
  #opBytes = 0;
  #work: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;
  #isChanged = false;
  #isOver = false;

  constructor(tree: UpdatedTree, { maxEntries }: { maxEntries: number }) {
    this.#tree = tree;
    this.#entries = new ContextEntries(maxEntries);
  }

  /**
   * Takes an entry. True: its content is wanted, because the file is new or differs in size, time, permissions, owner or
   * extended attributes. Throws
   * `invalid` for what no tree can have.
   */
  entry(entry: ContextEntry): boolean {
    this.#throwIfBroken();
    this.#entries.add(entry);
    const { path, kind } = entry;
    const old = this.#tree.known.get(path);
    if (kind === 'hardlink') {
      this.#links.push(entry);
      return false;
    }
    if (old !== undefined && isSame(old, entry)) return false;
    if (kind === 'directory') {
      this.#touched.add(path);
      const isThere = old?.kind === 'directory';
      if (isThere && old.mode === entry.mode && old.uid === entry.uid && old.gid === entry.gid) {
        this.#tree.known.set(path, entry);
        return false;
      }
      this.#put(entry, { op: 'directory', path, facts: entry });
      return false;
    }
    if (kind !== 'file') {
      if (kind === 'symlink') this.#put(entry, { op: 'symlink', path, target: entry.linkPath, facts: entry });
      else if (kind !== 'device') this.#put(entry, { op: kind, path, facts: entry });
      return false;
    }
    this.#tree.known.delete(path);
    this.#fresh.add(path);
    this.#coming.set(path, { entry, pieces: [], bytes: 0, offset: 0 });
    return true;
  }

  /** Takes a piece of a file that was wanted. Wait for the promise, if there is one, before the next. */
  write(path: ByteString, piece: Buffer): undefined | Promise<void> {
    this.#throwIfBroken();
    const file = this.#comingFile(path);
    file.pieces.push(piece);
    file.bytes += piece.length;
    if (file.bytes >= batchBytes) this.#sendPieces(file, undefined);
    return this.#opBytes > maxWaiting ? this.#room() : undefined;
  }

  /** The file is complete. As `write`. */
  end(path: ByteString): undefined | Promise<void> {
    this.#throwIfBroken();
    const file = this.#comingFile(path);
    this.#coming.delete(path);
    const { entry } = file;
    // It can have changed since it was listed: then it is wanted again the next time.
    const size = file.offset + file.bytes;
    this.#sendPieces(file, entry);
    this.#tree.known.set(path, size === entry.size ? entry : { ...entry, size });
    return this.#opBytes > maxWaiting ? this.#room() : undefined;
  }

  /** The tree with all that was listed and nothing else. Throws `invalid` if content is missing, `internal` when the disk fails. */
  async finish(): Promise<ContextTree> {
    this.#throwIfBroken();
    const [missing] = this.#coming.keys();
    if (missing !== undefined)
      throw invalid(`The content of ${quoted(missing)} in the build context is missing`);
    for (const entry of this.#links) this.#linkIfNeeded(entry);
    this.#removeOthers();
    for (const path of this.#touched) {
      const directory = this.#entries.seen.get(path);
      if (directory?.kind === 'directory') this.#push({ op: 'times', path, mtime: directory.mtime }, 0);
    }
    await this.#drain();
    this.#isOver = true;
    return this.#tree.keep(this.#isChanged);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOver) return;
    this.#isOver = true;
    try {
      await this.#giveUp();
    } catch {
      // Whoever waited for the tree has been told.
      await this.#tree.discard();
    }
  }

  /** What has come is kept, and known. */
  async #giveUp(): Promise<void> {
    for (const path of this.#coming.keys()) this.#push({ op: 'remove', path }, 0);
    await this.#drain();
    const { known } = this.#tree;
    for (const path of this.#touched) {
      const directory = known.get(path);
      // Its time has to be set the next time.
      if (directory?.kind === 'directory') known.set(path, { ...directory, mtime: -1n });
    }
    this.#forgetLost();
    await using _unused = await this.#tree.keep(this.#isChanged);
  }

  #linkIfNeeded(entry: ContextEntry): void {
    const { path, linkPath } = entry;
    const old = this.#tree.known.get(path);
    const isThere = old?.kind === 'hardlink' && old.linkPath === linkPath && !this.#fresh.has(linkPath);
    if (isThere) this.#tree.known.set(path, entry);
    else this.#put(entry, { op: 'hardlink', path, target: linkPath });
  }

  #removeOthers(): void {
    const { known } = this.#tree;
    const removed = new Set<ByteString>();
    for (const path of known.keys()) {
      if (this.#entries.seen.has(path)) continue;
      removed.add(path);
      known.delete(path);
      const parent = parentOf(path);
      // It goes with its directory.
      if (removed.has(parent)) continue;
      this.#push({ op: 'remove', path }, 0);
      this.#touched.add(parent);
    }
  }

  /** What lay in directories that something else took the place of. */
  #forgetLost(): void {
    const { known } = this.#tree;
    const isLost = (path: ByteString): boolean => {
      const parent = parentOf(path);
      return parent !== '' && (known.get(parent)?.kind !== 'directory' || isLost(parent));
    };
    for (const path of known.keys()) if (isLost(path)) known.delete(path);
  }

  #put(entry: ContextEntry, op: StoreOp): void {
    this.#tree.known.set(entry.path, entry);
    this.#touched.add(parentOf(entry.path));
    this.#push(op, 0);
  }

  #sendPieces(file: ComingFile, facts: ContextEntry | undefined): void {
    const { entry, pieces, bytes, offset } = file;
    this.#touched.add(parentOf(entry.path));
    file.pieces = [];
    file.bytes = 0;
    file.offset += bytes;
    this.#push({ op: 'file', path: entry.path, offset, content: pieces, facts }, bytes);
  }

  #push(op: StoreOp, bytes: number): void {
    if (!this.#isChanged) this.#tree.changing();
    this.#isChanged = true;
    this.#ops.push(op);
    this.#opBytes += bytes;
    if (this.#opBytes >= batchBytes || this.#ops.length >= batchOps) this.#send();
  }

  /** Lets what waits be carried out, if nothing is being carried out. */
  #send(): void {
    if (this.#work !== undefined || this.#ops.length === 0) return;
    const ops = this.#ops;
    this.#ops = [];
    this.#opBytes = 0;
    // Nothing is carried out after a failure.
    if (this.#failure === undefined) this.#work = this.#carryOut(ops);
  }

  async #carryOut(ops: readonly StoreOp[]): Promise<void> {
    try {
      await this.#tree.apply(ops);
    } catch (error) {
      this.#failure = { error };
    }
    this.#work = undefined;
    if (this.#opBytes >= batchBytes || this.#ops.length >= batchOps) this.#send();
  }

  async #room(): Promise<void> {
    while (this.#work !== undefined && this.#opBytes > maxWaiting) await this.#work;
    this.#throwIfBroken();
  }

  async #drain(): Promise<void> {
    for (this.#send(); this.#work !== undefined; this.#send()) await this.#work;
    this.#throwIfBroken();
  }

  #comingFile(path: ByteString): ComingFile {
    const file = this.#coming.get(path);
    if (file === undefined) throw invalid(`${quoted(path)} in the build context is not expected`);
    return file;
  }

  #throwIfBroken(): void {
    if (this.#failure === undefined) return;
    const { error } = this.#failure;
    throw error instanceof Error ? error : internal('Cannot store the build context', error);
  }
}

function isSame(one: ContextEntry, other: ContextEntry): boolean {
  return (
    one.kind === other.kind &&
    one.size === other.size &&
    one.mtime === other.mtime &&
    one.mode === other.mode &&
    one.uid === other.uid &&
    one.gid === other.gid &&
    one.linkPath === other.linkPath &&
    sameXattrs(one.xattrs, other.xattrs)
  );
}

function parentOf(path: ByteString): ByteString {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}
