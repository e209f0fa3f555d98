import { closeSync, openSync, readSync } from 'node:fs';

/** Reads a file or pipe, but at most one byte more than `maxSize`. Throws the error of the system. */
export function readBounded(path: string, maxSize: number): Buffer {
  const file = openSync(path, 'r');
  try {
    const buffer = Buffer.alloc(maxSize + 1);
    let length = 0;
    for (;;) {
      const got = readSync(file, buffer, length, buffer.length - length, null);
      length += got;
      if (got === 0 || length === buffer.length) return buffer.subarray(0, length);
    }
  } finally {
    closeSync(file);
  }
}
