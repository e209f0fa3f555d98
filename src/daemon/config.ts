import { readFileSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { invalid, isSystemError, messageOf, notImplemented } from '#/base/errors.ts';
import type { LogLevel } from '#/base/log.ts';
import type { CommandLine } from './flags.ts';
import { parseHost } from './hosts.ts';
import { keyOf, type Option } from './option.ts';
import { type Config, options } from './options.ts';
import { isFulfilled, unsupportedKeys } from './unsupported.ts';
import { jsonComplaint } from './values.ts';

/** Where daemon.json is unless the command line says otherwise. */
const defaultConfigFile = '/etc/skiff/daemon.json';
const maxConfigSize = 1024 * 1024;

const fields = Object.entries(options) as [keyof Config, Option<unknown>][];

/**
 * The configuration out of defaults, daemon.json and the command line. Throws `invalid` with one line that says what is
 * wrong where: an unknown key, a wrong type, the same thing in both places, values that do not go together.
 */
export function loadConfig({ given, configFile }: CommandLine): Config {
  const path = configFile ?? defaultConfigFile;
  const config = inFile(path, () => {
    const fromFile = readConfigFile(path, { optional: configFile === undefined });
    refuseConflicts(given, fromFile);
    return Object.freeze({ ...defaults(), ...fromFile, ...given });
  });
  check(config, given);
  return config;
}

/** The level that lines must have; `debug` beats the level. */
export function effectiveLogLevel({ debug, logLevel }: Config): LogLevel {
  return debug ? 'debug' : logLevel;
}

function defaults(): Config {
  return Object.fromEntries(fields.map(([field, option]) => [field, option.default])) as unknown as Config;
}

function inFile<T>(path: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw invalid(`unable to configure the daemon with file ${path}: ${messageOf(error)}`, error);
  }
}

function readConfigFile(path: string, { optional }: { optional: boolean }): Partial<Config> {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    if (optional && isSystemError(error, 'ENOENT')) return {};
    throw error;
  }
  if (content.length > maxConfigSize) throw invalid('the file is larger than 1 MiB');
  // An empty file says nothing, as for dockerd.
  if (content.trim() === '') return {};
  const parsed: unknown = JSON.parse(content);
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalid('the file must hold a JSON object');
  }
  return fromJson(flattened(Object.entries(parsed)));
}

/** The members of `proxies` are options of their own, as they are for dockerd. */
function flattened(entries: readonly [string, unknown][]): [string, unknown][] {
  const flat = entries.flatMap(([key, value]): [string, unknown][] => {
    if (key !== 'proxies') return [[key, value]];
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw invalid('the value of "proxies" must be an object');
    return Object.entries(value);
  });
  const twice = flat.find(([key], index) => flat.findIndex(([other]) => other === key) < index);
  if (twice !== undefined) throw invalid(`"${twice[0]}" is there twice, once of them in "proxies"`);
  return flat;
}

function fromJson(all: readonly [string, unknown][]): Partial<Config> {
  const entries = all.filter(([key, value]) => !isFulfilled(key, value));
  const byKey = new Map(fields.map(([field, option]) => [keyOf(option), { field, option }]));
  const unsupported = entries.map(([key]) => key).filter((key) => unsupportedKeys.has(key));
  if (unsupported.length > 0) {
    throw invalid(`the following directives are not supported by Skiff: ${unsupported.join(', ')}`);
  }
  const unknown = entries.map(([key]) => key).filter((key) => !byKey.has(key));
  if (unknown.length > 0) {
    throw invalid(`the following directives don't match any configuration option: ${unknown.join(', ')}`);
  }
  const result: Record<string, unknown> = {};
  for (const [key, value] of entries) {
    const known = byKey.get(key);
    if (known === undefined) continue;
    try {
      result[known.field] = known.option.kind.fromJson(value);
    } catch (error) {
      throw invalid(jsonComplaint(key, error), error);
    }
  }
  return result as Partial<Config>;
}

function refuseConflicts(given: Partial<Config>, fromFile: Partial<Config>): void {
  const both = fields.filter(([field]) => given[field] !== undefined && fromFile[field] !== undefined);
  if (both.length === 0) return;
  const shown = both.map(
    ([field, option]) =>
      `${keyOf(option)}: (from flag: ${option.kind.show(given[field])}, from file: ${option.kind.show(fromFile[field])})`,
  );
  throw invalid(
    `the following directives are specified both as a flag and in the configuration file: ${shown.join(', ')}`,
  );
}

/** What only all values together can tell. */
function check(config: Config, given: Partial<Config>): void {
  for (const [field, path] of [
    ['data-root', config.dataRoot],
    ['exec-root', config.execRoot],
    ['pidfile', config.pidfile],
  ]) {
    if (!isAbsolute(path ?? ''))
      throw invalid(`${field} must be an absolute path, not ${JSON.stringify(path)}`);
  }
  if (config.dataRoot === config.execRoot)
    throw invalid('data-root and exec-root must not be the same directory');
  if (config.hosts.length === 0) throw invalid('there is no host to listen on');
  for (const host of config.hosts) parseHost(host);
  if (given.tls === false && config.tlsVerify) throw invalid('tlsverify needs tls');
  if (config.shutdownTimeout < 0) throw invalid('shutdown-timeout must not be negative');
  if (config.mtu < 68) throw invalid(`invalid MTU ${config.mtu}: IPv4 needs at least 68`);
  for (const option of config.execOpts) {
    if (option === 'native.cgroupdriver=systemd')
      throw notImplemented('native.cgroupdriver=systemd is not implemented; there is cgroupfs');
    if (option !== 'native.cgroupdriver=cgroupfs')
      throw invalid(`unknown exec option ${JSON.stringify(option)}; there is native.cgroupdriver=cgroupfs`);
  }
}
