import type { Credentials } from '#/distribution/credentials.ts';
import type { RegistryClient } from '#/distribution/registry-client.ts';
import type { Context } from '../command.ts';
import { hostOf } from '../credentials/file-store.ts';
import { credentialsFor } from '../credentials/resolve.ts';
import { openRegistryClient, registryCredentials } from '../registry-client.ts';

/** Asks a registry as the user; the connections are closed at the end. */
export async function withRegistry<T>(
  ctx: Context,
  { address, insecure }: { address: string; insecure: boolean },
  work: (client: RegistryClient, asker: { domain: string; credentials: Credentials }) => Promise<T>,
): Promise<T> {
  const domain = hostOf(address);
  if (!/^[A-Za-z0-9.:[\]-]+$/.test(domain)) throw new Error(`"${address}" is not the address of a registry`);
  using client = openRegistryClient(ctx, { insecure: insecure ? [domain] : [] });
  const credentials = registryCredentials(await credentialsFor(ctx, domain));
  return await work(client, { domain, credentials });
}
