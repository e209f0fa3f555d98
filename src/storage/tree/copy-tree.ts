import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import type { FileStat } from '#/kernel/at.ts';
import { fstatat, linkat } from '#/kernel/at.ts';
import { copyAttributes, copyNode, copyTimes, type Spot } from './copy-node.ts';
import { Directory } from './directory.ts';
import { Pacer } from './pacer.ts';
import { isDirectory, walkTree } from './walk-tree.ts';

/** A directory that is being filled; its times are set when it is complete. */
interface Target {
  readonly directory: Directory;
  readonly spot: Spot;
  readonly stat: FileStat;
}

/**
 * Copies everything in the directory `from`, and its own attributes, to the empty directory `to`: hard links, holes,
 * devices, attributes and times stay what they are. Both are trees that nobody else changes. Shares the event loop.
 */
export async function copyTree(from: string, to: string): Promise<void> {
  using source = Directory.open(from);
  using top = Directory.open(to);
  const pacer = new Pacer();
  const firsts = new Map<bigint, ByteString>();
  const targets: Target[] = [];
  const finish = (depth: number): void => {
    while (targets.length > depth) {
      const done = targets.pop();
      done?.directory[Symbol.dispose]();
      if (done !== undefined) copyTimes(done.spot, done.stat);
    }
  };
  try {
    for (const { parent, name, path, stat } of walkTree(source)) {
      if (pacer.due) await pacer.turn();
      finish(path.split('/').length - 1);
      const spot = { parent: targets.at(-1)?.directory ?? top, name };
      const first = stat.nlink > 1 && !isDirectory(stat.mode) ? firsts.get(stat.ino) : undefined;
      if (first !== undefined) {
        linkat({ dirfd: top.fd, path: rawBytes(first) }, { dirfd: spot.parent.fd, path: rawBytes(name) });
        continue;
      }
      await copyNode({ parent, name }, spot, stat);
      if (isDirectory(stat.mode)) targets.push({ directory: spot.parent.child(name), spot, stat });
      else if (stat.nlink > 1) firsts.set(stat.ino, path);
    }
    finish(0);
  } finally {
    for (const target of targets) target.directory[Symbol.dispose]();
  }
  copyAttributes({ parent: source, name: '.' }, { parent: top, name: '.' }, fstatat(source.fd, ''));
}
