import type { IncomingMessage } from 'node:http';
import { TLSSocket } from 'node:tls';

/** What may stand in a Host header (RFC 3986, section 3.2), and so in what we answer. */
const hostGrammar = /^(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::\d{1,5})?$/;

/**
 * How the client sees this registry: `https://registry.example:5000`. `url` is what the configuration says; without it the
 * request's own Host and connection count. A proxy in front that ends TLS needs the configuration: headers like
 * X-Forwarded-Proto can come from anybody.
 */
export function originOf(request: IncomingMessage, url: URL | undefined): string {
  if (url !== undefined) return url.origin;
  const { socket, headers } = request;
  const scheme = socket instanceof TLSSocket ? 'https' : 'http';
  const host = headers.host;
  if (host !== undefined && hostGrammar.test(host)) return `${scheme}://${host}`;
  const address = socket.localAddress ?? 'localhost';
  return `${scheme}://${address.includes(':') ? `[${address}]` : address}:${socket.localPort ?? 0}`;
}
