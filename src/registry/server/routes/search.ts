import type { Call } from '../call.ts';
import { unsupported } from '../errors.ts';
import type { Metadata } from '../metadata/metadata.ts';
import type { ExtraRoute } from '../server.ts';

const defaultResults = 25;
const maxResults = 100;
/** Names that one search looks at. */
const maxLooks = 200_000;
const pageSize = 1000;

/**
 * What `docker search host/term` asks for: version 1 of the registry's API, of which only this is left. Shows the
 * repositories whose names have the term in them, as far as the caller may list them; names that begin with it come first.
 */
export function searchRoutes(metadata: Metadata): readonly ExtraRoute[] {
  const version = { 'X-Docker-Registry-Version': '0.9.1', 'X-Docker-Registry-Standalone': 'true' };
  return [
    {
      path: '/v1/_ping',
      methods: { GET: (call) => Promise.resolve(call.json(true, version)) },
    },
    {
      path: '/v1/search',
      methods: { GET: async (call) => call.json(await search(metadata, call), version) },
    },
  ];
}

async function search(metadata: Metadata, call: Call): Promise<object> {
  call.require('list');
  const term = (call.query.get('q') ?? '').toLowerCase().replace(/^library\//, '');
  const limit = limitOf(call.query.get('n'));
  const found: string[] = [];
  let after: string | undefined;
  for (let looks = 0; looks < maxLooks; looks += pageSize) {
    const names = await metadata.repositories({ limit: pageSize, ...(after === undefined ? {} : { after }) });
    found.push(...names.filter((name) => name.includes(term) && call.may('list', name)));
    after = names.at(-1);
    if (names.length < pageSize || call.signal.aborted) break;
  }
  const first = found.filter((name) => name.startsWith(term));
  const rest = found.filter((name) => !name.startsWith(term));
  const shown = [...first, ...rest].slice(0, limit);
  return {
    query: term,
    num_results: shown.length,
    num_pages: 1,
    page: 1,
    page_size: limit,
    results: shown.map((name) => ({
      name,
      description: '',
      star_count: 0,
      is_official: false,
      is_automated: false,
      is_trusted: false,
    })),
  };
}

function limitOf(text: string | null): number {
  if (text === null || text === '') return defaultResults;
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1) {
    throw unsupported(`n must be a number from 1 to ${maxResults}, not ${JSON.stringify(text.slice(0, 20))}`);
  }
  return Math.min(Number(text), maxResults);
}
