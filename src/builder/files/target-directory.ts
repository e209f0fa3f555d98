import { type ByteString, quoted, rawBytes } from '#/base/byte-string.ts';
import { invalid } from '#/base/errors.ts';
import { type FileStat, fchownat, mkdirat } from '#/kernel/at.ts';
import type { Spot } from '#/storage/tree/copy-node.ts';
import type { Directory } from '#/storage/tree/directory.ts';
import { isDirectory, statIfThere } from '#/storage/tree/walk-tree.ts';
import { type AttributeRules, dress, setTimes } from './attributes.ts';
import type { TreeView } from './tree-view.ts';

/** What a directory is made like. */
export interface DirectoryModel {
  readonly from: Spot;
  readonly stat: FileStat;
  /** One that exists gets the attributes, too. */
  readonly overwrites: boolean;
}

const nothing: ReadonlySet<ByteString> = new Set();

/** A directory to copy into. It is made when something is put into it, or `open` is called. */
export class TargetDirectory implements Disposable {
  /** Relative to the root. */
  readonly path: ByteString;
  readonly #view: TreeView;
  readonly #rules: AttributeRules;
  readonly #parent: TargetDirectory | undefined;
  readonly #name: ByteString;
  readonly #model: DirectoryModel | undefined;
  #opened: Directory | undefined;
  #below: ReadonlySet<ByteString> | undefined;
  /** Attributes are to be set when all that it gets is in it. */
  #times: FileStat | 'new' | undefined;

  private constructor(
    { view, rules }: { view: TreeView; rules: AttributeRules },
    own: { path: ByteString; name: ByteString; parent?: TargetDirectory; model?: DirectoryModel | undefined },
  ) {
    this.#view = view;
    this.#rules = rules;
    this.path = own.path;
    this.#name = own.name;
    this.#parent = own.parent;
    this.#model = own.model;
  }

  static root(parts: { view: TreeView; rules: AttributeRules }): TargetDirectory {
    const root = new TargetDirectory(parts, { path: '', name: '' });
    root.#opened = parts.view.top;
    return root;
  }

  /** The directory `name` in this one. Without a model it gets the permissions 0755. Dispose of it before its parent. */
  child(name: ByteString, model?: DirectoryModel): TargetDirectory {
    const path = this.path === '' ? name : `${this.path}/${name}`;
    const parts = { view: this.#view, rules: this.#rules };
    return new TargetDirectory(parts, { path, name, parent: this, model });
  }

  /** Opens it; makes it, and those above it, if needed. Throws `invalid` where something else is in the way. */
  open(): Directory {
    if (this.#opened !== undefined || this.#parent === undefined) return this.#opened ?? this.#view.top;
    const parent = this.#parent.open();
    const stat = statIfThere(parent, this.#name);
    if (stat !== undefined && !isDirectory(stat.mode)) throw this.#inTheWay();
    const isNew = stat === undefined && !this.#broughtUp(parent);
    if (isNew) mkdirat(parent.fd, rawBytes(this.#name), 0o755);
    this.#dress({ parent, name: this.#name }, isNew);
    this.#opened = parent.child(this.#name);
    return this.#opened;
  }

  /** It is to have the times of a directory whose contents it gets, if it is there or being made without a model. */
  takeTimes(stat: FileStat): void {
    if (this.#model === undefined) this.#times = stat;
  }

  /** Tells what lower directories have at `name`, other than what is made here. */
  kindBelow(name: ByteString): 'directory' | 'other' | 'missing' {
    if (!this.#namesBelow().has(name)) return 'missing';
    using found = this.#view.find(this.path === '' ? name : `${this.path}/${name}`);
    if (found === undefined) return 'missing';
    return isDirectory(found.stat.mode) ? 'directory' : 'other';
  }

  /** Names that may be below. There is no need to look if not even the directory is. */
  #namesBelow(): ReadonlySet<ByteString> {
    this.#below ??=
      this.#parent !== undefined && !this.#parent.#namesBelow().has(this.#name)
        ? nothing
        : this.#view.possibleNamesBelow(this.path);
    return this.#below;
  }

  /** Makes the directory that lower ones have. False: they have none. */
  #broughtUp(parent: Directory): boolean {
    const kind = this.#parent?.kindBelow(this.#name) ?? 'missing';
    if (kind === 'missing') return false;
    if (kind === 'other') throw this.#inTheWay();
    mkdirat(parent.fd, rawBytes(this.#name), 0o700);
    this.#view.dress(parent, this.path);
    return true;
  }

  #dress(spot: Spot, isNew: boolean): void {
    const model = this.#model;
    if (model === undefined) {
      if (!isNew) return;
      fchownat(spot.parent.fd, rawBytes(spot.name), this.#rules.owner);
      this.#times ??= 'new';
    } else if (isNew || model.overwrites) {
      dress(spot, model.from, { attributes: this.#rules.of(model.stat), isLink: false });
      this.#times = model.stat;
    }
  }

  #inTheWay(): Error {
    const path = `/${this.path}`;
    return invalid(
      this.#model === undefined ? `mkdir ${path}: not a directory` : `cannot copy to non-directory: ${path}`,
    );
  }

  /** Sets its times, and closes it. */
  [Symbol.dispose](): void {
    if (this.#opened === undefined || this.#parent === undefined) return;
    const spot = { parent: this.#parent.open(), name: this.#name };
    this.#opened[Symbol.dispose]();
    this.#opened = undefined;
    if (this.#times === undefined) return;
    const { time } = this.#rules;
    if (this.#times !== 'new') setTimes(spot, this.#rules.of(this.#times));
    else if (time !== undefined) setTimes(spot, { atime: time, mtime: time });
  }
}

/** A path in messages, as somebody in the tree sees it. */
export function shown(path: ByteString): string {
  return quoted(`/${path}`).slice(1, -1);
}
