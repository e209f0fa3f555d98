import type {
  Volume,
  VolumeCreateRequest,
  VolumeListResponse,
  VolumesPruneResponse,
} from '#/wire/volumes.ts';
import { type Client, segment } from './client.ts';
import { type FilterValues, filterQuery } from './containers.ts';

export function listVolumes(client: Client, filters: FilterValues = {}): Promise<VolumeListResponse> {
  return client.json('GET', '/volumes', { query: filterQuery(filters) });
}

/** The JSON of an inspect, word for word. */
export function inspectVolume(client: Client, name: string): Promise<string> {
  return client.text('GET', `/volumes/${segment(name)}`);
}

export function createVolume(client: Client, request: VolumeCreateRequest): Promise<Volume> {
  return client.json('POST', '/volumes/create', { json: request });
}

export function removeVolume(
  client: Client,
  name: string,
  { force }: { force?: boolean } = {},
): Promise<void> {
  return client.run('DELETE', `/volumes/${segment(name)}`, { query: { force } });
}

export function pruneVolumes(client: Client, filters: FilterValues): Promise<VolumesPruneResponse> {
  return client.json('POST', '/volumes/prune', { query: filterQuery(filters) });
}
