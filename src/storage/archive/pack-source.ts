import type { ByteString } from '#/base/byte-string.ts';
import { Directory } from '../tree/directory.ts';
import { isDirectory, type TreeEntry, walkTree } from '../tree/walk-tree.ts';
import { parseInnerPath } from './extract-root.ts';
import { LowerLayers } from './lower-layers.ts';
import { treeDifferences } from './tree-difference.ts';
import { isOpaque, isWhiteout } from './whiteouts.ts';

/** What to pack; plain data that can go to another thread. */
export type PackSource =
  /** Everything in a directory. */
  | { readonly kind: 'tree'; readonly path: string }
  /**
   * An overlay upper directory. With the directories below it, nearest first, only what they have is told to be gone, and
   * name by name; without them, as the upper directory has it.
   */
  | { readonly kind: 'upper'; readonly path: string; readonly lowers?: readonly string[] }
  /** What a directory has other than another one. */
  | { readonly kind: 'difference'; readonly path: string; readonly before: string };

/** One thing that an archive is to say. Valid until the next one is asked for. */
export type PackItem =
  | { readonly kind: 'there'; readonly entry: TreeEntry }
  /** The layers below have something at this path, which is no more. */
  | { readonly kind: 'gone'; readonly parent: ByteString; readonly name: ByteString }
  /** All that layers below have in this directory is no more. */
  | { readonly kind: 'opaque'; readonly path: ByteString };

/** What the source holds, in the order of names, a directory before its contents. */
export function* packItems(source: PackSource): Generator<PackItem, void, undefined> {
  using root = Directory.open(source.path);
  if (source.kind === 'difference') {
    using before = Directory.open(source.before);
    yield* treeDifferences({ now: root, before, prefix: '', depth: 0 });
  } else if (source.kind === 'tree') {
    for (const entry of walkTree(root)) yield { kind: 'there', entry };
  } else if (source.lowers === undefined) {
    yield* asItIs(root);
  } else {
    using below = new LowerLayers(source.lowers);
    yield* overLowers(root, below);
  }
}

function* asItIs(root: Directory): Generator<PackItem, void, undefined> {
  for (const entry of walkTree(root)) {
    const { stat, path, name, parent } = entry;
    if (isWhiteout(stat)) {
      yield gone(path, name);
      continue;
    }
    yield { kind: 'there', entry };
    if (isDirectory(stat.mode) && isOpaque(parent, name)) yield { kind: 'opaque', path };
  }
}

/** A directory whose counterpart below does not count. */
interface Hiding {
  readonly path: ByteString;
  /** Names that it hides and has not itself, in order. */
  readonly hidden: ByteString[];
}

/**
 * The kernel makes directories opaque also where there is nothing to hide, as a short cut for itself; what is told must not depend
 * on that.
 */
function* overLowers(root: Directory, below: LowerLayers): Generator<PackItem, void, undefined> {
  const hiding: Hiding[] = [];
  for (const entry of walkTree(root)) {
    const { stat, path, name, parent } = entry;
    for (let top = hiding.at(-1); top !== undefined; top = hiding.at(-1)) {
      const isInside = path.startsWith(`${top.path}/`);
      const next = isInside ? path.slice(top.path.length + 1).split('/', 1)[0] : undefined;
      yield* hiddenBefore(top, next);
      if (isInside) break;
      hiding.pop();
    }
    if (isWhiteout(stat)) {
      if (below.has(parseInnerPath(path))) yield gone(path, name);
      continue;
    }
    yield { kind: 'there', entry };
    if (!isDirectory(stat.mode)) continue;
    const above = hiding.at(-1);
    const hides = above?.path === dirOf(path, name) || isOpaque(parent, name);
    if (!hides || !below.hasDirectory(parseInnerPath(path))) continue;
    using directory = parent.child(name);
    const present = new Set(directory.names());
    hiding.push({ path, hidden: below.names(path).filter((other) => !present.has(other)) });
  }
  for (const left of hiding.toReversed()) yield* hiddenBefore(left, undefined);
}

function* hiddenBefore(
  { path, hidden }: Hiding,
  next: ByteString | undefined,
): Generator<PackItem, void, undefined> {
  for (
    let first = hidden[0];
    first !== undefined && (next === undefined || first < next);
    first = hidden[0]
  ) {
    yield { kind: 'gone', parent: `${path}/`, name: first };
    hidden.shift();
  }
}

function gone(path: ByteString, name: ByteString): PackItem {
  return { kind: 'gone', parent: path.slice(0, -name.length), name };
}

function dirOf(path: ByteString, name: ByteString): ByteString {
  return path.slice(0, -name.length - 1);
}
