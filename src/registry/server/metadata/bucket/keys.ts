import { algorithmOf, type Digest, hexOf, parseDigest } from '#/oci/digest.ts';

/** `sha256/<digits>`: a digest as part of a key. */
export function digestPath(digest: Digest): string {
  return `${algorithmOf(digest)}/${hexOf(digest)}`;
}

/** The digest that a key ends with. */
export function digestAtEnd(key: string): Digest {
  return parseDigest(key.split('/').slice(-2).join(':'));
}

/** Everything of a repository; no component of a name begins with an underscore. */
export function repositoryKey(
  repository: string,
  kind: '_links' | '_manifests' | '_leases' | '_tags' | '_referrers' | '_uses',
): string {
  return `repos/${repository}/${kind}/`;
}

/** That the repository has the blob: its bytes. Empty: it had. */
export function linkKey(repository: string, digest: Digest): string {
  return `${repositoryKey(repository, '_links')}${digestPath(digest)}`;
}

/** Where the blob is linked. */
export function holderKey(digest: Digest, repository: string): string {
  return `holders/${digestPath(digest)}/${encodeName(repository)}`;
}

/** The manifest. Empty: it was deleted. */
export function manifestKey(repository: string, digest: Digest): string {
  return `${repositoryKey(repository, '_manifests')}${digestPath(digest)}`;
}

/** Was written when somebody who may push last looked at the manifest. */
export function leaseKey(repository: string, manifest: Digest): string {
  return `${repositoryKey(repository, '_leases')}${digestPath(manifest)}`;
}

/** What the tag points to. */
export function tagKey(repository: string, tag: string): string {
  return `${repositoryKey(repository, '_tags')}${tag}`;
}

/** One of those that refer to `subject`. */
export function referrerKey(repository: string, subject: Digest, manifest: Digest): string {
  return `${repositoryKey(repository, '_referrers')}${digestPath(subject)}/${digestPath(manifest)}`;
}

/** That a manifest of the repository needs the blob. */
export function useKey(repository: string, blob: Digest, manifest: Digest): string {
  return `${repositoryKey(repository, '_uses')}${digestPath(blob)}/${digestPath(manifest)}`;
}

/** That there is such a repository. */
export function nameKey(repository: string): string {
  return `names/${encodeName(repository)}`;
}

const encoded: Readonly<Record<string, string>> = { '-': ',', '.': '-', '/': '.' };
const decoded: Readonly<Record<string, string>> = { ',': '-', '-': '.', '.': '/' };

/**
 * A name of a repository as one component of a key, so that services which keep objects as files need not have a file and a
 * folder of one name. The order of encoded names is that of the names: `,`, `-` and `.` follow each other as `-`, `.` and
 * `/` do.
 */
export function encodeName(repository: string): string {
  return repository.replace(/[-./]/g, (char) => encoded[char] ?? char);
}

/** The name that `encodeName` encoded. */
export function decodeName(text: string): string {
  return text.replace(/[,.-]/g, (char) => decoded[char] ?? char);
}
