import { invalid } from '#/base/errors.ts';
import { type Digest, isDigest, parseDigest } from './digest.ts';

/**
 * The complete name of an image: `docker.io/library/busybox:latest`. What people write is shorter ("familiar"); each
 * name is made complete once, where it enters, and there is no search among registries.
 */
export interface Reference {
  /** Registry host with its port: `docker.io`, `localhost:5000`, `[fd00::1]:5000`. */
  readonly domain: string;
  /** Path of the repository at that registry: `library/busybox`. */
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: Digest | undefined;
}

const defaultDomain = 'docker.io';
const legacyDefaultDomain = 'index.docker.io';
const officialPrefix = 'library/';
/** Characters of a repository's path. */
const maxPathLength = 255;
/** More than the longest name that the grammar could accept and that any registry would serve. */
const maxTextLength = 4096;

// The grammar of github.com/distribution/reference. Its parts are joined so that they can only match in one way, hence
// in linear time.
const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const host = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[(?:[a-fA-F0-9:]+)\\])`;
const pathComponent = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const tagGrammar = '[\\w][\\w.-]{0,127}';
const digestGrammar = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';

const domainPattern = new RegExp(`^${host}(?::[0-9]+)?$`);
const pathPattern = new RegExp(`^${pathComponent}(?:/${pathComponent})*$`);
const tagPattern = new RegExp(`^${tagGrammar}$`);
const digestPattern = new RegExp(`^${digestGrammar}$`);

/**
 * The reference that `text` means, completed with the default registry but not with a tag. Throws `invalid` in the
 * words of Docker.
 */
export function parseReference(text: string): Reference {
  if (/^[a-f0-9]{64}$/.test(text)) {
    throw invalid(`invalid repository name (${text}), cannot specify 64-byte hexadecimal strings`);
  }
  if (text.length > maxTextLength) throw invalid('invalid reference format');
  const { domain, rest } = splitDomain(text);
  const remote = cut(rest, ':')[0];
  if (remote.toLowerCase() !== remote) {
    throw invalid(`invalid reference format: repository name (${remote}) must be lowercase`);
  }
  const [named, digestText] = cutLast(rest, '@');
  const [path, tag] = cut(named, ':');
  const wellFormed =
    pathPattern.test(path) &&
    (tag === undefined || tagPattern.test(tag)) &&
    (digestText === undefined || digestPattern.test(digestText));
  if (!wellFormed) throw invalid('invalid reference format');
  if (path.length > maxPathLength) throw invalid('repository name must not be more than 255 characters');
  return { domain, path, tag, digest: digestText === undefined ? undefined : parseDigest(digestText) };
}

/** What the name of an image in a request can mean: an identifier or a reference. */
export function parseAnyReference(text: string): Reference | Digest {
  if (/^[a-f0-9]{64}$/.test(text)) return parseDigest(`sha256:${text}`);
  return isDigest(text) ? text : parseReference(text);
}

/** The reference with `latest` if it has neither tag nor digest. */
export function withDefaultTag(reference: Reference): Reference {
  if (reference.tag !== undefined || reference.digest !== undefined) return reference;
  return { ...reference, tag: 'latest' };
}

/** The same repository with another tag and no digest; throws `invalid` for what cannot be a tag. */
export function withTag(reference: Reference, tag: string): Reference {
  if (!tagPattern.test(tag)) throw invalid('invalid tag format');
  return { ...reference, tag, digest: undefined };
}

/** The complete form, which is unique: `docker.io/library/busybox:latest`. */
export function canonicalString(reference: Reference): string {
  return `${canonicalName(reference)}${suffix(reference)}`;
}

/** The complete form without tag and digest: `docker.io/library/busybox`. */
export function canonicalName({ domain, path }: Reference): string {
  return `${domain}/${path}`;
}

/** The form that people read: `busybox:latest`. */
export function familiarString(reference: Reference): string {
  return `${familiarName(reference)}${suffix(reference)}`;
}

/** The form that people read, without tag and digest: `busybox`. */
export function familiarName(reference: Reference): string {
  const { domain, path } = reference;
  if (domain !== defaultDomain) return canonicalName(reference);
  const official = path.startsWith(officialPrefix) ? path.slice(officialPrefix.length) : path;
  if (!official.includes('/')) return official;
  // Without its domain, docker.io/localhost/x would mean another registry.
  return splitDomain(path).domain === defaultDomain ? path : canonicalName(reference);
}

function suffix({ tag, digest }: Reference): string {
  return `${tag === undefined ? '' : `:${tag}`}${digest === undefined ? '' : `@${digest}`}`;
}

/** Decides whether the first component is a registry, by the rules that Docker's clients have relied on for years. */
function splitDomain(text: string): { domain: string; rest: string } {
  const [first, after] = cut(text, '/');
  if (after === undefined) return { domain: defaultDomain, rest: `${officialPrefix}${text}` };
  const looksLikeHost =
    first === 'localhost' ||
    first.includes('.') ||
    first.includes(':') ||
    // A namespace cannot have capitals, so this can only be a host.
    first.toLowerCase() !== first;
  // `my_team.tools/app` is a namespace: no host has an underscore.
  const isDomain = looksLikeHost && domainPattern.test(first);
  const domain = isDomain && first !== legacyDefaultDomain ? first : defaultDomain;
  const rest = isDomain ? after : text;
  return {
    domain,
    rest: domain === defaultDomain && !rest.includes('/') ? `${officialPrefix}${rest}` : rest,
  };
}

/** `text` before and after the first `separator`. */
function cut(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}

/** `text` before and after the last `separator`. */
function cutLast(text: string, separator: string): readonly [string, string | undefined] {
  const at = text.lastIndexOf(separator);
  return at < 0 ? [text, undefined] : [text.slice(0, at), text.slice(at + separator.length)];
}
