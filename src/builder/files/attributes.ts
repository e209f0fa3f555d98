import { constants } from 'node:fs';
import { rawBytes } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import { type FileStat, fchmodat, fchownat, type Owner, utimensat } from '#/kernel/at.ts';
import { lsetxattr } from '#/kernel/files.ts';
import type { Spot } from '#/storage/tree/copy-node.ts';
import type { FileDress } from '#/storage/tree/dress-file.ts';
import { isDirectory } from '#/storage/tree/walk-tree.ts';
import { xattrsOf } from '#/storage/tree/xattrs.ts';
import { type ModeChange, parseModeChange } from './file-mode.ts';

/** What copies are to have other than what they are copied from. */
export interface AttributeWish {
  /** `--chown`, resolved. */
  readonly owner?: Owner | undefined;
  /** `--chmod`. */
  readonly mode?: string | undefined;
  /** Access and modification time of all that is made, nanoseconds since 1970. */
  readonly time?: bigint | undefined;
}

/** Decides on the attributes of copies. */
export class AttributeRules {
  readonly #wish: AttributeWish;
  readonly #mode: ModeChange | undefined;

  /** Throws `invalid` for a mode that is none. */
  constructor(wish: AttributeWish) {
    this.#wish = wish;
    this.#mode = wish.mode === undefined ? undefined : parseModeChange(wish.mode);
  }

  /** The owner of directories that nothing is copied to. */
  get owner(): Owner {
    return this.#wish.owner ?? { uid: 0, gid: 0 };
  }

  /** The time of directories that nothing is copied to; undefined: when they were made. */
  get time(): bigint | undefined {
    return this.#wish.time;
  }

  of(stat: FileStat): FileDress {
    const { uid, gid } = this.#wish.owner ?? stat;
    const old = stat.mode & 0o7777;
    const mode = this.#mode?.(old, isDirectory(stat.mode)) ?? old;
    return { uid, gid, mode, atime: this.#wish.time ?? stat.atime, mtime: this.#wish.time ?? stat.mtime };
  }

  /** Tells whether a copy would have just the attributes of the original. */
  keeps(stat: FileStat): boolean {
    const { uid, gid, mode, mtime } = this.of(stat);
    const isLink = (stat.mode & constants.S_IFMT) === constants.S_IFLNK;
    const sameMode = isLink || mode === (stat.mode & 0o7777);
    return uid === stat.uid && gid === stat.gid && sameMode && mtime === stat.mtime;
  }
}

/** Sets owner and permissions, in the order that keeps both, and copies extended attributes from `from`. */
export function dress(
  to: Spot,
  from: Spot,
  { attributes, isLink }: { attributes: FileDress; isLink: boolean },
): void {
  const name = rawBytes(to.name);
  fchownat(to.parent.fd, name, attributes);
  if (!isLink) fchmodat(to.parent.fd, name, attributes.mode);
  copyXattrs(to, from);
}

/** Copies the extended attributes that belong to the file. */
export function copyXattrs(to: Spot, from: Spot): void {
  for (const [name, value] of xattrsOf(from)) {
    try {
      lsetxattr(to.parent.pathOf(to.name), rawBytes(name), value);
    } catch (error) {
      // The file system of the daemon's may know less of them; but a program that loses its capabilities is broken.
      if (name === 'security.capability' || !isSystemError(error, 'ENOTSUP', 'EOPNOTSUPP', 'EPERM'))
        throw error;
    }
  }
}

/** Sets the times; for directories after all else. */
export function setTimes({ parent, name }: Spot, { atime, mtime }: Pick<FileDress, 'atime' | 'mtime'>): void {
  utimensat(parent.fd, rawBytes(name), { atime, mtime });
}
