import type { AuthConfig } from '#/wire/registry.ts';
import type { Context } from '../command.ts';
import { defaultHelper } from './default-helper.ts';
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
 * The store of one registry: `credHelpers` name a program for it, `credsStore` one for all; else it is the system's or
 * the file. What DOCKER_AUTH_CONFIG holds goes before all of them.
 */
export function credentialStore(ctx: CredentialContext, server: string): CredentialStore {
  const { values } = ctx.config;
  const general = defaultHelper(values, ctx.env);
  const helper = Object.hasOwn(values.credHelpers, server) ? values.credHelpers[server] : general;
  const file = new FileStore(ctx, { credsStore: general });
  const kept = helper ? new HelperStore(helper, { env: ctx.env, file }) : file;
  const given = environmentAuths(ctx);
  return {
    get: async (wanted) => given.get(wanted) ?? kept.get(wanted),
    store: (auth) => kept.store(auth),
    erase: (unwanted) => kept.erase(unwanted),
  };
}
