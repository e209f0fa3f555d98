import { tooLarge } from '#/base/errors.ts';

/** How large an archive may become. */
interface ExpansionBound {
  /** Bytes that any archive may have. */
  readonly free: number;
  /** Beyond those: bytes for each byte of its blob. */
  readonly ratio: number;
}

/**
 * Real layers become three to ten times as large; those of empty database files a hundred times. Compressed nothing becomes a
 * thousand times as large with gzip, and a million times with zstd.
 */
const expansionBound: ExpansionBound = { free: 4 * 1024 ** 3, ratio: 200 };

/** Passes on what comes out of a blob. Throws `tooLarge` if that is more than what was read of the blob (`read`) can be good for. */
export async function* bounded(
  source: AsyncIterable<Uint8Array>,
  read: () => number,
  { free, ratio }: ExpansionBound = expansionBound,
): AsyncGenerator<Uint8Array, void, undefined> {
  let count = 0;
  for await (const chunk of source) {
    count += chunk.length;
    if (count > free + ratio * read()) {
      throw tooLarge(
        `Cannot unpack archive: ${count} bytes came out of ${read()}, more than ${ratio} times as many; it looks like a decompression bomb`,
      );
    }
    yield chunk;
  }
}
