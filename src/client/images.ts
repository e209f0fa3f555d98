import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { ImageDeleteItem, ImageHistoryItem, ImageSummary, ImagesPruneResponse } from '#/wire/images.ts';
import { type Client, segment } from './client.ts';
import { type FilterValues, filterQuery } from './containers.ts';

/** Image names keep their slashes in the path. */
const at = (name: string, action = ''): string =>
  `/images/${name.split('/').map(segment).join('/')}${action}`;

export function listImages(
  client: Client,
  { all, filters = {} }: { all?: boolean; filters?: FilterValues } = {},
): Promise<ImageSummary[]> {
  return client.json('GET', '/images/json', { query: { all, ...filterQuery(filters) } });
}

/** The JSON of an inspect, word for word. */
export function inspectImage(
  client: Client,
  name: string,
  { platform }: { platform?: string } = {},
): Promise<string> {
  return client.text('GET', at(name, '/json'), { query: { platform } });
}

export function imageHistory(
  client: Client,
  name: string,
  { platform }: { platform?: string } = {},
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
  { force, keepParents }: { force?: boolean; keepParents?: boolean } = {},
): Promise<ImageDeleteItem[]> {
  return client.json('DELETE', at(name), { query: { force, noprune: keepParents } });
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

/** Pulls an image from a registry; answers with progress as a JSON stream. */
export function pullImage(
  client: Client,
  {
    repository,
    tag,
    platform,
  }: { repository: string; tag?: string | undefined; platform?: string | undefined },
): Promise<IncomingMessage> {
  return client.send('POST', '/images/create', {
    query: { fromImage: repository, tag, platform: platform || undefined },
  });
}
