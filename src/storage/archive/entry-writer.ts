import { constants, ftruncateSync, writeSync } from 'node:fs';
import { type ByteString, quoted, rawBytes } from '#/base/byte-string.ts';
import { invalid, isSystemError, tooLarge } from '#/base/errors.ts';
import {
  close,
  fchmodat,
  fchownat,
  fstatat,
  linkat,
  mkdirat,
  mknodat,
  type Owner,
  openat2,
  symlinkat,
  utimensat,
} from '#/kernel/at.ts';
import { lsetxattr, makedev } from '#/kernel/files.ts';
import { type DataRun, storedSize, type TarEntry, type TarHeader } from '#/tar/tar-entry.ts';
import type { Spot } from '../tree/copy-node.ts';
import { dressFile } from '../tree/dress-file.ts';
import { removeTreeSync } from '../tree/remove-tree.ts';
import { isDirectory } from '../tree/walk-tree.ts';
import type { ExtractOptions } from './extract.ts';
import { ExtractRoot, joined, type OnImplied, parseInnerPath } from './extract-root.ts';
import { impliedRoot } from './implied-directories.ts';
import { LowerLayers } from './lower-layers.ts';
import { DeletingWhiteouts, overlayWhiteouts, type WhiteoutPolicy } from './whiteout-policy.ts';
import { isReservedXattr, parseWhiteout } from './whiteouts.ts';

const newFile = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
const nodeTypes = { char: constants.S_IFCHR, block: constants.S_IFBLK, fifo: constants.S_IFIFO } as const;

/** An archive gives a further name to a file of a lower layer, and those are not there yet. */
export class NeedsLowers extends Error {
  override readonly name = 'NeedsLowers';
}

/** Puts the entries of one archive into a directory. */
export class EntryWriter implements Disposable {
  readonly #lowers: LowerLayers;
  readonly #root: ExtractRoot;
  readonly #whiteouts: WhiteoutPolicy | undefined;
  readonly #maxBytes: number;
  readonly #keepsRoot: boolean;
  readonly #owner: Owner | undefined;
  /** Times of directories, set last: what is put into a directory changes them. */
  readonly #directoryTimes = new Map<ByteString, bigint>();
  /** Directories that look like nothing in particular yet; undefined if the lower layers are there. */
  readonly #implied: Set<ByteString> | undefined;
  #bytes = 0;

  constructor(options: ExtractOptions) {
    const { lowers = [] } = options;
    this.#lowers = new LowerLayers(lowers === 'later' ? [] : lowers);
    this.#implied = lowers === 'later' ? new Set([impliedRoot]) : undefined;
    const onImplied: OnImplied = (parent, inner) => {
      if (this.#implied === undefined) this.#lowers.dressDirectory(parent, inner);
      else this.#implied.add(joined(inner));
      this.#whiteouts?.made({ parent, name: inner.name });
    };
    const { makesLinkTargets = false, keepsRoot = false } = options;
    this.#root = new ExtractRoot(options.root, { onImplied, makesLinkTargets });
    this.#keepsRoot = keepsRoot;
    this.#owner = options.owner;
    this.#maxBytes = options.limits?.maxBytes ?? Number.POSITIVE_INFINITY;
    if (options.whiteouts === 'overlay') this.#whiteouts = overlayWhiteouts;
    else if (options.whiteouts === 'apply') this.#whiteouts = new DeletingWhiteouts();
  }

  /** Bytes of file content written so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** See `ExtractResult`. */
  get implied(): ByteString[] {
    return [...(this.#implied ?? [])];
  }

  /** Makes what the entry describes. Throws EngineErrors and system errors. */
  async write(found: TarEntry): Promise<void> {
    const entry = this.#owner === undefined ? found : { ...found, ...this.#owner };
    this.#root.tidy();
    const inner = parseInnerPath(entry.path);
    if (inner.name === '') {
      if (entry.kind !== 'directory')
        throw invalid(`Cannot unpack ${quoted(entry.path)}: it is not a directory`);
      if (this.#keepsRoot) return;
      this.#dress({ parent: this.#root.top, name: '.' }, entry);
      this.#directoryTimes.set('', entry.mtime);
      this.#implied?.delete(impliedRoot);
      return;
    }
    const whiteout = this.#whiteouts === undefined ? undefined : parseWhiteout(inner.name);
    if (whiteout?.kind === 'ignored') return;
    const parent = this.#root.making(inner.parent);
    if (whiteout?.kind === 'opaque') {
      this.#whiteouts?.hideAllIn(parent);
      this.#root.forget();
    } else if (whiteout?.kind === 'hides') {
      this.#whiteouts?.hide({ parent, name: whiteout.name });
      this.#root.forget();
    } else {
      const spot = { parent, name: inner.name };
      await this.#make(spot, entry);
      this.#whiteouts?.made(spot);
      if (entry.kind === 'directory') {
        this.#directoryTimes.set(joined(inner), entry.mtime);
        this.#implied?.delete(joined(inner));
      }
    }
  }

  /** Sets the times of directories. Call it after the last entry. */
  finish(): void {
    for (const [path, mtime] of this.#directoryTimes) {
      this.#root.tidy();
      const { parent, name } = parseInnerPath(path);
      try {
        const fd = this.#root.existing(parent).fd;
        const at = name === '' ? '.' : rawBytes(name);
        if (isDirectory(fstatat(fd, at).mode)) utimensat(fd, at, { atime: mtime, mtime });
      } catch (error) {
        // A later entry took its place or that of a directory above it.
        if (!isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) throw error;
      }
    }
  }

  async #make(spot: Spot, entry: TarEntry): Promise<void> {
    const fd = spot.parent.fd;
    const name = rawBytes(spot.name);
    switch (entry.kind) {
      case 'directory':
        this.#makeDirectory(spot);
        return this.#dress(spot, entry);
      case 'file':
        return this.#makeFile(spot, entry);
      case 'hardlink':
        return this.#makeHardLink(spot, entry.linkPath);
      case 'symlink': {
        const target = rawBytes(entry.linkPath);
        if (target.length === 0)
          throw invalid(`Cannot unpack ${quoted(entry.path)}: symbolic link without a target`);
        this.#replacing(spot, () => symlinkat(target, fd, name));
        return this.#dress(spot, entry);
      }
      case 'char':
      case 'block':
      case 'fifo': {
        const mode = nodeTypes[entry.kind] | 0o600;
        const device = entry.kind === 'fifo' ? 0n : makedev(entry.devMajor, entry.devMinor);
        this.#replacing(spot, () => mknodat(fd, name, { mode, device }));
        return this.#dress(spot, entry);
      }
    }
  }

  #makeDirectory(spot: Spot): void {
    const { fd } = spot.parent;
    const name = rawBytes(spot.name);
    try {
      mkdirat(fd, name, 0o755);
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error;
      if (isDirectory(fstatat(fd, name).mode)) return;
      const hiding = this.#whiteouts?.isHiding(spot) ?? false;
      this.#remove(spot);
      mkdirat(fd, name, 0o755);
      if (hiding) this.#whiteouts?.keepHiding(spot);
    }
  }

  async #makeFile(spot: Spot, entry: TarEntry): Promise<void> {
    this.#bytes += storedSize(entry);
    if (this.#bytes > this.#maxBytes) {
      throw tooLarge(`Cannot unpack archive: it holds more than ${this.#maxBytes} bytes`);
    }
    // Set-id and sticky bits come after the owner.
    const how = { flags: newFile, mode: entry.mode & 0o777 };
    const fd = this.#replacing(spot, () => openat2(spot.parent.fd, rawBytes(spot.name), how));
    try {
      if (entry.sparse === undefined) await writePlain(fd, entry.body);
      else await writeSparse(fd, entry.body, { runs: entry.sparse, size: entry.size });
      dressFile(fd, { ...entry, atime: entry.mtime });
    } finally {
      close(fd);
    }
    this.#setXattrs(spot, entry);
  }

  async #makeHardLink(spot: Spot, linkPath: ByteString): Promise<void> {
    const inner = parseInnerPath(linkPath);
    const target = { parent: this.#root.making(inner.parent), name: inner.name };
    const from = { dirfd: target.parent.fd, path: rawBytes(target.name) };
    const to = { dirfd: spot.parent.fd, path: rawBytes(spot.name) };
    for (let attempt = 1; ; attempt++) {
      try {
        linkat(from, to);
        return;
      } catch (error) {
        if (attempt > 2 || !isSystemError(error, 'EEXIST', 'ENOENT')) throw error;
        if (error.code === 'ENOENT') {
          if (this.#implied !== undefined) throw new NeedsLowers();
          if (await this.#lowers.copyUp(inner, target)) continue;
          throw invalid(`hard link to ${quoted(linkPath)}, which is not in the archive before it`, error);
        }
        if (fstatat(from.dirfd, from.path).ino === fstatat(to.dirfd, to.path).ino) return;
        this.#remove(spot);
      }
    }
  }

  /** Makes something new at `spot`; what was there is removed first. */
  #replacing<T>(spot: Spot, make: () => T): T {
    try {
      return make();
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error;
      this.#remove(spot);
      return make();
    }
  }

  #remove(spot: Spot): void {
    removeTreeSync(spot.parent, spot.name);
    this.#root.forget();
  }

  /** Sets the attributes of everything but files and hard links, in the order that keeps them all. */
  #dress(spot: Spot, header: TarHeader): void {
    const name = rawBytes(spot.name);
    // Changing the owner clears set-id bits and capabilities.
    fchownat(spot.parent.fd, name, header);
    if (header.kind !== 'symlink') fchmodat(spot.parent.fd, name, header.mode);
    this.#setXattrs(spot, header);
    utimensat(spot.parent.fd, name, { atime: header.mtime, mtime: header.mtime });
  }

  #setXattrs(spot: Spot, header: TarHeader): void {
    for (const [name, value] of header.xattrs) {
      if (isReservedXattr(name)) continue;
      try {
        lsetxattr(spot.parent.pathOf(spot.name), rawBytes(name), value);
      } catch (error) {
        // As tar and Docker do: a file system without attributes can still hold the files. But a program that loses its
        // capabilities is broken.
        if (name === 'security.capability' || !isSystemError(error, 'ENOTSUP', 'EOPNOTSUPP', 'EPERM'))
          throw error;
      }
    }
  }

  [Symbol.dispose](): void {
    this.#root[Symbol.dispose]();
    this.#lowers[Symbol.dispose]();
  }
}

async function writePlain(fd: number, body: AsyncIterable<Uint8Array>): Promise<void> {
  for await (const chunk of body) {
    for (let done = 0; done < chunk.length; ) done += writeSync(fd, chunk, done);
  }
}

async function writeSparse(
  fd: number,
  body: AsyncIterable<Uint8Array>,
  { runs, size }: { runs: readonly DataRun[]; size: number },
): Promise<void> {
  const rest = runs.values();
  let { offset, length } = rest.next().value ?? { offset: 0, length: 0 };
  for await (const chunk of body) {
    for (let done = 0; done < chunk.length; ) {
      if (length === 0) ({ offset, length } = rest.next().value ?? { offset: 0, length: chunk.length });
      const put = writeSync(fd, chunk, done, Math.min(length, chunk.length - done), offset);
      done += put;
      offset += put;
      length -= put;
    }
  }
  ftruncateSync(fd, size);
}
