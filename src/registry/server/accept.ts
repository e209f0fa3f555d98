import { type Digest, isDigest } from '#/oci/digest.ts';
import { parseJson } from '#/oci/json.ts';
import { kindOf, maxManifestBytes } from '#/oci/manifest.ts';
import type { StoredManifest } from './metadata/metadata.ts';

/** Types of clients that take whatever there is. */
const anything = new Set(['*/*', 'application/*', 'application/json', 'text/html', 'text/plain']);

/** Tells whether an Accept header takes `mediaType`; without a header everything is taken (RFC 9110, section 12.5.1). */
export function accepts(header: string | undefined, mediaType: string): boolean {
  if (header === undefined || header.trim() === '') return true;
  return header.split(',').some((item) => {
    const [type = '', ...parameters] = item.split(';').map((part) => part.trim().toLowerCase());
    const isRefused = parameters.some((parameter) => /^q=0(?:\.0*)?$/.test(parameter));
    return !isRefused && (type === mediaType || anything.has(type));
  });
}

/** The manifest for linux/amd64 in an index; undefined if it has none, or is no index. */
export function platformChild({ mediaType, content }: StoredManifest): Digest | undefined {
  if (kindOf(mediaType) !== 'index') return undefined;
  const index = parseJson(content, { what: 'index', maxBytes: maxManifestBytes });
  const children = index.get('manifests').list(Number.POSITIVE_INFINITY, (child) => {
    const platform = child.get('platform');
    const isWanted =
      platform.isPresent &&
      platform.get('os').optional((field) => field.string()) === 'linux' &&
      platform.get('architecture').optional((field) => field.string()) === 'amd64';
    return isWanted ? child.get('digest').string() : undefined;
  });
  return children.find((digest): digest is Digest => digest !== undefined && isDigest(digest));
}
