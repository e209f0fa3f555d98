import { isDeepStrictEqual } from 'node:util';
import type { AuthConfig } from '#/wire/registry.ts';
import type { CliConfig } from '../config.ts';
import type { CredentialContext, CredentialStore } from './store.ts';
import { readStoredAuth, storedAuth } from './stored-auth.ts';

/** Credentials in the configuration file itself, where everybody who can read it can read them. */
export class FileStore implements CredentialStore {
  readonly #config: CliConfig;
  readonly #stderr: CredentialContext['stderr'];

  constructor({ config, stderr }: Pick<CredentialContext, 'config' | 'stderr'>) {
    this.#config = config;
    this.#stderr = stderr;
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
    await this.#config.updateAuths((auths) => ({ ...auths, [server]: entry }));
    if (auth.password) this.#stderr.write(unencryptedWarning(this.#config.path));
  }

  async erase(server: string): Promise<void> {
    if (!Object.hasOwn(this.#config.values.auths, server)) return;
    await this.#config.updateAuths(({ [server]: _erased, ...others }) => others);
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
