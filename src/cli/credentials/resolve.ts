import type { AuthConfig } from '#/wire/registry.ts';
import { type CredentialContext, credentialStore } from './store.ts';

/** The key of Docker Hub's credentials. It has been an address since before there were other registries. */
export const hubServer = 'https://index.docker.io/v1/';

/** The key under which the credentials of a registry are kept: its host with its port, or Docker Hub's address. */
export function serverOf(domain: string): string {
  return domain === 'docker.io' || domain === 'index.docker.io' ? hubServer : domain;
}

/**
 * The credentials that the user has for a registry (the domain of a Reference, `docker.io` for Docker Hub); without
 * content if there are none. Throws an Error if the configuration or a credential helper does not work.
 */
export function credentialsFor(ctx: CredentialContext, domain: string): Promise<AuthConfig> {
  const server = serverOf(domain);
  return credentialStore(ctx, server).get(server);
}

/** The value of the header `X-Registry-Auth` for a registry. Throws as `credentialsFor` does. */
export async function registryAuth(ctx: CredentialContext, domain: string): Promise<string> {
  return encodeAuth(await credentialsFor(ctx, domain));
}

/** The value of the header `X-Registry-Config`: credentials by registry. */
export function encodeAuths(auths: Readonly<Record<string, AuthConfig>>): string {
  return encodeJson(auths);
}

/** Credentials as JSON in base64url with its padding (RFC 4648 section 5), which daemons insist on. */
export function encodeAuth(auth: AuthConfig): string {
  return encodeJson(auth);
}

function encodeJson(value: unknown): string {
  return Buffer.from(JSON.stringify(value)).toString('base64').replaceAll('+', '-').replaceAll('/', '_');
}
