import { isDeepStrictEqual } from 'node:util';
import type { AuthConfig } from '#/wire/registry.ts';
import type { AuthsChange, CliConfig } from '../config.ts';
import type { CredentialContext, CredentialStore } from './store.ts';
import { readStoredAuth, storedAuth } from './stored-auth.ts';

/** Credentials in the configuration file itself, where everybody who can read it can read them. */
export class FileStore implements CredentialStore {
  readonly #config: CliConfig;
  readonly #stderr: CredentialContext['stderr'];
  readonly #credsStore: string;

  /** `credsStore` is the helper that is used for all registries; the file is to say so. */
  constructor(
    { config, stderr }: Pick<CredentialContext, 'config' | 'stderr'>,
    { credsStore }: { credsStore: string },
  ) {
    this.#config = config;
    this.#stderr = stderr;
    this.#credsStore = credsStore;
  }

  async get(server: string): Promise<AuthConfig> {
    const { auths } = this.#config.values;
    // Old files have addresses where there are hosts now.
    const key = Object.hasOwn(auths, server)
      ? server
      : Object.keys(auths).find((address) => hostOf(address) === server);
    const entry = key === undefined ? undefined : auths[key];
    return key === undefined || entry === undefined ? {} : readStoredAuth(key, entry);
  }

  async store(auth: AuthConfig): Promise<void> {
    const server = auth.serveraddress ?? '';
    const entry = storedAuth(auth);
    if (isDeepStrictEqual(this.#config.values.auths[server], entry)) return;
    await this.#update((auths) => ({ ...auths, [server]: entry }));
    if (auth.password) this.#stderr.write(unencryptedWarning(this.#config.path));
  }

  async erase(server: string): Promise<void> {
    if (!Object.hasOwn(this.#config.values.auths, server)) return;
    await this.#update(({ [server]: _erased, ...others }) => others);
  }

  #update(change: AuthsChange): Promise<void> {
    const credsStore = this.#credsStore;
    return this.#config.updateAuths(change, credsStore === '' ? {} : { credsStore });
  }
}

function unencryptedWarning(path: string): string {
  return `
WARNING! Your credentials are stored unencrypted in '${path}'.
Configure a credential helper to remove this warning. See
https://docs.docker.com/go/credential-store/

`;
}

/** The host, with its port, of an address or of what begins with a host. */
export function hostOf(address: string): string {
  const host = /^[a-z][a-z0-9+.-]*:\/\/(?:[^@/?#]*@)?([^/?#]+)/i.exec(address)?.[1];
  return host ?? address.split('/', 1)[0] ?? '';
}
