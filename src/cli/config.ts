import { readFileSync } from 'node:fs';
import { isSystemError } from '#/base/errors.ts';

/** Addresses of proxies for containers, by daemon address or "default". */
export type ProxySettings = Readonly<Record<string, Readonly<Record<string, string>>>>;

/** What we use of `~/.docker/config.json`. It is only ever read. */
export interface CliConfigValues {
  readonly psFormat: string;
  readonly imagesFormat: string;
  readonly networksFormat: string;
  readonly volumesFormat: string;
  readonly statsFormat: string;
  readonly detachKeys: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly proxies: ProxySettings;
}

/** The user's configuration file; a missing one is empty. */
export class CliConfig {
  readonly #path: string;
  #values: CliConfigValues | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  /** Throws an Error that names the file if it is not what it should be. */
  get values(): CliConfigValues {
    this.#values ??= readConfig(this.#path);
    return this.#values;
  }
}

function readConfig(path: string): CliConfigValues {
  let parsed: unknown = {};
  try {
    parsed = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    const missing = isSystemError(error, 'ENOENT', 'ENOTDIR');
    if (!missing)
      throw new Error(`cannot read the configuration file ${path}: ${(error as Error).message}`, {
        cause: error,
      });
  }
  const file =
    typeof parsed === 'object' && parsed !== null ? (parsed as Readonly<Record<string, unknown>>) : {};
  const text = (name: string): string => (typeof file[name] === 'string' ? file[name] : '');
  return {
    psFormat: text('psFormat'),
    imagesFormat: text('imagesFormat'),
    networksFormat: text('networksFormat'),
    volumesFormat: text('volumesFormat'),
    statsFormat: text('statsFormat'),
    detachKeys: text('detachKeys'),
    headers: strings(file['HttpHeaders']),
    proxies: Object.fromEntries(
      Object.entries(isObject(file['proxies']) ? file['proxies'] : {}).map(([name, value]) => [
        name,
        strings(value),
      ]),
    ),
  };
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function strings(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}
