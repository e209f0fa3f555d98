import { internal, invalid } from '#/base/errors.ts';
import { RegistryError } from '#/distribution/failures.ts';
import type { Filters } from '#/wire/filters.ts';
import type { SearchResult } from '#/wire/registry.ts';
import { booleanFilter, checkFilterNames } from '../filters.ts';
import { registryFailure } from './registry-errors.ts';

const defaultLimit = 25;
const maxLimit = 100;

/** How many results a search may ask for; 0 and undefined are Docker's 25. Throws `invalid`. */
export function searchLimit(limit: number | undefined): number {
  if (limit === undefined || limit === 0) return defaultLimit;
  if (limit < 0 || limit > maxLimit) throw invalid(`limit ${limit} is outside the range of [1, ${maxLimit}]`);
  return limit;
}

/** Tells which results the filters `is-official`, `is-automated` and `stars` (at least so many) let through. */
export function searchFilter(filters: Filters): (result: SearchResult) => boolean {
  checkFilterNames(filters, ['is-automated', 'is-official', 'stars']);
  const official = filters.has('is-official') ? booleanFilter(filters, 'is-official', false) : undefined;
  const automated = filters.has('is-automated') ? booleanFilter(filters, 'is-automated', false) : undefined;
  const stars = Math.max(0, ...(filters.get('stars') ?? []).map(readStars));
  return (result) =>
    (official === undefined || result.is_official === official) &&
    (automated === undefined || result.is_automated === automated) &&
    result.star_count >= stars;
}

/** Registries do not tell any more which images were built automatically: whoever asks for those gets none. */
export function wantsAutomated(filters: Filters): boolean {
  return filters.has('is-automated') && booleanFilter(filters, 'is-automated', false);
}

/** Docker's words for a registry that answers a search with a failure. Other errors stay what they are. */
export function searchFailure(error: unknown): unknown {
  if (!(error instanceof RegistryError)) return registryFailure(error);
  return internal(`Unexpected status code ${error.status}`, error);
}

function readStars(text: string): number {
  if (!/^[+-]?\d{1,15}$/.test(text)) {
    throw invalid(
      `invalid filter 'stars=${text}': strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`,
    );
  }
  return Number(text);
}

/** What a search term asks: a registry, if it begins with one, and what to look for there. */
export function splitTerm(term: string): { domain: string; text: string } {
  const slash = term.indexOf('/');
  const first = slash < 0 ? '' : term.slice(0, slash);
  const isHost = first === 'localhost' || first.includes('.') || first.includes(':');
  if (!isHost || first === 'docker.io' || first === 'index.docker.io') {
    const rest = isHost ? term.slice(slash + 1) : term;
    // The hub lists official images without their namespace.
    return { domain: 'docker.io', text: rest.replace(/^library\//, '') };
  }
  return { domain: first, text: term.slice(slash + 1) };
}
