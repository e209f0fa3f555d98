import { chmodSync, linkSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { byteString } from '#/base/byte-string.ts';
import { invalid, isKind } from '#/base/errors.ts';
import { newId } from '#/base/ids.ts';
import type { Owner } from '#/kernel/at.ts';
import { mount, unmount } from '#/kernel/mount.ts';
import { digestOf } from '#/oci/digest.ts';
import { resolveUser } from '#/runtime/user.ts';
import type { ChainId } from '#/storage/chain-id.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { removeTree } from '#/storage/tree/remove-tree.ts';
import type { CopyRequest, CopyResult } from '../../files/copy-into.ts';
import type { FileThreads } from '../../files/file-threads.ts';
import { makeDirectories } from '../../files/make-directories.ts';
import { matchPaths } from '../../files/match-paths.ts';
import type { DigestRequest, TreeDigests } from '../../files/tree-digests.ts';
import { type ArchivePlace, isArchive } from '../../files/unpack-into.ts';
import type { CopyInput, CopyNode, DirectoryNode } from '../../plan/graph.ts';
import { openPlace, placeTree, type StepPlace } from '../run/bind-place.ts';
import type { SourceTree } from '../run/definition.ts';
import type { StepParts } from '../step-parts.ts';

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
  /** The layer whose files say which numbers users have. */
  readonly users: ChainId | undefined;
  readonly node: CopyNode;
  readonly sources: readonly ReadySource[];
  /** Seconds since 1970. */
  readonly epoch: number | undefined;
}

/** A directory to make. */
export interface DirectoryJob extends Pick<CopyJob, 'snapshot' | 'users' | 'epoch'> {
  readonly node: DirectoryNode;
}

/** Something to copy, perhaps with other permissions than the instruction says; or an archive to unpack. */
type Part =
  | (Pick<CopyRequest, 'source' | 'paths' | 'mode'> & { readonly kind: 'copy' })
  | { readonly kind: 'unpack'; readonly archive: ArchivePlace };

/** Digests of the content of layers and of versions of contexts that are remembered. */
const maxRemembered = 10_000;
/** As BuildKit gives to what ADD downloads. */
const downloadMode = '600';

/** What the steps COPY, ADD and WORKDIR do with files. */
export class FileOps {
  readonly #steps: StepParts;
  readonly #threads: FileThreads;
  readonly #digests: TreeDigests;
  readonly #scratch: string;
  /** Of layers and versions of contexts, whose content never changes. */
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
    const version = tree.kind === 'layer' ? (tree.chainId ?? 'scratch') : tree.version;
    if (version === undefined) return this.#digestOf(tree, wish, signal);
    const name = JSON.stringify([version, wish]);
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const digest = await this.#digestOf(tree, wish, signal);
    const [oldest] = this.#known.keys();
    if (this.#known.size >= maxRemembered && oldest !== undefined) this.#known.delete(oldest);
    this.#known.set(name, digest);
    return digest;
  }

  async #digestOf(tree: SourceTree, wish: ContentWish, signal: AbortSignal): Promise<string> {
    if (tree.kind === 'directory') {
      const { root, version } = tree;
      return this.#digestIn({ root, tree: version === undefined ? 'other' : 'owned' }, wish, signal);
    }
    await using place = openPlace(this.#steps);
    const root = await placeTree(this.#steps, place, { tree, writable: false });
    return await this.#digestIn({ root, tree: 'passing' }, wish, signal);
  }

  /** Copies into an active snapshot. */
  async copy(job: CopyJob, { signal }: { signal: AbortSignal }): Promise<void> {
    const { node, epoch } = job;
    await using place = openPlace(this.#steps);
    const owner = node.chown === undefined ? undefined : await this.#owner(place, node.chown, job.users);
    const { excludes, parents } = node;
    const common = { owner, excludes, parents, time: timeOf(epoch) };
    let given: readonly string[] = [];
    for (const source of job.sources) {
      for (const part of await this.#parts(place, source, { node, signal })) {
        if (part.kind === 'unpack') await this.#unpack(place, part.archive, { job, owner, signal });
        else ({ given } = await this.#copyPart(job, part, { ...common, given, signal }));
      }
    }
  }

  /** Makes a directory, if it is missing, with those above it. A user that is not there yet does not own it. */
  async makeDirectory({ snapshot, users, node, epoch }: DirectoryJob): Promise<void> {
    await using place = openPlace(this.#steps);
    let owner: Owner | undefined;
    try {
      if (node.user !== '') owner = await this.#owner(place, node.user, users);
    } catch (error) {
      if (!isKind(error, 'invalid')) throw error;
    }
    const { root, lowers } = this.#steps.snapshots.layerTarget(snapshot);
    makeDirectories({ target: { root, lowers }, path: byteString(node.path), owner, time: timeOf(epoch) });
  }

  /** `user:group` in numbers, where names mean those of a layer. Throws `invalid` for one that is not there. */
  async owner(chown: string, chainId: ChainId | undefined): Promise<string> {
    await using place = openPlace(this.#steps);
    const { uid, gid } = await this.#owner(place, chown, chainId);
    return `${uid}:${gid}`;
  }

  async #digestIn(
    { root, tree }: Pick<DigestRequest, 'root' | 'tree'>,
    { pattern, excludes, withDirectories }: ContentWish,
    signal: AbortSignal,
  ): Promise<string> {
    const paths = await matchPaths(root, pattern, { signal });
    if (paths.length === 0) return digestOf('nothing');
    return this.#digests.digest({ root, paths, excludes, withDirectories, tree }, { signal });
  }

  async #copyPart(
    { snapshot, node }: CopyJob,
    { source, paths, mode }: Part & { kind: 'copy' },
    {
      signal,
      ...options
    }: Pick<CopyRequest, 'owner' | 'excludes' | 'parents' | 'time' | 'given'> & { signal: AbortSignal },
  ): Promise<CopyResult> {
    const { root, lowers } = this.#steps.snapshots.layerTarget(snapshot);
    const target = { root, lowers };
    const destination = byteString(node.destination);
    const request = { ...options, source, paths, target, destination, mode: node.chmod ?? mode };
    return await this.#threads.run('copy', request, { signal });
  }

  /** Unpacks into the snapshot as its processes would see it: links of the image count. */
  async #unpack(
    place: StepPlace,
    archive: ArchivePlace,
    { job, owner, signal }: { job: CopyJob; owner: Owner | undefined; signal: AbortSignal },
  ): Promise<void> {
    const root = join(place.folder, newId());
    mkdirSync(root, { mode: 0o700 });
    using mounted = new DisposableStack();
    for (const layer of this.#steps.snapshots.mounts(job.snapshot)) {
      mount(layer, root);
      mounted.defer(() => unmount(root, { detach: true }));
    }
    const destination = byteString(job.node.destination);
    await this.#threads.run('unpack', { archive, root, destination, owner }, { signal });
  }

  /** What of a source is to be done, in its order. */
  async #parts(
    place: StepPlace,
    source: ReadySource,
    { node, signal }: { node: CopyNode; signal: AbortSignal },
  ): Promise<Part[]> {
    if (source.kind === 'inline') return [inlinePart(place, source)];
    if (source.kind === 'download') {
      const root = this.#scratchFolder(place);
      linkSync(source.path, join(root, source.name));
      const path = byteString(source.name);
      if (node.unpack === 'always') return [{ kind: 'unpack', archive: { root, path } }];
      return [{ kind: 'copy', source: { root, isShared: true }, paths: [path], mode: downloadMode }];
    }
    const { tree, pattern, isWhole = false } = source;
    const root = await placeTree(this.#steps, place, { tree, writable: false });
    const origin = { root, isShared: tree.kind === 'directory' && tree.isShared };
    const paths = await matchPaths(root, pattern, { signal });
    if (node.unpack === 'never' || isWhole) return [{ kind: 'copy', source: origin, paths }];
    const parts: Part[] = [];
    for (const path of paths) {
      const archive = { root, path };
      if (await isArchive(archive)) parts.push({ kind: 'unpack', archive });
      else parts.push({ kind: 'copy', source: origin, paths: [path] });
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

  /** `user:group` by the databases of the file system that is copied to; without a group, the user's. */
  async #owner(place: StepPlace, chown: string, chainId: ChainId | undefined): Promise<Owner> {
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
  return { kind: 'copy', source: { root, isShared: false }, paths: [byteString(name)] };
}
