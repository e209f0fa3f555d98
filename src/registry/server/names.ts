import { type Digest, isDigest } from '#/oci/digest.ts';
import { digestInvalid, nameInvalid } from './errors.ts';

/** Characters of a repository's name; clients bound the host and the name together by 255. */
const maxNameLength = 255;
/** One component of a name. It can match in one way only, hence in linear time. */
const component = /^[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*$/;
const tagGrammar = /^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}$/;

/** Tells whether `name` can be that of a repository. */
export function isRepository(name: string): boolean {
  return name.length <= maxNameLength && name.split('/').every((part) => component.test(part));
}

/** Checks the name of a repository from a request (distribution-spec, "Pulling manifests"); throws NAME_INVALID. */
export function checkRepository(name: string): string {
  if (name.length > maxNameLength) {
    throw nameInvalid(`repository name has ${name.length} characters, more than ${maxNameLength}`);
  }
  if (!isRepository(name)) {
    throw nameInvalid(
      `"${name}" is not a repository name: lower-case letters, digits, single ".", "_", "-" and "/"`,
    );
  }
  return name;
}

/** Tells whether `text` can be a tag. */
export function isTag(text: string): boolean {
  return tagGrammar.test(text);
}

/** Checks a digest from a request; throws DIGEST_INVALID. */
export function checkDigest(text: string): Digest {
  if (!isDigest(text)) {
    throw digestInvalid(
      `"${text.slice(0, 200)}" is not a digest that this registry knows (sha256, sha384, sha512)`,
      text,
    );
  }
  return text;
}

/** What follows `/manifests/`: a digest or a tag; throws DIGEST_INVALID or, for what cannot be a tag, NAME_INVALID. */
export function parseManifestReference(text: string): { digest: Digest } | { tag: string } {
  if (text.includes(':')) return { digest: checkDigest(text) };
  if (!isTag(text)) throw nameInvalid(`"${text.slice(0, 200)}" is neither a tag nor a digest`);
  return { tag: text };
}
