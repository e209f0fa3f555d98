import { readFileSync } from 'node:fs';
import { messageOf } from '#/base/errors.ts';
import { isRepository } from '../names.ts';
import type { Section } from './section.ts';

/** The key `tls`. */
export interface TlsConfig {
  readonly cert: string;
  readonly key: string;
  /** Authority of clients' certificates; then each client must have one. */
  readonly clientCa: string | undefined;
  readonly minVersion: 'TLSv1.2' | 'TLSv1.3';
}

/** The key `limits`. Sizes in bytes, times in milliseconds, undefined for none. */
export interface LimitsConfig {
  /** Requests of one client (user, or address while it is unknown) per second, and how many at once. */
  readonly requests: { readonly perSecond: number; readonly burst: number } | undefined;
  readonly uploads: number;
  readonly blob: number | undefined;
  readonly manifest: number;
  readonly repository: number | undefined;
  readonly headerTimeout: number;
  /** For how long a request or an answer may stand still. */
  readonly idleTimeout: number;
}

/** One member of the key `cache`: an upstream whose repositories appear below a prefix. */
export interface CacheConfig {
  /** Of our repositories' names, without the slash; empty: whatever no other cache and no local repository has. */
  readonly prefix: string;
  /** Of the registry. */
  readonly upstream: URL;
  readonly credentials: { readonly username: string; readonly password: string } | undefined;
  /** Milliseconds after which a tag is compared with the upstream's. */
  readonly ttl: number;
  /** Bytes of blobs; beyond them what was least recently used goes. */
  readonly quota: number | undefined;
  /** Folder like Docker's `certs.d`. */
  readonly certificates: string | undefined;
}

/** One member of the key `notifications`. */
export interface EndpointConfig {
  readonly name: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeout: number;
  /** How many events wait at most; the oldest go first. */
  readonly queue: number;
  /** Actions that are not told. */
  readonly ignore: readonly string[];
}

const mebibyte = 1024 * 1024;

/** Reads the key `tls`. */
export function readTls(root: Section): TlsConfig | undefined {
  return root.section('tls', (section) =>
    Object.freeze({
      cert: section.requiredPath('cert'),
      key: section.requiredPath('key'),
      clientCa: section.path('clientCa'),
      minVersion: section.choice('minVersion', ['TLSv1.2', 'TLSv1.3']) ?? 'TLSv1.2',
    }),
  );
}

/** Reads the key `limits`; `uploads` is the default of that limit. */
export function readLimits(root: Section, { uploads }: { uploads: number }): LimitsConfig {
  const read = (section: Section | undefined): LimitsConfig =>
    Object.freeze({
      requests: section?.section('requests', (requests) => {
        const perSecond = requests.number('perSecond', { least: 0.01, most: 1e6, whole: false });
        if (perSecond === undefined) throw requests.refuse('perSecond', 'is missing');
        const burst = requests.number('burst', { least: 1, most: 1e6 });
        return Object.freeze({ perSecond, burst: burst ?? Math.max(1, Math.ceil(perSecond * 4)) });
      }),
      uploads: section?.number('uploads', { least: 1, most: 100_000 }) ?? uploads,
      blob: section?.bytes('blob'),
      manifest: section?.bytes('manifest') ?? 4 * mebibyte,
      repository: section?.bytes('repository'),
      headerTimeout: section?.duration('headerTimeout') ?? 20_000,
      idleTimeout: section?.duration('idleTimeout') ?? 120_000,
    });
  return root.section('limits', read) ?? read(undefined);
}

/** Reads the key `cache`. */
export function readCaches(root: Section): readonly CacheConfig[] {
  const seen = new Set<string>();
  return root.sections('cache', (section) => {
    const prefix = section.text('prefix') ?? '';
    if (prefix !== '' && !isRepository(prefix)) {
      throw section.refuse('prefix', `${JSON.stringify(prefix)} cannot begin the name of a repository`);
    }
    if (seen.has(prefix))
      throw section.refuse('prefix', `another cache has ${JSON.stringify(prefix)} already`);
    seen.add(prefix);
    const upstream = section.url('upstream', ['https:', 'http:']);
    if (upstream === undefined) throw section.refuse('upstream', 'is missing');
    if (upstream.pathname !== '/') throw section.refuse('upstream', 'must be a registry, without a path');
    const username = section.text('username');
    const password = readSecret(section, 'password');
    if ((username === undefined) !== (password === undefined)) {
      throw section.refuse('username', 'goes with password or passwordFile');
    }
    return Object.freeze({
      prefix,
      upstream,
      credentials:
        username === undefined || password === undefined ? undefined : Object.freeze({ username, password }),
      ttl: section.duration('ttl') ?? 5 * 60_000,
      quota: section.bytes('quota'),
      certificates: section.path('certificates'),
    });
  });
}

/** Reads the key `notifications`. */
export function readNotifications(root: Section): readonly EndpointConfig[] {
  const seen = new Set<string>();
  return root.sections('notifications', (section) => {
    const name = section.requiredText('name');
    if (!/^[a-z0-9][a-z0-9_-]{0,62}$/i.test(name)) {
      throw section.refuse('name', 'must be letters, digits, "_" and "-", at most 63');
    }
    if (seen.has(name))
      throw section.refuse('name', `another endpoint is called ${JSON.stringify(name)} already`);
    seen.add(name);
    const url = section.url('url', ['https:', 'http:']);
    if (url === undefined) throw section.refuse('url', 'is missing');
    const headers = section.named('headers', (values, header) => {
      const value = values.requiredText(header);
      // The value can be a secret: it is not shown.
      if (!isHeader(header, value)) throw values.refuse(header, 'is no header of HTTP with a value in ASCII');
      return value;
    });
    return Object.freeze({
      name,
      url,
      headers: Object.freeze(Object.fromEntries(headers)),
      timeout: section.duration('timeout') ?? 10_000,
      queue: section.number('queue', { least: 1, most: 1_000_000 }) ?? 10_000,
      ignore: section.texts('ignore') ?? [],
    });
  });
}

/** The text of the key, or what is in the file that the key with `File` behind it names. */
function readSecret(section: Section, name: string): string | undefined {
  const direct = section.text(name);
  const path = section.path(`${name}File`);
  if (path === undefined) return direct;
  if (direct !== undefined) throw section.refuse(name, `say either this or ${name}File`);
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (error) {
    throw section.refuse(`${name}File`, messageOf(error));
  }
}

function isHeader(name: string, value: string): boolean {
  return /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) && /^[\x20-\x7e]*$/.test(value);
}
