import type { ByteString } from '#/base/byte-string.ts';

/** What an archive entry is. Old and rare kinds are read as the one of these that they mean. */
export type TarEntryKind = 'file' | 'hardlink' | 'symlink' | 'char' | 'block' | 'directory' | 'fifo';

/** A stretch of a sparse file that holds data; between stretches there are zeros. Bytes. */
export interface DataRun {
  readonly offset: number;
  readonly length: number;
}

/** What an archive says about one file, whichever dialect it said it in. */
export interface TarHeader {
  readonly kind: TarEntryKind;
  /** The name as it stands in the archive, unchecked: absolute, with "..", anything but NUL. */
  readonly path: ByteString;
  /** Target of a symbolic link, or the path inside the archive that a hard link repeats; otherwise empty. */
  readonly linkPath: ByteString;
  /** Permission, set-id and sticky bits (07777). */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes of the file once unpacked, holes included; 0 for everything that is not a file. */
  readonly size: number;
  /** Last modification, nanoseconds since 1970. */
  readonly mtime: bigint;
  readonly devMajor: number;
  readonly devMinor: number;
  /** Extended attributes by full name, such as "security.capability". */
  readonly xattrs: ReadonlyMap<ByteString, Buffer>;
  /** Where the data of a sparse file is, in ascending order without overlap; absent when all of it is data. */
  readonly sparse?: readonly DataRun[];
}

/** One entry while it is the reader's current one. */
export interface TarEntry extends TarHeader {
  /**
   * The stored bytes: the whole content of a plain file, of a sparse one only its runs one after the other. Read it
   * before asking for the next entry; what is not read is skipped.
   */
  readonly body: AsyncIterable<Uint8Array>;
}

/** The header of a plain file, to be varied: owned by root, mode 0644, epoch 0. */
export function fileHeader(path: ByteString, size: number): TarHeader {
  return {
    kind: 'file',
    path,
    linkPath: '',
    mode: 0o644,
    uid: 0,
    gid: 0,
    size,
    mtime: 0n,
    devMajor: 0,
    devMinor: 0,
    xattrs: new Map(),
  };
}

/** How many bytes of an entry's content are in the archive. */
export function storedSize(header: TarHeader): number {
  if (header.kind !== 'file') return 0;
  if (header.sparse === undefined) return header.size;
  return header.sparse.reduce((sum, run) => sum + run.length, 0);
}
