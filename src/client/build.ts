import type { IncomingMessage } from 'node:http';
import type { Readable } from 'node:stream';
import type { BuildDocument, BuildPruneResponse, ContextWanted } from '#/wire/build.ts';
import type { Client, Hijacked, Query } from './client.ts';
import { type FilterValues, filterQuery, type TerminalSize } from './containers.ts';

/** A name of one client's session: a context, an agent, an output. */
export interface SessionPart {
  /** Random: whoever knows it can add to the session. */
  readonly session: string;
  readonly name: string;
}

/** Lists the files of a context, as lines of JSON; answers with those whose content is wanted. */
export async function listContext(
  client: Client,
  part: SessionPart,
  { key, lines, signal }: { key: string; lines: string; signal: AbortSignal },
): Promise<ContextWanted> {
  const answer = await client.text('POST', '/skiff/build/context', {
    query: { ...part, key },
    text: lines,
    headers: { 'Content-Type': 'application/x-ndjson' },
    signal,
  });
  // The daemon is trusted to keep to its own API.
  return JSON.parse(answer) as ContextWanted;
}

/** Sends the contents that are wanted of a context, or a context as an archive. */
export async function sendContext(
  client: Client,
  part: SessionPart,
  { kind, body, signal }: { kind: 'files' | 'archive'; body: Readable; signal: AbortSignal },
): Promise<void> {
  const answer = await client.send('POST', `/skiff/build/${kind}`, {
    query: { ...part },
    headers: { 'Content-Type': kind === 'files' ? 'application/octet-stream' : 'application/x-tar' },
    body,
    signal,
  });
  answer.resume();
}

/** Asks for a build in Skiff's own way; answers with a stream of JSON. */
export function startBuild(
  client: Client,
  document: BuildDocument,
  { signal }: { signal: AbortSignal },
): Promise<IncomingMessage> {
  return client.send('POST', '/skiff/build', { json: document, signal });
}

/** A connection that waits until the build asks for an agent or has an output. */
export function openBuildStream(
  client: Client,
  part: SessionPart,
  { signal }: { signal: AbortSignal },
): Promise<Hijacked> {
  return client.hijack('/skiff/build/stream', { query: { ...part }, signal });
}

/** Tells a build the size that our terminal has now. */
export function resizeBuildTerminal(
  client: Client,
  session: string,
  { height, width }: TerminalSize,
): Promise<void> {
  return client.run('POST', '/skiff/build/resize', { query: { session, h: height, w: width } });
}

/** Asks for a build in Docker's classic way: the context is an archive; answers with a stream of JSON. */
export function classicBuild(
  client: Client,
  query: Query,
  { body, registryConfig, signal }: { body?: Readable; registryConfig: string; signal: AbortSignal },
): Promise<IncomingMessage> {
  return client.send('POST', '/build', {
    query,
    headers: { 'Content-Type': 'application/x-tar', 'X-Registry-Config': registryConfig },
    ...(body !== undefined && { body }),
    signal,
  });
}

/** Removes cache of builds. Sizes are bytes. */
export function pruneBuildCache(
  client: Client,
  {
    all,
    filters = {},
    ...space
  }: {
    all?: boolean;
    filters?: FilterValues;
    reservedSpace?: number;
    maxUsedSpace?: number;
    minFreeSpace?: number;
  },
): Promise<BuildPruneResponse> {
  return client.json('POST', '/build/prune', {
    query: {
      all,
      'reserved-space': space.reservedSpace,
      'max-used-space': space.maxUsedSpace,
      'min-free-space': space.minFreeSpace,
      ...filterQuery(filters),
    },
  });
}

/** The directory of a cache mount as a tar archive. */
export function exportCacheMount(client: Client, id: string): Promise<IncomingMessage> {
  return client.send('GET', '/skiff/build/mounts', { query: { id } });
}

/** Makes a cache mount of such an archive. */
export async function importCacheMount(
  client: Client,
  archive: Readable,
): Promise<{ readonly ID: string; readonly Name: string }> {
  const answer = await client.send('POST', '/skiff/build/mounts', {
    headers: { 'Content-Type': 'application/x-tar' },
    body: archive,
  });
  const text = Buffer.concat((await Array.fromAsync(answer)) as Buffer[]).toString();
  // The daemon is trusted to keep to its own API.
  return JSON.parse(text) as { ID: string; Name: string };
}
