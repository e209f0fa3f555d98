/** A request for people, in Docker's way: `Get "https://reg.example/v2/"`. */
export function requestName(method: string, url: URL): string {
  return `${method.charAt(0)}${method.slice(1).toLowerCase()} "${shownUrl(url)}"`;
}

/**
 * A URL for people: without user and password, and without the values of a query, which can be a signature or an upload's state.
 * What Docker shows too (scope, service, account, n, last) stays.
 */
export function shownUrl(url: URL): string {
  const shown = new URL(url);
  shown.username = '';
  shown.password = '';
  for (const name of new Set(shown.searchParams.keys())) {
    if (!harmless.has(name)) shown.searchParams.set(name, 'xxxxx');
  }
  shown.hash = '';
  return shown.href;
}

const harmless: ReadonlySet<string> = new Set([
  'scope',
  'service',
  'n',
  'last',
  'digest',
  'mount',
  'from',
  'q',
  'artifactType',
]);
