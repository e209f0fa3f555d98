import { type Digest, hexOf } from './digest.ts';
import { type JsonBounds, parseJson } from './json.ts';

/** What has become of content that was packed anew: its old digest, and how it is found now. Sizes are bytes. */
export type Moves = ReadonlyMap<Digest, { readonly digest: Digest; readonly size: number }>;

/**
 * A JSON document with the new digests wherever it has old ones: in descriptors, with their sizes, and where a digest is all of a
 * text, with its algorithm or (as in the statements of in-toto) without. One that has none keeps its bytes. Throws `invalid`,
 * `tooLarge`.
 */
export function withMoves(bytes: Buffer, moves: Moves, bounds: JsonBounds): Buffer {
  parseJson(bytes, bounds);
  const texts = new Map<string, string>();
  const sizes = new Map<string, number>();
  for (const [old, { digest, size }] of moves) {
    texts.set(old, digest).set(hexOf(old), hexOf(digest));
    sizes.set(digest, size);
  }
  let isChanged = false;
  const document: unknown = JSON.parse(bytes.toString(), (_key, value: unknown) => {
    if (typeof value === 'string') {
      const moved = texts.get(value);
      isChanged ||= moved !== undefined && moved !== value;
      return moved ?? value;
    }
    // Members come before what they are members of.
    if (!isDescriptor(value)) return value;
    const size = sizes.get(value.digest);
    return size === undefined ? value : { ...value, size };
  });
  return isChanged ? Buffer.from(JSON.stringify(document, undefined, 2)) : bytes;
}

function isDescriptor(value: unknown): value is { readonly digest: string; readonly size: unknown } {
  return (
    typeof value === 'object' &&
    value !== null &&
    'digest' in value &&
    typeof value.digest === 'string' &&
    'size' in value
  );
}
