import { constants } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { isSystemError } from '#/base/errors.ts';
import { AT_REMOVEDIR, fstatat, mknodat, unlinkat } from '#/kernel/at.ts';
import { lsetxattr } from '#/kernel/files.ts';
import type { Spot } from '../tree/copy-node.ts';
import type { Directory } from '../tree/directory.ts';
import { isDirectory } from '../tree/walk-tree.ts';
import { isWhiteout, opaqueXattr } from './whiteouts.ts';

/**
 * What unpacking a layer does about whiteouts. They concern lower layers only, in whichever order an archive has them:
 * what the same archive brings stays (image-spec, layer.md, "Whiteouts").
 */
export interface WhiteoutPolicy {
  /** A whiteout of `spot` stands in the archive. */
  hide(spot: Spot): void;
  /** The marker that hides all that lower layers have in `directory` stands in the archive. */
  hideAllIn(directory: Directory): void;
  /** An entry of the archive is about to be removed for another one of the same name. True: a directory put in its place hides what is below. */
  isHiding(spot: Spot): boolean;
  /** A directory takes the place of something that was hiding (see `isHiding`). */
  keepHiding(spot: Spot): void;
  /** An entry of the archive now exists. */
  made(spot: Spot): void;
}

/** Whiteouts in overlay's form, in a directory that only holds the layer. */
export const overlayWhiteouts: WhiteoutPolicy = {
  hide(spot) {
    try {
      mknodat(spot.parent.fd, rawBytes(spot.name), { mode: constants.S_IFCHR, device: 0n });
    } catch (error) {
      if (!isSystemError(error, 'EEXIST')) throw error;
      // The layer brings this name itself: a file hides what is below anyway, a directory has to be told to.
      if (isDirectory(fstatat(spot.parent.fd, rawBytes(spot.name)).mode)) this.keepHiding(spot);
    }
  },
  hideAllIn(directory) {
    this.keepHiding({ parent: directory, name: '.' });
  },
  isHiding: ({ parent, name }) => isWhiteout(fstatat(parent.fd, rawBytes(name))),
  keepHiding: ({ parent, name }) => lsetxattr(parent.pathOf(name), opaqueXattr, Buffer.from('y')),
  made() {},
};

/** Whiteouts that delete, in a directory that holds a copy of the lower layers. */
export class DeletingWhiteouts implements WhiteoutPolicy {
  /** Inodes that the archive brought. Those of deleted files can return, but only through the archive. */
  readonly #made = new Set<bigint>();

  hide({ parent, name }: Spot): void {
    let stat: ReturnType<typeof fstatat>;
    try {
      stat = fstatat(parent.fd, rawBytes(name));
    } catch (error) {
      if (isSystemError(error, 'ENOENT')) return;
      throw error;
    }
    const keep = this.#made.has(stat.ino);
    if (!isDirectory(stat.mode)) {
      if (!keep) unlinkat(parent.fd, rawBytes(name));
      return;
    }
    using directory = parent.child(name);
    this.hideAllIn(directory);
    if (!keep) this.#removeIfEmpty(parent, name);
  }

  hideAllIn(directory: Directory): void {
    for (const name of directory.names()) this.hide({ parent: directory, name });
  }

  isHiding(): boolean {
    return false;
  }

  keepHiding(): void {}

  made({ parent, name }: Spot): void {
    this.#made.add(fstatat(parent.fd, rawBytes(name)).ino);
  }

  #removeIfEmpty(parent: Directory, name: ByteString): void {
    try {
      unlinkat(parent.fd, rawBytes(name), AT_REMOVEDIR);
    } catch (error) {
      // Something that the archive brought is in it.
      if (!isSystemError(error, 'ENOTEMPTY')) throw error;
    }
  }
}
