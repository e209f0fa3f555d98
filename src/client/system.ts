import type { IncomingMessage } from 'node:http';
import type { AuthConfig, AuthResponse } from '#/wire/registry.ts';
import type { DiskUsage } from '#/wire/system.ts';
import type { Client } from './client.ts';
import { type FilterValues, filterQuery } from './containers.ts';

/** The JSON of `GET /info`, word for word. */
export function systemInfo(client: Client): Promise<string> {
  return client.text('GET', '/info');
}

/** The JSON of `GET /version`, word for word. */
export function systemVersion(client: Client): Promise<string> {
  return client.text('GET', '/version');
}

/** What occupies the disk, all of it or one kind: `container`, `image`, `volume`, `build-cache`. */
export function diskUsage(client: Client, { type }: { type?: string } = {}): Promise<DiskUsage> {
  return client.json('GET', '/system/df', { query: { type } });
}

/** What happens in the daemon as a stream of JSON objects. `since` and `until` are seconds since 1970. */
export function systemEvents(
  client: Client,
  {
    since,
    until,
    filters,
  }: { since?: string | undefined; until?: string | undefined; filters: FilterValues },
): Promise<IncomingMessage> {
  return client.send('GET', '/events', { query: { since, until, ...filterQuery(filters) } });
}

/** Tries credentials at their registry, by way of the daemon. */
export function tryLogin(client: Client, auth: AuthConfig): Promise<AuthResponse> {
  return client.json('POST', '/auth', { json: auth });
}
