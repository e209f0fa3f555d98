import { isIP } from 'node:net';
import { hostnameOf, inRange, isLoopback } from './addresses.ts';

/** The way to the world outside; an empty text means directly. */
export interface Proxies {
  readonly http: string;
  readonly https: string;
  /** Hosts that are reached directly, with commas. */
  readonly no: string;
}

/** The URL of the proxy that a request takes, or an empty text. This machine itself is always reached directly. */
export function proxyFor(url: URL, { http, https, no }: Proxies): string {
  const hostname = hostnameOf(url.host);
  if (isLoopback(hostname)) return '';
  const port = url.port === '' ? (url.protocol === 'https:' ? '443' : '80') : url.port;
  const direct = no.split(',').some((entry) => isExempt(entry.trim().toLowerCase(), hostname, port));
  return direct ? '' : url.protocol === 'https:' ? https : http;
}

/** The rules of Go's programs, thus of Docker: `*`, addresses, ranges, names with all below them, `.name` only those below, ports. */
function isExempt(entry: string, hostname: string, port: string): boolean {
  if (entry === '*') return true;
  if (entry.includes('/')) return inRange(hostname, entry);
  const [, name = '', wantedPort] = /^(.*?)(?::(\d+))?$/.exec(isIP(entry) === 6 ? `[${entry}]` : entry) ?? [];
  if (name === '' || (wantedPort !== undefined && wantedPort !== port)) return false;
  const wanted = name.replace(/^\*(?=\.)/, '').replace(/^\[|\]$/g, '');
  return wanted.startsWith('.')
    ? hostname.endsWith(wanted)
    : hostname === wanted || hostname.endsWith(`.${wanted}`);
}
