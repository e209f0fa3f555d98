import { invalid, messageOf } from '#/base/errors.ts';
import type { Credentials } from '#/distribution/credentials.ts';
import type { AuthConfig } from '#/wire/registry.ts';
import type { Call } from '../call.ts';
import { type Decoder, map } from './json.ts';
import { authConfig, decodeSecretHeader, toCredentials } from './registry-auth.ts';

/** The server takes no longer headers than this in all. Characters of base64. */
const maxHeader = 256 * 1024;
/** More registries than anybody is logged in to. */
const maxRegistries = 1000;

/** Credentials by the host of a registry, `docker.io` for Docker Hub. */
export type RegistryCredentials = ReadonlyMap<string, Credentials>;

const none: RegistryCredentials = new Map();
const authConfigs: Decoder<Readonly<Record<string, Required<AuthConfig>>> | null> = map(
  authConfig,
  'map[string]registry.AuthConfig',
);

/**
 * Who a build wants to be for the registries that it meets, from the header `X-Registry-Config`. A header that cannot be
 * read counts as none, as for Docker; the log says so, without a word of what was in it.
 */
export function registryCredentialsOf(call: Call): RegistryCredentials {
  const header = call.request.headers['x-registry-config'];
  if (typeof header !== 'string' || header === '') return none;
  try {
    return decodeRegistryConfig(header);
  } catch (error) {
    call.log.warn('ignored a header X-Registry-Config', { reason: messageOf(error) });
    return none;
  }
}

/** A JSON object of `AuthConfig`s by registry, in base64 of either alphabet. Throws `invalid`, never with a part of it. */
export function decodeRegistryConfig(header: string): RegistryCredentials {
  // Docker's own client writes base64url, many others plain base64.
  const urlSafe = header.replaceAll('+', '-').replaceAll('/', '_');
  const configs = decodeSecretHeader(urlSafe, {
    name: 'X-Registry-Config',
    maxLength: maxHeader,
    decoder: authConfigs,
  });
  return byHost(configs ?? {});
}

/** Credentials that come as JSON, by registry. Throws `invalid`. */
export function byHost(configs: Readonly<Record<string, Required<AuthConfig>>>): RegistryCredentials {
  const entries = Object.entries(configs);
  if (entries.length > maxRegistries) throw invalid(`credentials for more than ${maxRegistries} registries`);
  const found = new Map<string, Credentials>();
  for (const [server, config] of entries) {
    const host = hostOf(server);
    // A key that is the very host counts more than an address that leads there.
    if (!found.has(host) || server === host) found.set(host, toCredentials(config));
  }
  return found;
}

/** The host in what configuration files have as a registry's name: `https://index.docker.io/v1/`, `reg.example:5000`. */
function hostOf(server: string): string {
  const host = server.replace(/^https?:\/\//, '').split('/')[0] ?? '';
  return ['', 'index.docker.io', 'registry-1.docker.io'].includes(host) ? 'docker.io' : host;
}
