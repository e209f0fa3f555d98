import { sniffAny } from './compression-kind.ts';
import { blockSize, parseHeaderBlock } from './header-block.ts';

/** Tells whether a stream that begins so (one block is enough) is a tar archive with something in it, or something compressed. */
export function isArchive(start: Uint8Array): boolean {
  if (sniffAny(start) !== 'none') return true;
  if (start.length < blockSize) return false;
  try {
    return parseHeaderBlock(Buffer.from(start.buffer, start.byteOffset, blockSize)) !== undefined;
  } catch {
    // The sum of a header is wrong: it is something else.
    return false;
  }
}
