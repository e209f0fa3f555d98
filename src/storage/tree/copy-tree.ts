import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import type { FileStat } from '#/kernel/at.ts';
import { fstatat, linkat } from '#/kernel/at.ts';
import { copyAttributes, copyNode, copyTimes, type Spot } from './copy-node.ts';
import { Directory } from './directory.ts';
import { Pacer } from './pacer.ts';
import { isDirectory, type TreeEntry, walkTree } from './walk-tree.ts';

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
  const firsts = new Map<bigint, ByteString>();
  await eachInto(source, top, async ({ parent, name, path, stat }, spot) => {
    const isNamedAgain = stat.nlink > 1 && !isDirectory(stat.mode);
    const first = isNamedAgain ? firsts.get(stat.ino) : undefined;
    if (first !== undefined) return link({ parent: top, name: first }, spot);
    await copyNode({ parent, name }, spot, stat);
    if (isNamedAgain) firsts.set(stat.ino, path);
  });
  copyAttributes({ parent: source, name: '.' }, { parent: top, name: '.' }, fstatat(source.fd, ''));
}

/** Two directories of one file system. */
export interface LinkTreeJob {
  readonly from: string;
  readonly to: string;
}

/**
 * Puts everything that is in the directory `from` into the empty directory `to`, whose own attributes stay: directories are made
 * alike, files get a further name each. So nobody may write to any of them in place. Throws the signal's reason.
 */
export async function linkTree(
  { from, to }: LinkTreeJob,
  { signal }: { readonly signal?: AbortSignal | undefined } = {},
): Promise<void> {
  using source = Directory.open(from);
  using top = Directory.open(to);
  const copies = new Map<bigint, ByteString>();
  await eachInto(source, top, async ({ parent, name, path, stat }, spot) => {
    signal?.throwIfAborted();
    if (isDirectory(stat.mode)) return copyNode({ parent, name }, spot, stat);
    const copy = copies.get(stat.ino);
    try {
      link(copy === undefined ? { parent, name } : { parent: top, name: copy }, spot);
    } catch (error) {
      // It has as many names as the file system can count.
      if (!isSystemError(error, 'EMLINK')) throw error;
      await copyNode({ parent, name }, spot, stat);
      copies.set(stat.ino, path);
    }
  });
}

/** Walks a tree and has each of its entries made at the same place below `top`. Directories have their times in the end. */
async function eachInto(
  source: Directory,
  top: Directory,
  make: (entry: TreeEntry, spot: Spot) => Promise<void>,
): Promise<void> {
  const pacer = new Pacer();
  const targets: Target[] = [];
  const finish = (depth: number): void => {
    while (targets.length > depth) {
      const done = targets.pop();
      done?.directory[Symbol.dispose]();
      if (done !== undefined) copyTimes(done.spot, done.stat);
    }
  };
  try {
    for (const entry of walkTree(source)) {
      if (pacer.due) await pacer.turn();
      const { name, path, stat } = entry;
      finish(path.split('/').length - 1);
      const spot = { parent: targets.at(-1)?.directory ?? top, name };
      await make(entry, spot);
      if (isDirectory(stat.mode)) targets.push({ directory: spot.parent.child(name), spot, stat });
    }
    finish(0);
  } finally {
    for (const target of targets) target.directory[Symbol.dispose]();
  }
}

function link(from: Spot, to: Spot): void {
  linkat(
    { dirfd: from.parent.fd, path: rawBytes(from.name) },
    { dirfd: to.parent.fd, path: rawBytes(to.name) },
  );
}
