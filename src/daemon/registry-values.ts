import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { invalid } from '#/base/errors.ts';
import { parseReference } from '#/oci/reference.ts';
import { entriesOf, int, scalar, type ValueKind } from './values.ts';

/** How another registry is reached: elsewhere first, and under other names. */
interface RegistryRoute {
  /** URLs, tried in this order before the registry itself. */
  readonly mirrors: readonly string[];
  /** The first whose pattern matches the path of a repository changes it, on the registry and on its mirrors. */
  readonly rewrites: readonly { readonly from: RegExp; readonly to: string }[];
  /** Other hosts, with or without port, that may give out tokens for it. */
  readonly realms: readonly string[];
}

/** Routes by the registry's host (with its port), as image names have it. */
export type RegistryRoutes = Readonly<Record<string, RegistryRoute>>;

const maxRewrites = 100;
const hostPattern = /^(?:[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])(?::\d{1,5})?$/;
const maxPattern = 500;

/** The URL of a mirror. */
export const mirror: ValueKind<string> = scalar('string', { parse: parseMirror, json: 'string' });

/** `host`, `host:port` or a range of addresses. */
export const insecureRegistry: ValueKind<string> = scalar('string', {
  parse: (value) => {
    const text = value.replace(/^https?:\/\//, '');
    if (isCidr(text)) return text;
    if (!hostPattern.test(text)) {
      throw invalid(`insecure registry ${value} is not valid; it is HOST, HOST:PORT or a CIDR`);
    }
    return text;
  },
  json: 'string',
});

/** An absolute path. */
export const directory: ValueKind<string> = scalar('string', {
  parse: (value) => {
    if (!isAbsolute(value)) throw invalid(`"${value}" is not an absolute path`);
    return value;
  },
  json: 'string',
});

/** The URL of a proxy; its user and password are never shown. */
export const proxy: ValueKind<string> = scalar('string', {
  parse: (value) => value,
  json: 'string',
  show: maskedUrl,
});

/** A number of at least 0. `what` names it in the message. */
export function count(what: string): ValueKind<number> {
  const check = (value: number): number => {
    if (value < 0) throw invalid(`invalid ${what}: ${value}`);
    return value;
  };
  return {
    ...int,
    fromFlag: (text, before) => check(int.fromFlag(text, before)),
    fromJson: (value) => check(int.fromJson(value)),
  };
}

/** `{"HOST": {"mirrors": ["https://…"], "rewrites": [{"from": "^library/(.*)$", "to": "hub/$1"}], "realms": ["auth.example"]}}`. */
export const registryRoutes: ValueKind<RegistryRoutes> = {
  name: 'registries',
  fromFlag: () => {
    throw invalid('registries can only be described in daemon.json');
  },
  fromJson: (value) =>
    Object.fromEntries(
      entriesOf(value, 'object of registries').map(([host, route]) => [host, routeOf(host, route)]),
    ),
  show: (value) => `[${Object.keys(value).join(' ')}]`,
};

/** The URL with what could be a password taken out, as Docker does. */
export function maskedUrl(url: string): string {
  return url.replace(/^([a-z][a-z0-9+.-]*:\/\/)?[^/@]*@/i, '$1xxxxx:xxxxx@');
}

function isCidr(text: string): boolean {
  const [address = '', prefix = '', ...rest] = text.split('/');
  const family = isIP(address);
  return (
    family !== 0 &&
    rest.length === 0 &&
    /^\d{1,3}$/.test(prefix) &&
    Number(prefix) <= (family === 4 ? 32 : 128)
  );
}

function routeOf(host: string, value: unknown): RegistryRoute {
  if (parseReference(`${host}/x`).domain !== host)
    throw invalid(`${JSON.stringify(host)} is not the host of a registry`);
  const entries = entriesOf(value, 'object of registries with mirrors, rewrites and realms');
  const unknown = entries.find(([key]) => !['mirrors', 'rewrites', 'realms'].includes(key));
  if (unknown !== undefined)
    throw invalid(
      `unknown key ${JSON.stringify(unknown[0])} of ${host}; there are mirrors, rewrites and realms`,
    );
  const { mirrors = [], rewrites = [], realms = [] } = Object.fromEntries(entries);
  if (!Array.isArray(mirrors) || !Array.isArray(rewrites) || rewrites.length > maxRewrites) {
    throw invalid(`mirrors and rewrites of ${host} are lists (of at most ${maxRewrites} rewrites)`);
  }
  if (!Array.isArray(realms)) throw invalid(`realms of ${host} is a list of hosts`);
  const noHost = realms.find((realm: unknown) => typeof realm !== 'string' || !hostPattern.test(realm));
  if (noHost !== undefined) {
    throw invalid(`realms of ${host}: ${JSON.stringify(noHost)} is neither HOST nor HOST:PORT`);
  }
  return {
    mirrors: mirrors.map((url: unknown) => parseMirror(String(url))),
    rewrites: rewrites.map((rewrite: unknown) => rewriteOf(host, rewrite)),
    realms: realms.map((realm: unknown) => String(realm).toLowerCase()),
  };
}

function rewriteOf(host: string, value: unknown): { from: RegExp; to: string } {
  const { from, to } = Object.fromEntries(entriesOf(value, 'list of rewrites with from and to'));
  if (typeof from !== 'string' || typeof to !== 'string' || from.length > maxPattern) {
    throw invalid(`each rewrite of ${host} has "from", a regular expression, and "to"`);
  }
  try {
    return { from: new RegExp(from), to };
  } catch (error) {
    throw invalid(`a rewrite of ${host} has a bad regular expression ${JSON.stringify(from)}`, error);
  }
}

function parseMirror(text: string): string {
  const schemes = "must use either 'https://' or 'http://'";
  if (!/^[^:]+:\/\//.test(text)) {
    throw invalid(`invalid mirror: no scheme specified for ${JSON.stringify(text)}: ${schemes}`);
  }
  if (!URL.canParse(text)) throw invalid(`invalid mirror: ${JSON.stringify(text)} is not a valid URI`);
  const url = new URL(text);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    throw invalid(
      `invalid mirror: unsupported scheme "${url.protocol.slice(0, -1)}" in ${JSON.stringify(text)}: ${schemes}`,
    );
  }
  if (url.username !== '' || url.password !== '') {
    throw invalid(`invalid mirror: username/password not allowed in URI ${JSON.stringify(maskedUrl(text))}`);
  }
  if (url.search !== '' || url.hash !== '') {
    throw invalid(`invalid mirror: query or fragment at end of the URI ${JSON.stringify(text)}`);
  }
  return text.endsWith('/') ? text : `${text}/`;
}
