import type { ByteString } from '#/base/byte-string.ts';
import { lgetxattr, llistxattr } from '#/kernel/files.ts';
import { isReservedXattr } from '../archive/whiteouts.ts';
import type { Spot } from './copy-node.ts';

const none: ReadonlyMap<ByteString, Buffer> = new Map();

/** The extended attributes of a file that belong to it, not to the file system or the host; empty ones count as none. */
export function xattrsOf({ parent, name }: Spot): ReadonlyMap<ByteString, Buffer> {
  const path = parent.pathOf(name);
  const names = llistxattr(path);
  if (names.length === 0) return none;
  const xattrs = new Map<ByteString, Buffer>();
  for (const raw of names) {
    const xattr = raw.toString('latin1');
    const value = isReservedXattr(xattr) ? undefined : lgetxattr(path, raw);
    // No value any more: it was removed meanwhile. An empty one cannot be told from none in an archive.
    if (value !== undefined && value.length > 0) xattrs.set(xattr, value);
  }
  return xattrs;
}
