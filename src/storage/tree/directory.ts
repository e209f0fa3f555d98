import { constants, readdirSync } from 'node:fs';
import { type ByteString, rawBytes } from '#/base/byte-string.ts';
import { close, O_PATH, openat2 } from '#/kernel/at.ts';

/** An open directory: a place to name things from. It stays the same directory whatever is renamed around it. */
export class Directory implements Disposable {
  readonly fd: number;

  constructor(fd: number) {
    this.fd = fd;
  }

  /** Opens `path` as seen by this process, following links: for paths of our own making only. */
  static open(path: string): Directory {
    return new Directory(openat2(-100, path, { flags: O_PATH | constants.O_DIRECTORY }));
  }

  /** Opens the directory `name` (one component) in this one; a link is not followed: ENOTDIR. */
  child(name: ByteString): Directory {
    const flags = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;
    return new Directory(openat2(this.fd, rawBytes(name), { flags }));
  }

  /** The names in it, sorted by bytes. */
  names(): ByteString[] {
    // The kernel's link leads to exactly this directory.
    return readdirSync(`/proc/self/fd/${this.fd}`, { encoding: 'latin1' }).sort();
  }

  /** A path to `name` for calls that have no *at form. It leads to this very directory; the last component is up to the call. */
  pathOf(name: ByteString): Buffer {
    return Buffer.from(`/proc/self/fd/${this.fd}/${name}`, 'latin1');
  }

  [Symbol.dispose](): void {
    close(this.fd);
  }
}
