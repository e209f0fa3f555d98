import { algorithmOf, type Digest, hexOf } from '#/oci/digest.ts';
import { formatPlatform, type Platform } from '#/oci/platform.ts';
import { familiarName, type Reference } from '#/oci/reference.ts';
import type { Attestation } from '../export/documents.ts';

/** What a statement is about. */
export interface Subject {
  readonly name: string;
  readonly digest: Digest;
}

/** A statement about subjects (in-toto attestation framework, "Statement"). */
export function statement(
  subjects: readonly Subject[],
  { type: predicateType, members: predicate }: { readonly type: string; readonly members: object },
): Attestation {
  const subject = subjects.map(({ name, digest }) => ({ name, digest: digestSet(digest) }));
  const members = { _type: 'https://in-toto.io/Statement/v0.1', predicateType, subject, predicate };
  return { predicateType, bytes: Buffer.from(JSON.stringify(members, undefined, 2)) };
}

/** An image under its names; one without is called `_`, as in BuildKit. */
export function imageSubjects(names: readonly Reference[], platform: Platform, manifest: Digest): Subject[] {
  if (names.length === 0) return [{ name: '_', digest: manifest }];
  return names.map((name) => ({ name: imageUrl(name, platform), digest: manifest }));
}

/** `pkg:docker/alpine@3.20?platform=linux%2Famd64` (purl-spec, type docker). */
export function imageUrl(name: Reference, platform: Platform | undefined): string {
  const path = familiarName(name).split('/').map(encodePart).join('/');
  const version = encodePart(name.tag ?? name.digest ?? 'latest');
  const query = platform === undefined ? '' : `?platform=${encodeURIComponent(formatPlatform(platform))}`;
  return `pkg:docker/${path}@${version}${query}`;
}

/** A part of a purl, in which colons stay. */
function encodePart(text: string): string {
  return encodeURIComponent(text).replaceAll('%3A', ':');
}

/** A digest as in-toto and SLSA write it. */
export function digestSet(digest: Digest): Readonly<Record<string, string>> {
  return { [algorithmOf(digest)]: hexOf(digest) };
}
