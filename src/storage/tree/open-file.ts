import { constants, readSync } from 'node:fs';
import { rawBytes } from '#/base/byte-string.ts';
import { attributesOf, close, openat2 } from '#/kernel/at.ts';
import type { Spot } from './copy-node.ts';

/** A tree in use can have anything in a file's place by now: do not wait for the other end of a FIFO. */
const readFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** A file of a tree, open for reading. */
export class ReadableFile implements Disposable {
  readonly fd: number;
  /** Something else can have come into the file's place: then it counts as empty. */
  readonly isFile: boolean;

  constructor(fd: number) {
    this.fd = fd;
    this.isFile = (attributesOf(fd).mode & constants.S_IFMT) === constants.S_IFREG;
  }

  /** Fills `buffer`, or as much of it as there is from `offset` on; returns how many bytes. */
  read(buffer: Buffer, offset: number): number {
    let done = 0;
    while (this.isFile && done < buffer.length) {
      const got = readSync(this.fd, buffer, done, buffer.length - done, offset + done);
      if (got === 0) break;
      done += got;
    }
    return done;
  }

  [Symbol.dispose](): void {
    close(this.fd);
  }
}

/** Opens a file; a link is not followed. */
export function openForReading({ parent, name }: Spot): ReadableFile {
  return new ReadableFile(openat2(parent.fd, rawBytes(name), { flags: readFlags }));
}
