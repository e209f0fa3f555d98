import { posix } from 'node:path';
import { type ByteString, quoted, textOf } from '#/base/byte-string.ts';
import { internal, invalid, isSystemError, notFound } from '#/base/errors.ts';
import { IgnoreRules, type IgnoreState } from '#/dockerfile/ignore.ts';
import type { Directory } from '#/storage/tree/directory.ts';
import { Pacer } from '#/storage/tree/pacer.ts';
import { isDirectory, statIfThere } from '#/storage/tree/walk-tree.ts';
import { AttributeRules, type AttributeWish } from './attributes.ts';
import { FileCopier, type FilePlace } from './file-copier.ts';
import { type DirectoryModel, shown, TargetDirectory } from './target-directory.ts';
import { refuseDepth, splitPath, TreeView } from './tree-view.ts';

/** What COPY and ADD put where; plain data that can go to another thread. */
export interface CopyRequest extends AttributeWish {
  /** Where it goes: `Snapshotter.layerTarget` of a fresh active snapshot that is not mounted. */
  readonly target: { readonly root: string; readonly lowers: readonly string[] };
  /** Where it comes from. */
  readonly source: CopySource;
  /** What to copy, in this order; relative to the source's root, wildcards resolved. Links are followed, inside the root. */
  readonly paths: readonly ByteString[];
  /** Absolute; a slash at its end says that it is a directory. */
  readonly destination: ByteString;
  /** `--exclude`: patterns, relative to each path. */
  readonly excludes?: readonly string[];
  /** `--parents`: the directories of a path are made, too, as far as they come after "/./". */
  readonly parents?: boolean;
  /** Files of shared sources that the layer has names of already: see `CopyResult`. Copies of them are to be files of their own. */
  readonly given?: readonly string[];
}

/** A tree to copy from, which nobody changes meanwhile. */
interface CopySource {
  readonly root: string;
  /** Its files are never written to in place and lie on the target's file system, so that copies can be further names. */
  readonly isShared: boolean;
}

/** What was copied. */
export interface CopyResult {
  readonly files: number;
  /** Bytes of file content. */
  readonly bytes: number;
  /** With those of the request: files of shared sources that names in the target are. */
  readonly given: readonly string[];
}

/**
 * Copies files and directories into a tree, with BuildKit's rules. Neither side's links lead out of its root. What is
 * replaced is removed first, directories are merged. Throws EngineErrors: `notFound` for a source, `invalid` for what
 * cannot be replaced, `internal` when the machine fails; the signal's reason.
 */
export async function copyInto(
  request: CopyRequest,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<CopyResult> {
  using copier = new Copier(request, signal);
  for (const path of request.paths) {
    try {
      await copier.copy(path);
    } catch (error) {
      if (!isSystemError(error)) throw error;
      const message = `cannot copy ${quoted(path)} to ${quoted(request.destination)}: ${error.message}`;
      throw isSystemError(error, 'ENAMETOOLONG', 'ELOOP')
        ? invalid(message, error)
        : internal(message, error);
    }
  }
  return copier.result;
}

/** A directory of the source, as far as it has to be looked at. */
interface SourceDirectory {
  readonly directory: Directory;
  /** What exclude patterns are compared with; empty at the top. */
  readonly path: string;
  readonly state: IgnoreState;
}

class Copier implements Disposable {
  readonly #request: CopyRequest;
  readonly #signal: AbortSignal | undefined;
  readonly #source: TreeView;
  readonly #target: TreeView;
  readonly #rules: AttributeRules;
  readonly #excludes: IgnoreRules;
  readonly #files: FileCopier;
  readonly #pacer = new Pacer();

  constructor(request: CopyRequest, signal: AbortSignal | undefined) {
    this.#request = request;
    this.#signal = signal;
    this.#rules = new AttributeRules(request);
    this.#excludes = new IgnoreRules(request.excludes ?? []);
    using stack = new DisposableStack();
    this.#source = stack.use(new TreeView({ root: request.source.root, lowers: [] }));
    this.#target = new TreeView(request.target);
    const { given = [], source } = request;
    this.#files = new FileCopier(this.#target.top, { rules: this.#rules, isShared: source.isShared, given });
    stack.move();
  }

  get result(): CopyResult {
    const { files, bytes, given } = this.#files;
    return { files, bytes, given };
  }

  async copy(path: ByteString): Promise<void> {
    this.#files.nextPath();
    const { path: real, kind } = this.#source.resolve(path);
    const missing = notFound(`${quoted(posix.resolve('/', path))}: not found`);
    if (kind === 'missing') throw missing;
    using stack = new DisposableStack();
    if (kind === 'directory') {
      const { directory: into } = this.#place(path, { isFile: false, stack });
      const directory = stack.use(this.#source.open(real));
      if (directory === undefined) throw missing;
      into.open();
      const stat = statIfThere(directory, '.');
      // The top of a tree has no times of its own.
      if (real !== '' && stat !== undefined) into.takeTimes(stat);
      await this.#copyContents({ directory, path: '', state: this.#excludes.root }, into);
      return;
    }
    const { dir, name } = splitPath(real);
    const parent = stack.use(this.#source.open(dir));
    const stat = parent === undefined ? undefined : statIfThere(parent, name);
    if (parent === undefined || stat === undefined) throw missing;
    const { isExcluded } = this.#excludes.judge(textOf(nameOf(path)), this.#excludes.root);
    if (!isExcluded)
      await this.#files.copy({ parent, name, stat }, this.#place(path, { isFile: true, stack }));
  }

  async #copyContents(from: SourceDirectory, into: TargetDirectory): Promise<void> {
    const parent = from.directory;
    for (const name of parent.names()) {
      if (this.#pacer.due) {
        await this.#pacer.turn();
        this.#signal?.throwIfAborted();
      }
      const stat = statIfThere(parent, name);
      if (stat === undefined) continue;
      const path = from.path === '' ? textOf(name) : `${from.path}/${textOf(name)}`;
      const verdict = this.#excludes.isEmpty ? undefined : this.#excludes.judge(path, from.state);
      const isExcluded = verdict?.isExcluded === true;
      if (!isDirectory(stat.mode)) {
        if (!isExcluded) await this.#files.copy({ parent, name, stat }, { directory: into, name });
        continue;
      }
      if (isExcluded && verdict?.mayHoldOthers !== true) continue;
      const overwrites = this.#request.parents !== true;
      using child = into.child(name, { from: { parent, name }, stat, overwrites });
      if (!isExcluded) child.open();
      refuseDepth(path);
      using directory = parent.child(name);
      await this.#copyContents({ directory, path, state: verdict?.state ?? from.state }, child);
    }
  }

  /** Where a source goes: the directory that its contents get into, or that it gets into by a name. */
  #place(path: ByteString, { isFile, stack }: { isFile: boolean; stack: DisposableStack }): FilePlace {
    const { destination, parents = false } = this.#request;
    const saysDirectory = parents || /\/\.?$/.test(destination);
    const { path: real, kind } = this.#target.resolve(destination);
    if (!isFile && !saysDirectory && kind === 'other') {
      throw invalid(`cannot copy to non-directory: ${shown(real)}`);
    }
    const intoIt = !isFile || saysDirectory || kind === 'directory';
    const { dir, name } = splitPath(real);
    let directory = stack.use(TargetDirectory.root({ view: this.#target, rules: this.#rules }));
    for (const part of (intoIt ? real : dir).split('/')) {
      if (part !== '') directory = stack.use(directory.child(part));
    }
    const models = parents ? this.#parentsOf(path, { isFile, stack }) : [];
    for (const { name: own, ...model } of models) directory = stack.use(directory.child(own, model));
    return { directory, name: intoIt ? nameOf(path) : name };
  }

  /** The directories of a path that are made with it: of the source, below the mark "/./" if there is one. */
  #parentsOf(
    path: ByteString,
    { isFile, stack }: { isFile: boolean; stack: DisposableStack },
  ): (DirectoryModel & { name: ByteString })[] {
    const mark = path.indexOf('/./');
    const start = mark < 0 ? '' : path.slice(0, mark);
    const parts = path.slice(mark < 0 ? 0 : mark + 3).split('/');
    const names = parts.filter((part) => part !== '' && part !== '.');
    if (isFile) names.pop();
    if (names.includes('..')) throw invalid(`cannot copy ${quoted(path)} with its parents: ".." in it`);
    return names.map((name, index) => {
      const { path: real } = this.#source.resolve([start, ...names.slice(0, index + 1)].join('/'));
      const own = splitPath(real);
      const parent = stack.use(this.#source.open(own.dir));
      const stat = parent === undefined ? undefined : statIfThere(parent, own.name);
      if (parent === undefined || stat === undefined) throw notFound(`${quoted(path)}: not found`);
      return { name, from: { parent, name: own.name }, stat, overwrites: false };
    });
  }

  [Symbol.dispose](): void {
    this.#source[Symbol.dispose]();
    this.#target[Symbol.dispose]();
  }
}

/** The last component of the path to a file. */
function nameOf(path: ByteString): ByteString {
  return splitPath(path.replace(/(?:\/\.?)+$/, '')).name;
}
