import { constants } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { invalid } from '#/base/errors.ts';
import { type FileStat, readlinkat } from '#/kernel/at.ts';
import type { Spot } from '../tree/copy-node.ts';
import type { Directory } from '../tree/directory.ts';
import { openForReading } from '../tree/open-file.ts';
import { isDirectory, maxDepth, statIfThere } from '../tree/walk-tree.ts';
import { xattrsOf } from '../tree/xattrs.ts';
import type { PackItem } from './pack-source.ts';

/** Two directories of the same path; there is no `before` below what is new. */
interface Pair {
  readonly now: Directory;
  readonly before: Directory | undefined;
  /** Empty, or with a slash at its end. */
  readonly prefix: ByteString;
  /** Levels above. */
  readonly depth: number;
}

/**
 * What `now` has other than `before`: new and changed files, directories in which something changed, and what is gone; in
 * the order of names, a directory before its contents. Files that look the same are read: programs set times back, and
 * directories change places. Returns whether there was any difference.
 */
export function* treeDifferences({
  now,
  before,
  prefix,
  depth,
}: Pair): Generator<PackItem, boolean, undefined> {
  if (depth >= maxDepth) throw invalid(`Directory tree is deeper than ${maxDepth} levels`);
  const names = new Set([...now.names(), ...(before?.names() ?? [])]);
  let any = false;
  for (const name of [...names].sort()) {
    const stat = statIfThere(now, name);
    const old = before === undefined ? undefined : statIfThere(before, name);
    if (stat === undefined) {
      if (old === undefined) continue;
      any = true;
      yield { kind: 'gone', parent: prefix, name };
      continue;
    }
    const there: PackItem = { kind: 'there', entry: { parent: now, name, path: prefix + name, stat } };
    const same =
      before !== undefined &&
      old !== undefined &&
      looksTheSame(stat, old) &&
      isSame({ parent: now, name }, { parent: before, name }, stat);
    if (!same) yield there;
    any ||= !same;
    if (!isDirectory(stat.mode)) continue;
    using inner = now.child(name);
    using below =
      before !== undefined && old !== undefined && isDirectory(old.mode) ? before.child(name) : undefined;
    const contents = treeDifferences({
      now: inner,
      before: below,
      prefix: `${prefix}${name}/`,
      depth: depth + 1,
    });
    // The directory comes first, if anything in it comes.
    const first = contents.next();
    if (first.done === true) continue;
    any = true;
    if (same) yield there;
    yield first.value;
    yield* contents;
  }
  return any;
}

function looksTheSame(stat: FileStat, old: FileStat): boolean {
  return (
    stat.mode === old.mode &&
    stat.uid === old.uid &&
    stat.gid === old.gid &&
    stat.mtime === old.mtime &&
    stat.rdev.major === old.rdev.major &&
    stat.rdev.minor === old.rdev.minor &&
    // What a directory's size says is up to the file system.
    (stat.size === old.size || isDirectory(stat.mode))
  );
}

function isSame(one: Spot, other: Spot, { mode }: FileStat): boolean {
  const [mine, theirs] = [xattrsOf(one), xattrsOf(other)];
  if (mine.size !== theirs.size) return false;
  for (const [name, value] of mine) if (theirs.get(name)?.equals(value) !== true) return false;
  const kind = mode & constants.S_IFMT;
  if (kind === constants.S_IFREG) return haveSameContent(one, other);
  return kind !== constants.S_IFLNK || targetOf(one).equals(targetOf(other));
}

function targetOf({ parent, name }: Spot): Buffer {
  return readlinkat(parent.fd, rawBytes(name));
}

const readSize = 256 * 1024;

function haveSameContent(one: Spot, other: Spot): boolean {
  using mine = openForReading(one);
  using theirs = openForReading(other);
  const [a, b] = [Buffer.allocUnsafe(readSize), Buffer.allocUnsafe(readSize)];
  for (let offset = 0; ; ) {
    const got = mine.read(a, offset);
    if (theirs.read(b, offset) !== got || a.compare(b, 0, got, 0, got) !== 0) return false;
    if (got < readSize) return true;
    offset += got;
  }
}
