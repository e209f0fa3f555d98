import type {
  Network,
  NetworkConnectRequest,
  NetworkCreateRequest,
  NetworkCreateResponse,
  NetworkDisconnectRequest,
  NetworksPruneResponse,
} from '#/wire/networks.ts';
import { type Client, segment } from './client.ts';
import { type FilterValues, filterQuery } from './containers.ts';

const at = (id: string, action = ''): string => `/networks/${segment(id)}${action}`;

export function listNetworks(client: Client, filters: FilterValues = {}): Promise<Network[]> {
  return client.json('GET', '/networks', { query: filterQuery(filters) });
}

/** The JSON of an inspect, word for word. */
export function inspectNetwork(
  client: Client,
  id: string,
  { verbose }: { verbose?: boolean } = {},
): Promise<string> {
  return client.text('GET', at(id), { query: { verbose: verbose === true ? 'true' : undefined } });
}

export function createNetwork(client: Client, request: NetworkCreateRequest): Promise<NetworkCreateResponse> {
  return client.json('POST', '/networks/create', { json: request });
}

export function removeNetwork(client: Client, id: string): Promise<void> {
  return client.run('DELETE', at(id));
}

export function connectNetwork(client: Client, id: string, request: NetworkConnectRequest): Promise<void> {
  return client.run('POST', at(id, '/connect'), { json: request });
}

export function disconnectNetwork(
  client: Client,
  id: string,
  request: NetworkDisconnectRequest,
): Promise<void> {
  return client.run('POST', at(id, '/disconnect'), { json: request });
}

export function pruneNetworks(client: Client, filters: FilterValues): Promise<NetworksPruneResponse> {
  return client.json('POST', '/networks/prune', { query: filterQuery(filters) });
}
