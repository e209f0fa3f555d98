import type { Credentials } from '#/distribution/credentials.ts';
import { RegistryClient } from '#/distribution/registry-client.ts';
import type { AuthConfig } from '#/wire/registry.ts';
import type { Context } from './command.ts';
import { version } from './version.ts';

/** Where certificates for registries are looked for. */
const certificateDirectories: readonly string[] = ['/etc/skiff/certs.d', '/etc/docker/certs.d'];

/**
 * A client of registries for commands that speak to them themselves, without the daemon and its settings: no mirrors, plain
 * HTTP only with this machine and with `insecure` hosts, proxies from the environment.
 */
export function openRegistryClient(
  { env }: Pick<Context, 'env'>,
  { insecure = [] }: { insecure?: readonly string[] } = {},
): RegistryClient {
  const variable = (name: string): string => env[name] || env[name.toLowerCase()] || '';
  return new RegistryClient({
    hosts: { mirrors: [], routes: {}, insecure, certificateDirectories },
    userAgent: `skiff/${version}`,
    proxies: { http: variable('HTTP_PROXY'), https: variable('HTTPS_PROXY'), no: variable('NO_PROXY') },
  });
}

/** Stored credentials as registries' clients want them. */
export function registryCredentials(auth: AuthConfig): Credentials {
  const { username, password, identitytoken, registrytoken } = auth;
  if (registrytoken) return { kind: 'registryToken', token: registrytoken };
  if (identitytoken) {
    return { kind: 'identityToken', token: identitytoken, ...(username !== undefined && { username }) };
  }
  if (username && password) return { kind: 'basic', username, password };
  return { kind: 'anonymous' };
}
