import { type ConfigDocument, isObject, readConfigFile } from './config-file.ts';

/** Addresses of proxies for containers, by daemon address or "default". */
export type ProxySettings = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What we use of `~/.docker/config.json`. */
export interface CliConfigValues {
  readonly psFormat: string;
  readonly imagesFormat: string;
  readonly networksFormat: string;
  readonly volumesFormat: string;
  readonly statsFormat: string;
  readonly detachKeys: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly proxies: ProxySettings;
  /** What is stored of logins, by registry. */
  readonly auths: Readonly<Record<string, ConfigDocument>>;
  /** The program that stores credentials: what follows `docker-credential-` in its name. */
  readonly credsStore: string;
  /** The same for certain registries. */
  readonly credHelpers: Readonly<Record<string, string>>;
}

/** Makes of what is stored of logins what is to be stored. */
export type AuthsChange = (auths: CliConfigValues['auths']) => CliConfigValues['auths'];

/** The user's configuration file; a missing one is empty. */
export class CliConfig {
  readonly path: string;
  #values: CliConfigValues | undefined;

  constructor(path: string) {
    this.path = path;
  }

  /** Throws an Error that names the file if it is not what it should be. */
  get values(): CliConfigValues {
    this.#values ??= valuesOf(readConfigFile(this.path));
    return this.#values;
  }

  /** Changes what is stored of logins and, if it is to, names their store; nothing else of the file. */
  async updateAuths(change: AuthsChange, store: { readonly credsStore?: string }): Promise<void> {
    // Loaded here, for most commands only read the file.
    const { writeConfigFile } = await import('./config-writer.ts');
    // As it is now: another command may have changed it.
    const before = readConfigFile(this.path);
    const auths = change(valuesOf(before).auths);
    await writeConfigFile(this.path, {
      ...('auths' in before ? before : { auths, ...before }),
      auths,
      ...store,
    });
    this.#values = undefined;
  }
}

function valuesOf(file: ConfigDocument): CliConfigValues {
  const text = (name: string): string => (typeof file[name] === 'string' ? file[name] : '');
  return {
    psFormat: text('psFormat'),
    imagesFormat: text('imagesFormat'),
    networksFormat: text('networksFormat'),
    volumesFormat: text('volumesFormat'),
    statsFormat: text('statsFormat'),
    detachKeys: text('detachKeys'),
    headers: strings(file['HttpHeaders']),
    proxies: Object.fromEntries(objects(file['proxies']).map(([name, value]) => [name, strings(value)])),
    auths: Object.fromEntries(objects(file['auths'])),
    credsStore: text('credsStore'),
    credHelpers: strings(file['credHelpers']),
  };
}

function objects(value: unknown): [string, ConfigDocument][] {
  if (!isObject(value)) return [];
  return Object.entries(value).filter((entry): entry is [string, ConfigDocument] => isObject(entry[1]));
}

function strings(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
