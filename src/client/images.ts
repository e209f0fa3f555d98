import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { ImageDeleteItem, ImageHistoryItem, ImageSummary, ImagesPruneResponse } from '#/wire/images.ts';
import type { SearchResult } from '#/wire/registry.ts';
import { type Client, segment } from './client.ts';
import { type FilterValues, filterQuery } from './containers.ts';

/** Image names keep their slashes in the path. */
const at = (name: string, action = ''): string =>
  `/images/${name.split('/').map(segment).join('/')}${action}`;

export function listImages(
  client: Client,
  { all, manifests, filters = {} }: { all?: boolean; manifests?: boolean; filters?: FilterValues } = {},
): Promise<ImageSummary[]> {
  return client.json('GET', '/images/json', { query: { all, manifests, ...filterQuery(filters) } });
}

/** The JSON of an inspect, word for word. */
export function inspectImage(
  client: Client,
  name: string,
  { platform }: { platform?: string | undefined } = {},
): Promise<string> {
  return client.text('GET', at(name, '/json'), { query: { platform } });
}

export function imageHistory(
  client: Client,
  name: string,
  { platform }: { platform?: string | undefined } = {},
): Promise<ImageHistoryItem[]> {
  return client.json('GET', at(name, '/history'), { query: { platform } });
}

export function tagImage(
  client: Client,
  source: string,
  { repo, tag }: { repo: string; tag: string },
): Promise<void> {
  return client.run('POST', at(source, '/tag'), { query: { repo, tag: tag || undefined } });
}

export function removeImage(
  client: Client,
  name: string,
  {
    force,
    keepParents,
    platforms = [],
  }: { force?: boolean; keepParents?: boolean; platforms?: readonly string[] } = {},
): Promise<ImageDeleteItem[]> {
  return client.json('DELETE', at(name), { query: { force, noprune: keepParents, platforms } });
}

export function pruneImages(client: Client, filters: FilterValues): Promise<ImagesPruneResponse> {
  return client.json('POST', '/images/prune', { query: filterQuery(filters) });
}

/** Loads images from a tar archive; answers with progress as a JSON stream. */
export function loadImages(
  client: Client,
  archive: Readable,
  { quiet, platform }: { quiet?: boolean; platform?: string | undefined } = {},
): Promise<IncomingMessage> {
  return client.send('POST', '/images/load', {
    query: { quiet: quiet === true ? '1' : '0', platform },
    headers: { 'Content-Type': 'application/x-tar' },
    body: archive,
  });
}

/** The images as a tar archive. */
export function saveImages(
  client: Client,
  names: readonly string[],
  { platform }: { platform?: string | undefined } = {},
): Promise<IncomingMessage> {
  return client.send('GET', '/images/get', { query: { names, platform } });
}

/** Where an imported file system comes from and what image it becomes. */
export interface ImportOptions {
  /** "-" for the body, else an address that the daemon fetches. */
  readonly source: string;
  readonly repository: string;
  readonly tag: string;
  readonly message: string;
  readonly changes: readonly string[];
  readonly platform: string;
}

/** Makes an image from a file system; answers with progress as a JSON stream. */
export function importImage(
  client: Client,
  options: ImportOptions,
  body?: Readable,
): Promise<IncomingMessage> {
  const { source, repository, tag, message, changes, platform } = options;
  return client.send('POST', '/images/create', {
    query: {
      fromSrc: source,
      repo: repository || undefined,
      tag: tag || undefined,
      message: message || undefined,
      changes,
      platform: platform || undefined,
    },
    ...(body !== undefined && { body, headers: { 'Content-Type': 'application/x-tar' } }),
  });
}

/** The credentials that go with a request, encoded as the header wants them. */
const withAuth = (registryAuth: string) => ({ headers: { 'X-Registry-Auth': registryAuth } });

/** What to pull. */
export interface PullOptions {
  /** Without tag and digest. */
  readonly repository: string;
  /** A tag or a digest; all tags if there is none. */
  readonly tag?: string | undefined;
  readonly platform?: string | undefined;
  readonly registryAuth: string;
}

/** Pulls an image from a registry; answers with progress as a JSON stream. */
export function pullImage(client: Client, options: PullOptions): Promise<IncomingMessage> {
  const { repository, tag, platform, registryAuth } = options;
  return client.send('POST', '/images/create', {
    query: { fromImage: repository, tag, platform: platform || undefined },
    ...withAuth(registryAuth),
  });
}

/** What to push. */
export interface PushOptions {
  /** All tags if there is none. */
  readonly tag?: string | undefined;
  /** An OCI platform as JSON: only its manifest. */
  readonly platform?: string | undefined;
  readonly registryAuth: string;
}

/** Pushes a repository to its registry; answers with progress as a JSON stream. */
export function pushImage(
  client: Client,
  repository: string,
  { tag, platform, registryAuth }: PushOptions,
): Promise<IncomingMessage> {
  return client.send('POST', at(repository, '/push'), {
    query: { tag, platform },
    ...withAuth(registryAuth),
  });
}

/** Searches a registry, Docker Hub if `term` names none. */
export function searchImages(
  client: Client,
  term: string,
  { limit, filters, registryAuth }: { limit: number; filters: FilterValues; registryAuth: string },
): Promise<SearchResult[]> {
  return client.json('GET', '/images/search', {
    query: { term, limit: limit > 0 ? limit : undefined, ...filterQuery(filters) },
    ...withAuth(registryAuth),
  });
}
