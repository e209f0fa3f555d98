import { constants, fchmodSync, ftruncateSync, readSync, writeSync } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import {
  close,
  type FileStat,
  fchmodat,
  fchownat,
  mkdirat,
  mknodat,
  openat2,
  readlinkat,
  symlinkat,
  utimensat,
} from '#/kernel/at.ts';
import { lgetxattr, llistxattr, lsetxattr, makedev, reflink, seekData, seekHole } from '#/kernel/files.ts';
import { isReservedXattr } from '../archive/whiteouts.ts';
import type { Directory } from './directory.ts';
import { Pacer } from './pacer.ts';

const bufferSize = 512 * 1024;
/** For files that are read at once: nothing else happens between its filling and its emptying. */
const spare = Buffer.allocUnsafe(64 * 1024);

/** A name in an open directory. */
export interface Spot {
  readonly parent: Directory;
  readonly name: ByteString;
}

/**
 * Makes `to`, which must not exist, a copy of `from`: of a file with its content (sharing the data where the file system
 * can, keeping holes), of a directory without it. Owner, permissions, times and attributes come along.
 */
export async function copyNode(from: Spot, to: Spot, stat: FileStat): Promise<void> {
  const name = rawBytes(to.name);
  switch (stat.mode & constants.S_IFMT) {
    case constants.S_IFDIR:
      mkdirat(to.parent.fd, name, 0o700);
      break;
    case constants.S_IFLNK:
      symlinkat(readlinkat(from.parent.fd, rawBytes(from.name)), to.parent.fd, name);
      break;
    case constants.S_IFREG:
      await copyFile(from, to, stat);
      break;
    default: {
      const device = makedev(stat.rdev.major, stat.rdev.minor);
      mknodat(to.parent.fd, name, { mode: stat.mode, device });
    }
  }
  copyAttributes(from, to, stat);
}

/** Gives `to` the owner, permissions, extended attributes and times of `from`, in the order that keeps them all. */
export function copyAttributes(from: Spot, to: Spot, stat: FileStat): void {
  const name = rawBytes(to.name);
  fchownat(to.parent.fd, name, stat);
  if ((stat.mode & constants.S_IFMT) !== constants.S_IFLNK) fchmodat(to.parent.fd, name, stat.mode & 0o7777);
  const source = from.parent.pathOf(from.name);
  for (const xattr of llistxattr(source)) {
    if (isReservedXattr(xattr.toString('latin1'))) continue;
    const value = lgetxattr(source, xattr);
    if (value !== undefined) lsetxattr(to.parent.pathOf(to.name), xattr, value);
  }
  copyTimes(to, stat);
}

/** Sets the times of `to`; for directories again after their contents were made. */
export function copyTimes(to: Spot, { atime, mtime }: FileStat): void {
  utimensat(to.parent.fd, rawBytes(to.name), { atime, mtime });
}

async function copyFile(from: Spot, to: Spot, stat: FileStat): Promise<void> {
  const input = openat2(from.parent.fd, rawBytes(from.name), {
    flags: constants.O_RDONLY | constants.O_NOFOLLOW,
  });
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const output = openat2(to.parent.fd, rawBytes(to.name), { flags, mode: 0o600 });
    try {
      fchmodSync(output, 0o600);
      await copyContent(input, output, stat);
    } finally {
      close(output);
    }
  } finally {
    close(input);
  }
}

/** Smaller files are copied sooner than they are shared. Bytes. */
const leastShared = 64 * 1024;

/**
 * Copies the content of an open file, of which `stat` tells the size, to a new empty one: shares the data where the file
 * system can, and keeps holes.
 */
export async function copyContent(
  input: number,
  output: number,
  { size, blocks }: Pick<FileStat, 'size' | 'blocks'>,
): Promise<void> {
  if (size >= leastShared && reflink(output, input)) return;
  const pacer = new Pacer();
  const buffer = size <= spare.length ? spare : Buffer.allocUnsafe(Math.min(bufferSize, size));
  for (const run of blocks * 512 < size ? dataRuns(input, size) : [{ offset: 0, length: size }]) {
    for (let done = 0; done < run.length; ) {
      const wanted = Math.min(buffer.length, run.length - done);
      const got = readSync(input, buffer, 0, wanted, run.offset + done);
      if (got === 0) break;
      for (let put = 0; put < got; ) {
        put += writeSync(output, buffer, put, got - put, run.offset + done + put);
      }
      done += got;
      if (pacer.due) await pacer.turn();
    }
  }
  if (blocks * 512 < size) ftruncateSync(output, size);
}

/** The stretches of an open file, of `size` bytes, that are not holes. */
export function* dataRuns(fd: number, size: number): Generator<{ offset: number; length: number }, void> {
  for (let offset = 0; offset < size; ) {
    const start = seekData(fd, offset);
    if (start === undefined || start >= size) return;
    const end = Math.min(seekHole(fd, start) ?? size, size);
    if (end <= start) return;
    yield { offset: start, length: end - start };
    offset = end;
  }
}
