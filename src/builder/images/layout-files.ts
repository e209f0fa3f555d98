import { constants, fstatSync, readSync } from 'node:fs';
import { setImmediate as turn } from 'node:timers/promises';
import { internal, invalid, isKind, isSystemError, notFound, tooLarge } from '#/base/errors.ts';
import { close, openat2, RESOLVE_BENEATH, RESOLVE_NO_SYMLINKS } from '#/kernel/at.ts';
import type { Digest } from '#/oci/digest.ts';
import { maxManifestBytes } from '#/oci/manifest.ts';
import { blobPath } from '#/storage/images/archive-layout.ts';
import type { Directory } from '#/storage/tree/directory.ts';

const readSize = 256 * 1024;

/** A document of an OCI layout that a stranger has made. Throws `notFound`, `invalid` behind a link, `tooLarge`. */
export function readDocument(layout: Directory, path: string): Buffer {
  const fd = opened(layout, path);
  try {
    const { size } = fstatSync(fd);
    if (size > maxManifestBytes)
      throw tooLarge(`${path} of the layout has ${size} bytes, more than ${maxManifestBytes}`);
    const bytes = Buffer.alloc(size);
    return bytes.subarray(0, readSync(fd, bytes, 0, size, 0));
  } finally {
    close(fd);
  }
}

/** A blob of a layout, unverified. Throws `notFound`, and `invalid` behind a link or if it is too short. */
export async function* readLayoutBlob(
  layout: Directory,
  { digest, size }: { digest: Digest; size: number },
): AsyncGenerator<Buffer, void, undefined> {
  const fd = opened(layout, blobPath(digest));
  try {
    for (let at = 0; at < size; ) {
      const bytes = Buffer.allocUnsafe(Math.min(readSize, size - at));
      const got = readSync(fd, bytes, 0, bytes.length, at);
      if (got === 0) throw invalid(`blob ${digest} of the layout has less than ${size} bytes`);
      yield bytes.subarray(0, got);
      at += got;
      await turn();
    }
  } finally {
    close(fd);
  }
}

/** Bytes of a blob of a layout; undefined: there is none. */
export function sizeInLayout(layout: Directory, digest: Digest): number | undefined {
  let fd: number;
  try {
    fd = opened(layout, blobPath(digest));
  } catch (error) {
    if (isKind(error, 'notFound')) return undefined;
    throw error;
  }
  try {
    return fstatSync(fd).size;
  } finally {
    close(fd);
  }
}

/** A file of the layout, reached without a link. */
function opened(layout: Directory, path: string): number {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let fd: number;
  try {
    fd = openat2(layout.fd, path, { flags, resolve: RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS });
  } catch (error) {
    if (isSystemError(error, 'ENOENT', 'ENOTDIR'))
      throw notFound(`the OCI layout has no file ${path}`, error);
    if (isSystemError(error, 'ELOOP', 'EXDEV'))
      throw invalid(`${path} of the OCI layout is behind a link`, error);
    throw internal(`cannot read ${path} of the OCI layout`, error);
  }
  if (fstatSync(fd).isFile()) return fd;
  close(fd);
  throw invalid(`${path} of the OCI layout is not a file`);
}
