import { createHash, type Hash } from 'node:crypto';
import { constants } from 'node:fs';
import { posix } from 'node:path';
import { type ByteString, quoted, rawBytes, textOf } from '#/base/byte-string.ts';
import { notFound } from '#/base/errors.ts';
import { IgnoreRules, type IgnoreState } from '#/dockerfile/ignore.ts';
import { type FileStat, readlinkat } from '#/kernel/at.ts';
import { type Digest, parseDigest } from '#/oci/digest.ts';
import type { Spot } from '#/storage/tree/copy-node.ts';
import type { Directory } from '#/storage/tree/directory.ts';
import { Pacer } from '#/storage/tree/pacer.ts';
import { isDirectory, statIfThere } from '#/storage/tree/walk-tree.ts';
import { xattrsOf } from '#/storage/tree/xattrs.ts';
import { DigestCache, type FileFacts } from './digest-cache.ts';
import type { FileThreads } from './file-threads.ts';
import { type HashFilesJob, hashFiles, xattrText } from './hash-files.ts';
import { refuseDepth, splitPath, TreeView } from './tree-view.ts';

/** A part of a tree. */
export interface DigestRequest {
  /** Nobody changes what is below it meanwhile. */
  readonly root: string;
  /** As those of `CopyRequest`. */
  readonly paths: readonly ByteString[];
  readonly excludes?: readonly string[];
  /** Directories count themselves, not only what is in them: for `--parents`, and for mounts. */
  readonly withDirectories?: boolean;
  /**
   * `owned`: a tree of the context store, which tells of new files. `passing`: what is at this path now will not be seen
   * there again, so that there is nothing to remember.
   */
  readonly tree: 'owned' | 'passing' | 'other';
}

/** Entries that are looked at before their files are read. */
const windowSize = 4096;
/** Up to so many bytes are read at once, without a thread. */
const inlineSize = 512 * 1024;
/** Bytes that one thread reads for one request. */
const batchSize = 4 * 1024 * 1024;
/** A file costs as much as so many bytes, whatever it holds. */
const fileCost = 16 * 1024;

/** Digests of trees by their content. */
export class TreeDigests {
  readonly #threads: FileThreads;
  readonly #cache = new DigestCache();

  constructor(threads: FileThreads) {
    this.#threads = threads;
  }

  /** A file of an owned tree is new, or was written to. */
  forget(stat: Pick<FileStat, 'dev' | 'ino'>): void {
    this.#cache.forget(stat);
  }

  /** What a file of an owned tree holds, for who has just written it; it has no extended attributes. */
  remember(stat: FileFacts, digest: Uint8Array): void {
    this.#cache.set(stat, digest);
  }

  /**
   * A digest over names, kinds, permissions, owners, targets of links, devices, extended attributes and content of all that the
   * request names, but not over times. Only files that have not been read before are read. Throws `notFound` for a
   * path that leads nowhere; the signal's reason.
   */
  async digest(
    request: DigestRequest,
    { signal }: { signal?: AbortSignal | undefined } = {},
  ): Promise<Digest> {
    using walk = new DigestWalk(request, (files) => this.#read(request, files, signal));
    for (const path of request.paths) {
      await walk.add(path);
      signal?.throwIfAborted();
    }
    return await walk.finish();
  }

  /** The digests of files; what is known is not read. */
  async #read(
    { root, tree }: DigestRequest,
    files: readonly SeenFile[],
    signal: AbortSignal | undefined,
  ): Promise<Buffer[]> {
    const known = files.map(({ stat }) =>
      tree === 'passing' ? undefined : this.#cache.get(stat, tree === 'owned'),
    );
    const missing = files.filter((_, index) => known[index] === undefined);
    const read = await this.#hash(root, missing, signal);
    if (tree !== 'passing')
      for (const [index, { stat }] of missing.entries()) this.#cache.set(stat, at(read, index));
    let next = 0;
    return known.map((digest) => digest ?? at(read, next++));
  }

  async #hash(root: string, files: readonly SeenFile[], signal: AbortSignal | undefined): Promise<Buffer> {
    const costs = files.map(({ stat }) => stat.size + fileCost);
    const total = costs.reduce((sum, cost) => sum + cost, 0);
    if (total <= inlineSize) return Buffer.from(await hashFiles(jobOf(root, files), { signal }));
    const batches: SeenFile[][] = [];
    let room = 0;
    for (const [index, file] of files.entries()) {
      if (room <= 0) {
        batches.push([]);
        room = batchSize;
      }
      batches.at(-1)?.push(file);
      room -= costs[index] ?? 0;
    }
    const work = batches.map((batch) => this.#threads.run('hash', jobOf(root, batch), { signal }));
    // Nothing may be at work any more when this fails.
    await Promise.allSettled(work);
    return Buffer.concat(await Promise.all(work));
  }
}

/** A file that was found, in the directory `path`. */
interface SeenFile {
  readonly path: ByteString;
  readonly name: ByteString;
  readonly stat: FileStat;
}

/** One line of what is digested, in JSON; that of a file ends with the digest of its content. */
interface Line {
  readonly text: string;
  readonly file: SeenFile | undefined;
}

/** A directory on the walk. */
interface Place {
  readonly directory: Directory;
  /** From the root. */
  readonly real: ByteString;
  /** From where the walk began, for patterns and for the digest. */
  readonly path: ByteString;
  readonly state: IgnoreState;
}

class DigestWalk implements Disposable {
  readonly #request: DigestRequest;
  readonly #read: (files: readonly SeenFile[]) => Promise<Buffer[]>;
  readonly #view: TreeView;
  readonly #excludes: IgnoreRules;
  readonly #hash: Hash = createHash('sha256');
  readonly #pacer = new Pacer();
  #lines: Line[] = [];

  constructor(request: DigestRequest, read: (files: readonly SeenFile[]) => Promise<Buffer[]>) {
    this.#request = request;
    this.#read = read;
    this.#excludes = new IgnoreRules(request.excludes ?? []);
    this.#view = new TreeView({ root: request.root, lowers: [] });
  }

  async add(path: ByteString): Promise<void> {
    const { path: real, kind } = this.#view.resolve(path);
    const missing = notFound(`${quoted(posix.resolve('/', path))}: not found`);
    if (kind === 'missing') throw missing;
    this.#lines.push({ text: JSON.stringify(['path', path]), file: undefined });
    const { dir, name } = splitPath(real);
    if (real !== '') {
      using parent = this.#view.open(dir);
      const stat = parent === undefined ? undefined : statIfThere(parent, name);
      if (parent === undefined || stat === undefined) throw missing;
      const counts = kind !== 'directory' || this.#request.withDirectories === true;
      if (counts) this.#see({ parent, name }, { stat, dir, path: '' });
    }
    if (kind !== 'directory') return;
    using directory = this.#view.open(real);
    if (directory === undefined) throw missing;
    await this.#walk({ directory, real, path: '', state: this.#excludes.root });
  }

  async finish(): Promise<Digest> {
    await this.#flush();
    return parseDigest(`sha256:${this.#hash.digest('hex')}`);
  }

  async #walk(place: Place): Promise<void> {
    const parent = place.directory;
    for (const name of parent.names()) {
      if (this.#pacer.due) await this.#pacer.turn();
      if (this.#lines.length >= windowSize) await this.#flush();
      const stat = statIfThere(parent, name);
      if (stat === undefined) continue;
      const path = place.path === '' ? name : `${place.path}/${name}`;
      const verdict = this.#excludes.isEmpty ? undefined : this.#excludes.judge(textOf(path), place.state);
      const isExcluded = verdict?.isExcluded === true;
      if (!isExcluded) this.#see({ parent, name }, { stat, dir: place.real, path });
      if (!isDirectory(stat.mode) || (isExcluded && verdict?.mayHoldOthers !== true)) continue;
      const real = place.real === '' ? name : `${place.real}/${name}`;
      refuseDepth(path);
      using directory = parent.child(name);
      await this.#walk({ directory, real, path, state: verdict?.state ?? place.state });
    }
  }

  #see(spot: Spot, { stat, dir, path }: { stat: FileStat; dir: ByteString; path: ByteString }): void {
    const { mode, uid, gid, rdev } = stat;
    const kind = mode & constants.S_IFMT;
    const head = [path, mode.toString(8), uid, gid];
    if (kind === constants.S_IFREG) {
      this.#lines.push({ text: JSON.stringify(head), file: { path: dir, name: spot.name, stat } });
      return;
    }
    const target =
      kind === constants.S_IFLNK ? readlinkat(spot.parent.fd, rawBytes(spot.name)).toString('latin1') : '';
    const device =
      kind === constants.S_IFCHR || kind === constants.S_IFBLK ? `${rdev.major}:${rdev.minor}` : '';
    const text = JSON.stringify([...head, target, device, xattrText(xattrsOf(spot))]);
    this.#lines.push({ text, file: undefined });
  }

  /** Reads the files of all lines, and puts the lines into the digest. */
  async #flush(): Promise<void> {
    const lines = this.#lines;
    this.#lines = [];
    const digests = await this.#read(lines.flatMap(({ file }) => file ?? []));
    const next = digests.values();
    const texts = lines.map(({ text, file }) =>
      file === undefined ? text : `${text}${next.next().value?.toString('hex')}`,
    );
    this.#hash.update(texts.join('\n'));
    this.#hash.update('\n');
  }

  [Symbol.dispose](): void {
    this.#view[Symbol.dispose]();
  }
}

function at(digests: Buffer, index: number): Buffer {
  return digests.subarray(index * 32, (index + 1) * 32);
}

function jobOf(root: string, files: readonly SeenFile[]): HashFilesJob {
  const groups: { path: ByteString; names: ByteString[] }[] = [];
  for (const { path, name } of files) {
    const last = groups.at(-1);
    if (last?.path === path) last.names.push(name);
    else groups.push({ path, names: [name] });
  }
  return { root, groups };
}
