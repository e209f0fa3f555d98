/**
 * How a layer says that something of the layers below is gone. In archives: files with reserved names (image-spec,
 * layer.md, "Whiteouts"). In an overlay upper directory: character devices 0/0, and an attribute on directories that
 * hide everything below (kernel, overlayfs.rst, "whiteouts and opaque directories").
 */
import { constants } from 'node:fs';
import type { ByteString } from '#/base/byte-string.ts';
import type { FileStat } from '#/kernel/at.ts';
import { lgetxattr } from '#/kernel/files.ts';
import type { Directory } from '../tree/directory.ts';

/** `.wh.NAME` hides NAME. */
export const whiteoutPrefix = '.wh.';
/** Hides everything that lower layers have in its directory. */
export const opaqueMarker = '.wh..wh..opq';
/** Other names that AUFS used for its own book-keeping begin like this; they mean nothing here. */
const metadataPrefix = '.wh..wh.';

/** The attribute of an opaque directory in an upper directory, with value "y". */
export const opaqueXattr = 'trusted.overlay.opaque';

/** What the last component of a path in a layer's archive means. */
export type WhiteoutName =
  | { readonly kind: 'none' | 'opaque' | 'ignored' }
  | { readonly kind: 'hides'; readonly name: ByteString };

/** Reads a name of a layer's archive. */
export function parseWhiteout(name: ByteString): WhiteoutName {
  if (!name.startsWith(whiteoutPrefix)) return { kind: 'none' };
  if (name === opaqueMarker) return { kind: 'opaque' };
  const hidden = name.slice(whiteoutPrefix.length);
  // ".wh." and ".wh..." would hide the directory itself, or its parent.
  if (name.startsWith(metadataPrefix) || hidden === '' || hidden === '.' || hidden === '..')
    return { kind: 'ignored' };
  return { kind: 'hides', name: hidden };
}

/** Tells whether a file of an upper directory is a whiteout. */
export function isWhiteout(stat: FileStat): boolean {
  const { major, minor } = stat.rdev;
  return (stat.mode & constants.S_IFMT) === constants.S_IFCHR && major === 0 && minor === 0;
}

/** Tells whether the directory `name` in `parent`, of an upper directory, is opaque. */
export function isOpaque(parent: Directory, name: ByteString): boolean {
  return lgetxattr(parent.pathOf(name), opaqueXattr)?.toString() === 'y';
}

/**
 * Attributes that steer overlayfs itself (redirects, metacopy, opaque…) or that only the host's security modules may
 * give out. They never come from an archive, and never go into one.
 */
export function isReservedXattr(name: ByteString): boolean {
  return /^(?:trusted|user)\.overlay\.|^security\.(?:selinux|ima|evm|apparmor|SMACK64)/.test(name);
}
