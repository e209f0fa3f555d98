import { type ByteString, byteString, textOf } from '#/base/byte-string.ts';
import { compilePathPattern, hasWildcards, type PathPattern } from '#/dockerfile/path-pattern.ts';
import type { Directory } from '#/storage/tree/directory.ts';
import { Pacer } from '#/storage/tree/pacer.ts';
import { isDirectory, statIfThere } from '#/storage/tree/walk-tree.ts';
import { refuseDepth, TreeView } from './tree-view.ts';

/** The mark in a path of `--parents`: directories before it are not made. */
const parentsMark = '/./';

/**
 * The paths that a source of COPY or ADD names in the tree at `root`, for `CopyRequest.paths`: those that match, in the
 * order of their names, or the one itself if it has no wildcards (it need not exist). What is in a directory that
 * matches is not looked at. Links are followed up to the first component with wildcards. Throws `invalid` for a malformed
 * pattern, the signal's reason.
 */
export async function matchPaths(
  root: string,
  pattern: string,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<ByteString[]> {
  if (!hasWildcards(pattern)) return [byteString(pattern)];
  const mark = pattern.indexOf(parentsMark);
  const [start, rest] =
    mark < 0 ? ['', pattern] : [pattern.slice(0, mark), pattern.slice(mark + parentsMark.length)];
  const parts = rest.split('/').filter((part) => part !== '' && part !== '.');
  const first = parts.findIndex((part) => hasWildcards(part));
  using view = new TreeView({ root, lowers: [] });
  // A pattern before the mark names the directories that are not made: there can be several.
  const starts = hasWildcards(start) ? await matchPaths(root, start, { signal }) : [byteString(start)];
  const found: ByteString[] = [];
  for (const above of starts) {
    const literal = parts.slice(0, first < 0 ? parts.length : first).map(byteString);
    const shown = [...(mark < 0 ? [] : [`${above}/.`]), ...literal];
    if (first < 0) {
      found.push(shown.join('/'));
      continue;
    }
    const { path, kind } = view.resolve([above, ...literal].join('/'));
    using directory = kind === 'directory' ? view.open(path) : undefined;
    if (directory === undefined) continue;
    const matcher = new PathMatcher(compilePathPattern(parts.slice(first).join('/')), signal);
    for (const match of await matcher.in(directory, '')) found.push([...shown, match].join('/'));
  }
  return found;
}

/** Walks a tree as far as a pattern may match. */
class PathMatcher {
  readonly #pattern: PathPattern;
  readonly #signal: AbortSignal | undefined;
  readonly #pacer = new Pacer();

  constructor(pattern: PathPattern, signal: AbortSignal | undefined) {
    this.#pattern = pattern;
    this.#signal = signal;
  }

  async in(parent: Directory, prefix: ByteString): Promise<ByteString[]> {
    const found: ByteString[] = [];
    for (const name of parent.names()) {
      if (this.#pacer.due) await this.#pacer.turn();
      this.#signal?.throwIfAborted();
      const path = prefix + name;
      if (this.#pattern.matches(textOf(path))) {
        found.push(path);
        continue;
      }
      if (!this.#pattern.mayMatchIn(textOf(path))) continue;
      const stat = statIfThere(parent, name);
      if (stat === undefined || !isDirectory(stat.mode)) continue;
      refuseDepth(path);
      using directory = parent.child(name);
      found.push(...(await this.in(directory, `${path}/`)));
    }
    return found;
  }
}
