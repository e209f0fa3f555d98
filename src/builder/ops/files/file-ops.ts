import { chmodSync, constants, fstatSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type ByteString, byteString, rawBytes } from '#/base/byte-string.ts';
import { invalid, isSystemError } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import { close, openat2, RESOLVE_IN_ROOT, RESOLVE_NO_MAGICLINKS } from '#/kernel/at.ts';
import { digestOf } from '#/oci/digest.ts';
import { resolveUser } from '#/runtime/user.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { removeTree } from '#/storage/tree/remove-tree.ts';
import { isArchiveFile, unpackArchive } from '../../files/archive-file.ts';
import type { CopyRequest } from '../../files/copy-into.ts';
import type { FileThreads } from '../../files/file-threads.ts';
import type { TreeDigests } from '../../files/tree-digests.ts';
import type { CopyInput, CopyNode } from '../../plan/graph.ts';
import { openPlace, placeTree, type StepPlace } from '../run/bind-place.ts';
import type { SourceTree } from '../run/definition.ts';
import type { StepParts } from '../step-parts.ts';
import { matchingPaths } from './wildcards.ts';

/** What is taken of a tree. */
export interface ContentWish {
  /** As Go's filepath.Match takes them. */
  readonly pattern: string;
  /** As .dockerignore writes them, relative to each match. */
  readonly excludes: readonly string[];
  /** Directories count themselves. */
  readonly withDirectories: boolean;
}

/** Something to copy that is there. */
export type ReadySource =
  | {
      readonly kind: 'tree';
      readonly tree: SourceTree;
      readonly pattern: string;
      /** It is what it is: nothing in it is unpacked. */
      readonly isWhole?: boolean;
    }
  | Extract<CopyInput, { readonly kind: 'inline' }>
  /** What a download has brought: a file for a name of its own. */
  | { readonly kind: 'download'; readonly path: string; readonly name: string };

/** A copy whose sources are there. */
export interface CopyJob {
  /** The active snapshot that is copied to. */
  readonly snapshot: string;
  readonly parent: ChainId | undefined;
  readonly node: CopyNode;
  readonly sources: readonly ReadySource[];
  /** Seconds since 1970. */
  readonly epoch: number | undefined;
}

/** Something to copy, perhaps elsewhere and with other permissions than the instruction says. */
type Part = Pick<CopyRequest, 'source' | 'paths' | 'mode'> & { readonly destination?: string };

/** Digests of layers' content that are remembered. */
const maxRemembered = 10_000;
/** As BuildKit gives to what ADD downloads. */
const downloadMode = '600';

/** What the steps COPY, ADD and WORKDIR do with files. */
export class FileOps {
  readonly #steps: StepParts;
  readonly #threads: FileThreads;
  readonly #digests: TreeDigests;
  readonly #scratch: string;
  /** Of layers, whose content never changes. */
  readonly #known = new Map<string, string>();

  /** `scratch` is a folder on the disk of the snapshots, which is emptied at the start of the daemon. */
  constructor(parts: { steps: StepParts; threads: FileThreads; digests: TreeDigests; scratch: string }) {
    this.#steps = parts.steps;
    this.#threads = parts.threads;
    this.#digests = parts.digests;
    this.#scratch = parts.scratch;
  }

  /** Digest of what is taken of a tree: names, modes, owners, links, content; not times. Throws `notFound`. */
  async digest(tree: SourceTree, wish: ContentWish, { signal }: { signal: AbortSignal }): Promise<string> {
    if (tree.kind === 'directory') return this.#digestIn(tree, wish, signal);
    const name = JSON.stringify([tree.chainId ?? 'scratch', wish]);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    await using place = openPlace(this.#steps);
    const root = await placeTree(this.#steps, place, { tree, writable: false });
    const digest = await this.#digestIn({ root, isShared: false, passes: true }, wish, signal);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= maxRemembered && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(name, digest);
    return digest;
  }

  /** Copies into an active snapshot. */
  async copy(job: CopyJob, { signal }: { signal: AbortSignal }): Promise<void> {
    const { node, epoch } = job;
    await using place = openPlace(this.#steps);
    const owner = node.chown === undefined ? undefined : await this.#owner(place, node.chown, job.parent);
    const { excludes, parents } = node;
    const common = { signal, owner, excludes, parents, time: timeOf(epoch) };
    for (const source of job.sources) {
      for (const part of await this.#parts(place, source, { node, signal })) {
        const { destination = node.destination } = part;
        const mode = node.chmod ?? part.mode;
        await this.#copyPart(job.snapshot, part, { ...common, destination, mode });
      }
    }
  }

  /** Makes a directory, if it is missing, with those above it. */
  async makeDirectory(
    { snapshot, path, epoch }: { snapshot: string; path: string; epoch: number | undefined },
    { signal }: { signal: AbortSignal },
  ): Promise<void> {
    await using place = openPlace(this.#steps);
    const root = join(place.folder, 'empty');
    mkdirSync(root, { mode: 0o755 });
    const part = { source: { root, isShared: false }, paths: ['.'] };
    await this.#copyPart(snapshot, part, { signal, destination: `${path}/`, time: timeOf(epoch) });
  }

  async #digestIn(
    { root, isShared, passes = false }: { root: string; isShared: boolean; passes?: boolean },
    { pattern, excludes, withDirectories }: ContentWish,
    signal: AbortSignal,
  ): Promise<string> {
    const paths = matchingPaths(root, pattern);
    if (paths.length === 0) return digestOf('nothing');
    const tree = passes ? 'passing' : isShared ? 'owned' : 'other';
    return this.#digests.digest({ root, paths, excludes, withDirectories, tree }, { signal });
  }

  async #copyPart(
    snapshot: string,
    part: Part,
    {
      signal,
      destination,
      ...options
    }: Omit<CopyRequest, 'target' | 'source' | 'paths' | 'destination'> & {
      signal: AbortSignal;
      destination: string;
    },
  ): Promise<void> {
    const { root, lowers } = this.#steps.snapshots.layerTarget(snapshot);
    const { source, paths } = part;
    const request = {
      ...options,
      source,
      paths,
      target: { root, lowers },
      destination: byteString(destination),
    };
    await this.#threads.run('copy', request, { signal });
  }

  /** What of a source is to be copied; archives are unpacked first. */
  async #parts(
    place: StepPlace,
    source: ReadySource,
    { node, signal }: { node: CopyNode; signal: AbortSignal },
  ): Promise<Part[]> {
    if (source.kind === 'inline') return [inlinePart(place, source)];
    if (source.kind === 'download') {
      if (node.unpack === 'always') return [await this.#unpacked(place, source.path, { node, signal })];
      const root = this.#scratchFolder(place);
      linkSync(source.path, join(root, source.name));
      const paths = [byteString(source.name)];
      return [{ source: { root, isShared: true }, paths, mode: downloadMode }];
    }
    const { tree, pattern, isWhole = false } = source;
    const root = await placeTree(this.#steps, place, { tree, writable: false });
    const origin = { root, isShared: tree.kind === 'directory' && tree.isShared };
    const paths = matchingPaths(root, pattern);
    if (node.unpack === 'never' || isWhole) return [{ source: origin, paths }];
    const parts: Part[] = [];
    for (const path of paths) {
      const file = openFile(place, root, path);
      const isArchive = file !== undefined && (await isArchiveFile(file));
      parts.push(
        isArchive ? await this.#unpacked(place, file, { node, signal }) : { source: origin, paths: [path] },
      );
    }
    return parts;
  }

  #scratchFolder(place: StepPlace): string {
    const name = newId();
    const root = join(this.#scratch, name);
    mkdirSync(root, { mode: 0o755 });
    place.stack.defer(async () => {
      using parent = Directory.open(this.#scratch);
      await removeTree(parent, name);
    });
    return root;
  }

  /** Unpacks an archive beside the snapshots; from there its files get further names. */
  async #unpacked(
    place: StepPlace,
    path: string,
    { node, signal }: { node: CopyNode; signal: AbortSignal },
  ): Promise<Part> {
    const root = this.#scratchFolder(place);
    await unpackArchive(path, { root, signal });
    return {
      source: { root, isShared: true },
      paths: ['.'],
      destination: `${node.destination.replace(/\/+$/, '')}/`,
    };
  }

  /** `user:group` by the databases of the file system that is copied to; without a group, the user's. */
  async #owner(
    place: StepPlace,
    chown: string,
    chainId: ChainId | undefined,
  ): Promise<{ uid: number; gid: number }> {
    const [user = '', group] = chown.split(':');
    if (/^\d+$/.test(user) && (group === undefined || /^\d+$/.test(group))) {
      const [uid, gid] = [Number(user), Number(group ?? user)];
      if (uid > 0x7fffffff || gid > 0x7fffffff)
        throw invalid(`invalid user or group id in ${JSON.stringify(chown)}`);
      return { uid, gid };
    }
    const root = await placeTree(this.#steps, place, { tree: { kind: 'layer', chainId }, writable: false });
    const { uid, gid } = resolveUser(root, { user: chown, groupAdd: [] });
    return /^\d+$/.test(user) && group === undefined ? { uid, gid: uid } : { uid, gid };
  }
}

function timeOf(epoch: number | undefined): bigint | undefined {
  return epoch === undefined ? undefined : BigInt(epoch) * 1_000_000_000n;
}

function inlinePart(place: StepPlace, { name, content }: { name: string; content: string }): Part {
  const root = join(place.folder, newId());
  mkdirSync(root, { mode: 0o755 });
  if (name.includes('/')) throw invalid(`invalid name of a here-document: ${JSON.stringify(name)}`);
  writeFileSync(join(root, name), content, { mode: 0o644 });
  chmodSync(join(root, name), 0o644);
  return { source: { root, isShared: false }, paths: [byteString(name)] };
}

/** A path that leads to the regular file at `path` for as long as the place exists; undefined if there is none. */
function openFile(place: StepPlace, root: string, path: ByteString): string | undefined {
  using directory = Directory.open(root);
  let fd: number;
  try {
    fd = openat2(directory.fd, path === '' ? '.' : rawBytes(path), {
      flags: constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY,
      resolve: RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS,
    });
  } catch (error) {
    // That it is missing is told by the copy.
    if (isSystemError(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENXIO')) return undefined;
    throw error;
  }
  place.stack.defer(() => close(fd));
  return fstatSync(fd).isFile() ? `/proc/self/fd/${fd}` : undefined;
}
