import { invalid } from '#/base/errors.ts';

/** Where a daemon listens. */
export type Endpoint =
  | { readonly kind: 'unix'; readonly path: string }
  | { readonly kind: 'tcp'; readonly host: string; readonly port: number; readonly tls?: TlsOptions };

/** How to speak TLS; the texts are PEM. */
export interface TlsOptions {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
  /** Whether the daemon must prove who it is. */
  readonly verify: boolean;
}

/** The socket that skiffd listens on by default. */
const defaultSocket = '/run/skiff/skiff.sock';
const defaultPort = 2375;
const defaultTlsPort = 2376;

/**
 * Parses `unix:///path`, `tcp://host:port` or `host:port`; an empty text is the default socket. Throws
 * `invalid bind address format: …`.
 */
export function parseEndpoint(text: string, tls?: TlsOptions): Endpoint {
  const trimmed = text.trim();
  if (trimmed === '') return { kind: 'unix', path: defaultSocket };
  const [, scheme = 'tcp', address = ''] = /^(?:([a-z]+):\/\/)?(.*)$/s.exec(trimmed) ?? [];
  if (scheme === 'unix') return { kind: 'unix', path: address === '' ? defaultSocket : address };
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]*))(?::(\d{1,5}))?\/?$/.exec(address);
  if (!['tcp', 'http', 'https'].includes(scheme) || match === null) {
    throw invalid(`invalid bind address format: ${trimmed}`);
  }
  const port = Number(match[3] ?? (tls === undefined ? defaultPort : defaultTlsPort));
  const host = match[1] ?? match[2] ?? '';
  if (port > 65_535) throw invalid(`invalid bind address format: ${trimmed}`);
  return { kind: 'tcp', host: host === '' ? 'localhost' : host, port, ...(tls !== undefined && { tls }) };
}

/** The endpoint as people write it. */
export function endpointName(endpoint: Endpoint): string {
  if (endpoint.kind === 'unix') return `unix://${endpoint.path}`;
  return `tcp://${endpoint.host.includes(':') ? `[${endpoint.host}]` : endpoint.host}:${endpoint.port}`;
}
