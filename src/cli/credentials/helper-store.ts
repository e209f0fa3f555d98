import type { AuthConfig } from '#/wire/registry.ts';
import { isObject } from '../config-file.ts';
import { type HelperEnv, runHelper } from './helper.ts';
import type { CredentialStore } from './store.ts';
import { authConfig } from './stored-auth.ts';

/** The user's name when the secret is an identity token. */
const tokenUser = '<token>';
const notFoundMessage = 'credentials not found in native keychain';

/** Credentials in a program of the system's, such as a keychain. The file says only for which registries there are some. */
export class HelperStore implements CredentialStore {
  readonly #name: string;
  readonly #env: HelperEnv;
  readonly #file: CredentialStore;

  constructor(name: string, { env, file }: { env: HelperEnv; file: CredentialStore }) {
    this.#name = name;
    this.#env = env;
    this.#file = file;
  }

  async get(server: string): Promise<AuthConfig> {
    const { output, failure } = await this.#run('get', server);
    if (failure !== undefined && output.trim() === notFoundMessage) return {};
    this.#check('getting', { output, failure });
    const parsed: unknown = JSON.parse(output);
    const { Username, Secret } = isObject(parsed) ? parsed : {};
    if (typeof Username !== 'string' || typeof Secret !== 'string') {
      throw new Error(
        `error getting credentials: docker-credential-${this.#name} gave no Username and Secret`,
      );
    }
    return Username === tokenUser
      ? authConfig({ serveraddress: server, identitytoken: Secret })
      : authConfig({ username: Username, password: Secret, serveraddress: server });
  }

  async store(auth: AuthConfig): Promise<void> {
    const { username = '', password = '', serveraddress = '', identitytoken } = auth;
    const [Username, Secret] = identitytoken ? [tokenUser, identitytoken] : [username, password];
    const input = `${JSON.stringify({ ServerURL: serveraddress, Username, Secret })}\n`;
    this.#check('storing', await this.#run('store', input));
    await this.#file.store({ serveraddress });
  }

  async erase(server: string): Promise<void> {
    this.#check('erasing', await this.#run('erase', server));
    await this.#file.erase(server);
  }

  #run(action: string, input: string) {
    return runHelper(`docker-credential-${this.#name}`, action, { input, env: this.#env });
  }

  #check(doing: string, { output, failure }: { output: string; failure: string | undefined }): void {
    if (failure === undefined) return;
    throw new Error(`error ${doing} credentials - err: ${failure}, out: \`${output.trim()}\``);
  }
}
