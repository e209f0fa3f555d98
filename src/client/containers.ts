import type { IncomingMessage } from 'node:http';
import type { ContainerSummary } from '#/wire/container-inspect.ts';
import type {
  ContainerCreateRequest,
  ContainerCreateResponse,
  ContainersPruneResponse,
  ContainerTopResponse,
  ContainerWaitResponse,
} from '#/wire/containers.ts';
import { encodeFilters } from '#/wire/filters.ts';
import { type Client, type Hijacked, type Query, segment } from './client.ts';

/** Filter values by filter name. */
export type FilterValues = Readonly<Record<string, readonly string[]>>;

/** The `filters` parameter; absent if there are none. */
export function filterQuery(filters: FilterValues): Query {
  return Object.keys(filters).length === 0 ? {} : { filters: encodeFilters(filters) };
}

/** Which containers to list. */
export interface ListOptions {
  readonly all?: boolean;
  /** Newest first; -1 is without limit. */
  readonly limit?: number;
  readonly size?: boolean;
  readonly filters?: FilterValues;
}

const at = (id: string, action = ''): string => `/containers/${segment(id)}${action}`;

export function listContainers(client: Client, options: ListOptions = {}): Promise<ContainerSummary[]> {
  const { all, limit, size, filters = {} } = options;
  const query = {
    all,
    limit: limit !== undefined && limit > 0 ? limit : undefined,
    size,
    ...filterQuery(filters),
  };
  return client.json('GET', '/containers/json', { query });
}

/** The JSON of an inspect, word for word. */
export function inspectContainer(
  client: Client,
  id: string,
  { size }: { size?: boolean } = {},
): Promise<string> {
  return client.text('GET', at(id, '/json'), { query: { size } });
}

export function createContainer(
  client: Client,
  request: ContainerCreateRequest,
  { name, platform }: { name?: string | undefined; platform?: string | undefined } = {},
): Promise<ContainerCreateResponse> {
  const query = { name: name || undefined, platform: platform || undefined };
  return client.json('POST', '/containers/create', { query, json: request });
}

export function startContainer(
  client: Client,
  id: string,
  { detachKeys }: { detachKeys?: string } = {},
): Promise<void> {
  return client.run('POST', at(id, '/start'), { query: { detachKeys: detachKeys || undefined } });
}

/** How to stop: a signal instead of the container's own, seconds until SIGKILL. */
export interface StopOptions {
  readonly signal?: string | undefined;
  readonly timeout?: number | undefined;
}

export function stopContainer(
  client: Client,
  id: string,
  { signal, timeout }: StopOptions = {},
): Promise<void> {
  return client.run('POST', at(id, '/stop'), { query: { signal, t: timeout } });
}

export function restartContainer(
  client: Client,
  id: string,
  { signal, timeout }: StopOptions = {},
): Promise<void> {
  return client.run('POST', at(id, '/restart'), { query: { signal, t: timeout } });
}

export function killContainer(client: Client, id: string, signal: string): Promise<void> {
  return client.run('POST', at(id, '/kill'), { query: { signal: signal || undefined } });
}

export function pauseContainer(client: Client, id: string): Promise<void> {
  return client.run('POST', at(id, '/pause'));
}

export function unpauseContainer(client: Client, id: string): Promise<void> {
  return client.run('POST', at(id, '/unpause'));
}

export function renameContainer(client: Client, id: string, name: string): Promise<void> {
  return client.run('POST', at(id, '/rename'), { query: { name } });
}

export function removeContainer(
  client: Client,
  id: string,
  { force, volumes, link }: { force?: boolean; volumes?: boolean; link?: boolean } = {},
): Promise<void> {
  return client.run('DELETE', at(id), { query: { force, v: volumes, link } });
}

/** What to wait for. */
export type WaitCondition = 'not-running' | 'next-exit' | 'removed';

/**
 * Starts to wait. The outer promise settles when the daemon has taken note, so that nothing that happens afterwards is
 * missed; the inner one when the condition is met.
 */
export async function waitContainer(
  client: Client,
  id: string,
  condition?: WaitCondition,
): Promise<{ readonly result: Promise<ContainerWaitResponse> }> {
  const response = await client.send('POST', at(id, '/wait'), { query: { condition } });
  return { result: readWait(response) };
}

async function readWait(response: IncomingMessage): Promise<ContainerWaitResponse> {
  const chunks: Buffer[] = [];
  for await (const chunk of response) chunks.push(chunk as Buffer);
  // The daemon is trusted to keep to its own API.
  return JSON.parse(Buffer.concat(chunks).toString()) as ContainerWaitResponse;
}

/** Which part of the log to send. */
export interface LogsOptions {
  readonly follow?: boolean;
  readonly timestamps?: boolean;
  readonly details?: boolean;
  /** Seconds since 1970 with a fraction. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** A number of lines or "all". */
  readonly tail?: string;
}

/** The log as a stream of frames, or of bytes for a container with a terminal. */
export function containerLogs(client: Client, id: string, options: LogsOptions): Promise<IncomingMessage> {
  return client.send('GET', at(id, '/logs'), { query: { stdout: true, stderr: true, ...options } });
}

/** Which streams to attach to. */
export interface AttachOptions {
  readonly stream?: boolean;
  readonly stdin?: boolean;
  readonly stdout?: boolean;
  readonly stderr?: boolean;
  readonly logs?: boolean;
  readonly detachKeys?: string | undefined;
}

export function attachContainer(client: Client, id: string, options: AttachOptions): Promise<Hijacked> {
  return client.hijack(at(id, '/attach'), {
    query: { ...options, detachKeys: options.detachKeys || undefined },
    headers: { 'Content-Type': 'text/plain' },
  });
}

/** The size of a terminal in characters. */
export interface TerminalSize {
  readonly height: number;
  readonly width: number;
}

export function resizeContainer(client: Client, id: string, { height, width }: TerminalSize): Promise<void> {
  return client.run('POST', at(id, '/resize'), { query: { h: height, w: width } });
}

export function containerTop(client: Client, id: string, psArgs: string): Promise<ContainerTopResponse> {
  return client.json('GET', at(id, '/top'), { query: { ps_args: psArgs || undefined } });
}

/** Samples of a container's use of resources as a stream of JSON objects. */
export function containerStats(
  client: Client,
  id: string,
  { stream }: { stream: boolean },
): Promise<IncomingMessage> {
  return client.send('GET', at(id, '/stats'), { query: { stream: stream ? '1' : '0' } });
}

export function pruneContainers(client: Client, filters: FilterValues): Promise<ContainersPruneResponse> {
  return client.json('POST', '/containers/prune', { query: filterQuery(filters) });
}
