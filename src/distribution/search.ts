import { parseJson } from '#/oci/json.ts';
import { readBody } from './body.ts';
import { type HostSettings, hostsFor, hubDomain, type RegistryHost } from './hosts.ts';
import type { Route } from './route.ts';

/** One repository that a search found. */
export interface SearchResult {
  readonly name: string;
  readonly description: string;
  readonly starCount: number;
  readonly isOfficial: boolean;
}

/** Docker Hub searches under another name than it serves images. */
const hubSearch = 'https://index.docker.io/';
const maxBytes = 4 * 1024 * 1024;
const maxResults = 10_000;

/** Asks `/v1/search`, the one part of Docker's registry API 1 that is still in use. */
export async function searchRegistry({
  domain,
  term,
  limit,
  signal,
  routeTo,
  settings,
}: {
  domain: string;
  term: string;
  limit: number;
  signal: AbortSignal;
  routeTo: (hosts: () => Promise<readonly RegistryHost[]>) => Route;
  settings: HostSettings;
}): Promise<SearchResult[]> {
  const route = routeTo(async () => {
    const hosts = await hostsFor(domain, settings, { mirrors: false });
    return domain === hubDomain ? hosts.map((host) => ({ ...host, base: new URL(hubSearch) })) : hosts;
  });
  const query = new URLSearchParams({ q: term, n: String(limit) });
  return route.own(signal, async (send) => {
    const response = await send({
      method: 'GET',
      path: `v1/search?${query.toString()}`,
      headers: { 'x-docker-token': 'true' },
    });
    const document = parseJson(await readBody(response, { maxBytes }), { what: 'search result', maxBytes });
    return (
      document.get('results').optional((field) =>
        field.list(maxResults, (result) => ({
          name: result.get('name').string(),
          description: result.get('description').optional((member) => member.string()) ?? '',
          starCount: result.get('star_count').optional((member) => member.count()) ?? 0,
          isOfficial: result.get('is_official').optional((member) => member.boolean()) ?? false,
        })),
      ) ?? []
    );
  });
}
