/** How a stream is compressed, as far as Skiff stores it. */
export type Compression = 'none' | 'gzip' | 'zstd';

/** Compressions that archives from outside come in too, but that are never stored. */
export type ForeignCompression = 'xz' | 'bzip2';

/** Known formats by their first bytes. */
const magics: readonly (readonly [Compression | ForeignCompression, readonly number[]])[] = [
  ['gzip', [0x1f, 0x8b, 0x08]],
  ['zstd', [0x28, 0xb5, 0x2f, 0xfd]],
  ['bzip2', [0x42, 0x5a, 0x68]],
  ['xz', [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]],
];

/** Tells any of these compressions by the first bytes of a stream (6 are enough). */
export function sniffAny(start: Uint8Array): Compression | ForeignCompression {
  for (const [name, magic] of magics) if (magic.every((byte, i) => start[i] === byte)) return name;
  // A skippable frame can come first in zstd.
  const [first = 0] = start;
  if ((first & 0xf0) === 0x50 && start[1] === 0x2a && start[2] === 0x4d && start[3] === 0x18) return 'zstd';
  return 'none';
}
