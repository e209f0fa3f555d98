import type { AuthConfig } from '#/wire/registry.ts';
import type { Context } from '../command.ts';
import { environmentAuths } from './environment.ts';
import { FileStore } from './file-store.ts';
import { HelperStore } from './helper-store.ts';

/**
 * Where the credentials of registries are: the configuration file or a program. `server` is the registry's key: its
 * host with a port, or Docker Hub's address.
 */
export interface CredentialStore {
  /** Credentials without content if there are none. */
  get(server: string): Promise<AuthConfig>;
  /** Keeps them under their `serveraddress`. */
  store(auth: AuthConfig): Promise<void>;
  /** Nothing happens if there are none. */
  erase(server: string): Promise<void>;
}

/** What stores need of the outside world. */
export type CredentialContext = Pick<Context, 'config' | 'env' | 'stderr'>;

/**
 * The store of one registry: `credHelpers` name a program for it, `credsStore` one for all; else it is the file. What
 * DOCKER_AUTH_CONFIG holds goes before either.
 */
export function credentialStore(ctx: CredentialContext, server: string): CredentialStore {
  const { credHelpers, credsStore } = ctx.config.values;
  const helper = Object.hasOwn(credHelpers, server) ? credHelpers[server] : credsStore;
  const file = new FileStore(ctx);
  const kept = helper ? new HelperStore(helper, { env: ctx.env, file }) : file;
  const given = environmentAuths(ctx);
  return {
    get: async (wanted) => given.get(wanted) ?? kept.get(wanted),
    store: (auth) => kept.store(auth),
    erase: (unwanted) => kept.erase(unwanted),
  };
}
