import { rawBytes } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import type { IgnoreRules, IgnoreState } from '#/dockerfile/ignore.ts';
import { AT_REMOVEDIR, unlinkat } from '#/kernel/at.ts';
import { Directory } from '#/storage/tree/directory.ts';
import { Pacer } from '#/storage/tree/pacer.ts';
import { removeTree } from '#/storage/tree/remove-tree.ts';

/** Removes from a tree of our own what the rules exclude. Nothing is followed. Shares the event loop. */
export async function removeIgnored(root: string, rules: IgnoreRules): Promise<void> {
  if (rules.isEmpty) return;
  using top = Directory.open(root);
  await new Removal(rules).inside(top, { prefix: '', state: rules.root });
}

interface Folder {
  /** Its path with a slash, or nothing. */
  readonly prefix: string;
  readonly state: IgnoreState;
}

class Removal {
  readonly #rules: IgnoreRules;
  readonly #pacer = new Pacer();

  constructor(rules: IgnoreRules) {
    this.#rules = rules;
  }

  async inside(directory: Directory, { prefix, state }: Folder): Promise<void> {
    for (const name of directory.names()) {
      if (this.#pacer.due) await this.#pacer.turn();
      // Patterns are text, names are bytes.
      const path = `${prefix}${rawBytes(name).toString()}`;
      const verdict = this.#rules.judge(path, state);
      if (verdict.isExcluded && !verdict.mayHoldOthers) {
        await removeTree(directory, name);
        continue;
      }
      using child = childOf(directory, name);
      if (child === undefined) {
        if (verdict.isExcluded) await removeTree(directory, name);
        continue;
      }
      await this.inside(child, { prefix: `${path}/`, state: verdict.state });
      if (verdict.isExcluded) removeEmpty(directory, name);
    }
  }
}

/** Undefined: it is no directory. */
function childOf(directory: Directory, name: string): Directory | undefined {
  try {
    return directory.child(name);
  } catch (error) {
    if (isSystemError(error, 'ENOTDIR', 'ELOOP')) return undefined;
    throw error;
  }
}

/** A folder with something in it that is an exception stays. */
function removeEmpty(directory: Directory, name: string): void {
  try {
    unlinkat(directory.fd, rawBytes(name), AT_REMOVEDIR);
  } catch (error) {
    if (!isSystemError(error, 'ENOTEMPTY')) throw error;
  }
}
