import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { invalid, isSystemError, messageOf } from '#/base/errors.ts';
import type { LogFormat, LogLevel } from '#/base/log.ts';
import { addressComplaint, isLoopback, type ListenAddress, parseListen } from './address.ts';
import { type AuthConfig, readAuth } from './auth.ts';
import { type CollectionConfig, readCollection } from './collection.ts';
import {
  type CacheConfig,
  type EndpointConfig,
  type LimitsConfig,
  readCaches,
  readLimits,
  readNotifications,
  readTls,
  type TlsConfig,
} from './edges.ts';
import type { Flags } from './flags.ts';
import { Section } from './section.ts';
import { readStorage, type StorageConfig } from './storage.ts';

/** Everything that can be set; docs/REGISTRY.md explains each key. Paths are absolute, times in milliseconds, sizes in bytes. */
export interface RegistryConfig {
  readonly listen: readonly ListenAddress[];
  /** Folder of all that is kept. */
  readonly data: string;
  /** How clients see this registry, if that is not what their requests' Host header says. */
  readonly url: URL | undefined;
  readonly storage: StorageConfig;
  readonly tls: TlsConfig | undefined;
  readonly auth: AuthConfig;
  readonly limits: LimitsConfig;
  readonly cache: readonly CacheConfig[];
  readonly notifications: readonly EndpointConfig[];
  readonly gc: CollectionConfig;
  /** Where /metrics is: beside the registry (only to whom it shows the catalog), at an address of its own, or nowhere. */
  readonly metrics: ListenAddress | undefined;
  readonly log: { readonly level: LogLevel; readonly format: LogFormat; readonly requests: boolean };
  /** How long requests may go on after the server was told to stop. */
  readonly drain: number;
}

/** Where the configuration is unless the command line says otherwise. */
const defaultConfigFile = '/etc/skiff/registry.json';
const maxFileSize = 1024 * 1024;
const defaultListen: ListenAddress = Object.freeze({ host: '127.0.0.1', port: 5000 });

/**
 * The configuration out of defaults, the file and the command line, frozen. Throws `invalid` with one line: the path of
 * the file, the key, what is wrong.
 */
export function loadConfig(flags: Flags): RegistryConfig {
  const path = resolve(flags.config ?? defaultConfigFile);
  const text = readText(path, { optional: flags.config === undefined });
  try {
    const json: unknown = text.trim() === '' ? {} : JSON.parse(text);
    return parseConfig(new Section(json, { key: '', folder: dirname(path) }), flags);
  } catch (error) {
    throw invalid(`cannot use the configuration ${JSON.stringify(path)}: ${messageOf(error)}`, error);
  }
}

function parseConfig(root: Section, flags: Flags): RegistryConfig {
  const listen = readListen(root, flags);
  const auth = readAuth(root);
  if (auth === undefined && !listen.every(isLoopback)) {
    throw root.refuse(
      'auth',
      'is missing, and others than this machine could push and pull; say who may ("auth": {…}), or "auth": "none" if everybody may',
    );
  }
  const data = root.path('data') ?? '/var/lib/skiff-registry';
  const storage = readStorage(root);
  const config: RegistryConfig = {
    listen,
    data: flags.data ?? data,
    url: root.url('url', ['https:', 'http:']),
    storage,
    tls: readTls(root),
    auth: auth ?? Object.freeze({ kind: 'none' }),
    // An upload to a bucket holds two parts in memory.
    limits: readLimits(root, { uploads: storage.kind === 's3' ? 64 : 256 }),
    cache: readCaches(root),
    notifications: readNotifications(root),
    gc: readCollection(root),
    metrics: readAddress(root, 'metrics'),
    log: readLog(root, flags),
    drain: root.duration('drain') ?? 30_000,
  };
  root.end();
  if (
    storage.kind === 's3' &&
    auth?.kind === 'some' &&
    auth.issue !== undefined &&
    auth.issue.keyFile === undefined
  ) {
    throw root.refuse(
      'auth.issue.keyFile',
      'is missing: all registries on one bucket sign with the same key',
    );
  }
  return Object.freeze(config);
}

function readListen(root: Section, flags: Flags): readonly ListenAddress[] {
  const texts = root.texts('listen');
  if (texts !== undefined && texts.length === 0) throw root.refuse('listen', 'names no address');
  const addresses = texts?.map((text) => parseListen(text) ?? root.fail('listen', addressComplaint(text)));
  const given = flags.listen.length > 0 ? flags.listen : addresses;
  return Object.freeze(given ?? [defaultListen]);
}

function readAddress(root: Section, name: string): ListenAddress | undefined {
  const text = root.text(name);
  return text === undefined ? undefined : (parseListen(text) ?? root.fail(name, addressComplaint(text)));
}

function readLog(root: Section, flags: Flags): RegistryConfig['log'] {
  const read = (section: Section | undefined): RegistryConfig['log'] => {
    const level = section?.choice('level', ['debug', 'info', 'warn', 'error', 'fatal']);
    return Object.freeze({
      level: flags.logLevel ?? level ?? 'info',
      format: section?.choice('format', ['text', 'json']) ?? 'json',
      requests: section?.toggle('requests', true) ?? true,
    });
  };
  return root.section('log', read) ?? read(undefined);
}

function readText(path: string, { optional }: { optional: boolean }): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > maxFileSize) throw invalid('it is larger than 1 MiB');
    return text;
  } catch (error) {
    if (optional && isSystemError(error, 'ENOENT')) return '';
    throw invalid(`cannot read the configuration ${JSON.stringify(path)}: ${messageOf(error)}`, error);
  }
}
