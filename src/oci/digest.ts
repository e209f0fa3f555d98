import { createHash } from 'node:crypto';
import { invalid } from '#/base/errors.ts';

declare const checked: unique symbol;

/** A checked content digest such as `sha256:<64 lower-case hexadecimal digits>`; safe as a file name in `algorithm/hex` form. */
export type Digest = string & { readonly [checked]: 'digest' };

/** Hexadecimal digits by algorithm (image-spec, descriptor.md, "Registered Algorithms", and Go's digest library). */
const hexLengths: ReadonlyMap<string, number> = new Map([
  ['sha256', 64],
  ['sha384', 96],
  ['sha512', 128],
]);

const grammar = /^[a-z0-9]+(?:[.+_-][a-z0-9]+)*:[a-zA-Z0-9=_-]+$/;

/** A digest from outside; throws `invalid` with the wording of Docker. */
export function parseDigest(text: string): Digest {
  const failure = digestProblem(text);
  if (failure !== undefined) throw invalid(failure);
  return text as Digest;
}

/** Tells whether `text` is a digest that `parseDigest` accepts. */
export function isDigest(text: string): text is Digest {
  return digestProblem(text) === undefined;
}

/** The SHA-256 digest of some bytes. */
export function digestOf(bytes: Uint8Array | string): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}` as Digest;
}

/** The part before the colon: `sha256`, `sha384` or `sha512`. */
export function algorithmOf(digest: Digest): string {
  return digest.slice(0, digest.indexOf(':'));
}

/** The hexadecimal digits without the algorithm. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

function digestProblem(text: string): string | undefined {
  if (text.length > 256 || !grammar.test(text)) return 'invalid checksum digest format';
  const colon = text.indexOf(':');
  const length = hexLengths.get(text.slice(0, colon));
  if (length === undefined) return 'unsupported digest algorithm';
  const hex = text.slice(colon + 1);
  if (hex.length !== length) return 'invalid checksum digest length';
  return /^[0-9a-f]*$/.test(hex) ? undefined : 'invalid checksum digest format';
}
