import type { ByteString } from '#/base/byte-string.ts';
import { Directory } from '../tree/directory.ts';
import { Pacer } from '../tree/pacer.ts';
import { isDirectory, walkTree } from '../tree/walk-tree.ts';
import { joined, parseInnerPath } from './extract-root.ts';
import { LowerLayers } from './lower-layers.ts';
import { isOpaque, isWhiteout } from './whiteouts.ts';

/** One difference between a snapshot and its parent. */
export interface Change {
  readonly kind: 'modified' | 'added' | 'deleted';
  /** Relative to the root, without a leading slash. */
  readonly path: ByteString;
}

/**
 * What an overlay upper directory says about its lower ones (nearest first), in the order of names, a directory before
 * its contents. A directory in which something changed counts as modified. Shares the event loop.
 */
export async function overlayChanges(upper: string, lowers: readonly string[]): Promise<Change[]> {
  using root = Directory.open(upper);
  using below = new LowerLayers(lowers);
  const pacer = new Pacer();
  const changes: Change[] = [];
  for (const { parent, name, path, stat } of walkTree(root)) {
    if (pacer.due) await pacer.turn();
    const existed = below.has(parseInnerPath(path));
    if (isWhiteout(stat)) {
      if (existed) changes.push({ kind: 'deleted', path });
      continue;
    }
    changes.push({ kind: existed ? 'modified' : 'added', path });
    if (!existed || !isDirectory(stat.mode) || !isOpaque(parent, name)) continue;
    using directory = parent.child(name);
    const present = new Set(directory.names());
    for (const hidden of below.names(path)) {
      if (!present.has(hidden))
        changes.push({ kind: 'deleted', path: joined({ parent: path, name: hidden }) });
    }
  }
  return changes;
}
