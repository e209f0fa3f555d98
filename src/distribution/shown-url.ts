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
