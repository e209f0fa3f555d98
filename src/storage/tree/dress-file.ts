import { fchmodSync, fchownSync } from 'node:fs';
import { attributesOf, futimens, type Owner } from '#/kernel/at.ts';

/** What a file is to have beside its content. */
export interface FileDress extends Owner {
  /** 07777. */
  readonly mode: number;
  /** Nanoseconds since 1970. */
  readonly atime: bigint;
  readonly mtime: bigint;
}

/**
 * Gives a new file its owner, permissions and times. Most have the first two from their creation, and asking costs less than
 * setting; what the umask, a set-gid directory or a default ACL made of them shows too.
 */
export function dressFile(fd: number, { uid, gid, mode, atime, mtime }: FileDress): void {
  const made = attributesOf(fd);
  if (made.uid !== uid || made.gid !== gid) fchownSync(fd, uid, gid);
  // Changing the owner clears set-id bits.
  if ((made.mode & 0o7777) !== mode || (mode & 0o6000) !== 0) fchmodSync(fd, mode);
  futimens(fd, { atime, mtime });
}
