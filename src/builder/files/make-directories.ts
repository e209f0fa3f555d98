import type { ByteString } from '#/base/byte-string.ts';
import { AttributeRules, type AttributeWish } from './attributes.ts';
import { TargetDirectory } from './target-directory.ts';
import { TreeView } from './tree-view.ts';

/** A directory to make in a snapshot; see `CopyRequest`. */
export interface MakeDirectoriesRequest extends Pick<AttributeWish, 'owner' | 'time'> {
  readonly target: { readonly root: string; readonly lowers: readonly string[] };
  /** Absolute. */
  readonly path: ByteString;
}

/**
 * Makes a directory and those above it, as far as they are missing, as WORKDIR does; links lead to places in the tree. Returns
 * where it is, without links. Throws `invalid` where something else is in the way, and system errors.
 */
export function makeDirectories({ target, path, ...wish }: MakeDirectoriesRequest): ByteString {
  using stack = new DisposableStack();
  const view = stack.use(new TreeView(target));
  let directory = stack.use(TargetDirectory.root({ view, rules: new AttributeRules(wish) }));
  const { path: real, kind } = view.resolve(path);
  // What is there already stays out of the layer.
  if (kind === 'directory') return `/${real}`;
  for (const part of real.split('/')) directory = stack.use(directory.child(part));
  directory.open();
  return `/${real}`;
}
