/** What a path means, before it is known whether that exists. */
export type Place =
  | { readonly kind: 'base' | 'catalog' | 'none' }
  | { readonly kind: 'tags' | 'uploads'; readonly repository: string }
  | {
      readonly kind: 'manifest' | 'blob' | 'upload' | 'referrers';
      readonly repository: string;
      readonly last: string;
    };

const nowhere: Place = { kind: 'none' };

/**
 * Takes the path of the distribution API apart (distribution-spec, "Endpoints"). Names of repositories have slashes and may
 * even have a component `blobs` or `manifests`, so it is read from its end. Nothing is percent-decoded but the last part:
 * no name has a character that must be encoded, a digest's colon may be.
 */
export function placeOf(path: string): Place {
  if (path === '/v2/' || path === '/v2') return { kind: 'base' };
  if (path === '/v2/_catalog') return { kind: 'catalog' };
  if (!path.startsWith('/v2/')) return nowhere;
  const parts = path.slice('/v2/'.length).split('/');
  const last = parts.pop() ?? '';
  const noun = parts.pop() ?? '';
  if (noun === 'uploads' && parts.at(-1) === 'blobs') {
    parts.pop();
    return last === '' ? named('uploads', parts) : namedWith('upload', parts, last);
  }
  if (noun === 'blobs' && last === 'uploads') return named('uploads', parts);
  if (noun === 'tags' && last === 'list') return named('tags', parts);
  if (noun === 'manifests') return namedWith('manifest', parts, last);
  if (noun === 'blobs') return namedWith('blob', parts, last);
  if (noun === 'referrers') return namedWith('referrers', parts, last);
  return nowhere;
}

function named(kind: 'tags' | 'uploads', parts: readonly string[]): Place {
  return parts.length === 0 ? nowhere : { kind, repository: parts.join('/') };
}

function namedWith(
  kind: 'manifest' | 'blob' | 'upload' | 'referrers',
  parts: readonly string[],
  encoded: string,
): Place {
  const last = decoded(encoded);
  if (parts.length === 0 || last === undefined || last === '') return nowhere;
  return { kind, repository: parts.join('/'), last };
}

function decoded(text: string): string | undefined {
  if (!text.includes('%')) return text;
  try {
    return decodeURIComponent(text);
  } catch {
    return undefined;
  }
}
