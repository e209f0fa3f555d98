import { messageOf } from '#/base/errors.ts';

/**
 * Why a request got no answer, in the words of Docker (of Go's network library), which people look up and tools match:
 * `dial tcp 127.0.0.1:5000: connect: connection refused`.
 */
export function networkFailure(error: unknown, url: URL): string {
  const first = error instanceof AggregateError ? (firstOf(error) ?? error) : error;
  const { code = '', syscall, address, port } = first as NetworkError;
  if (syscall === 'getaddrinfo' || lookupFailures.has(code)) {
    return `dial tcp: lookup ${url.hostname}: ${lookupFailures.get(code) ?? code}`;
  }
  const words = systemWords.get(code);
  if (syscall === 'connect' || (words !== undefined && code === 'ECONNREFUSED')) {
    const host = address ?? url.hostname.replace(/^\[|\]$/g, '');
    const target = `${host.includes(':') ? `[${host}]` : host}:${port ?? portOf(url)}`;
    return code === 'ETIMEDOUT'
      ? `dial tcp ${target}: i/o timeout`
      : `dial tcp ${target}: connect: ${words ?? code}`;
  }
  if (code === 'ECONNRESET') return syscall === 'read' ? 'read: connection reset by peer' : 'EOF';
  if (code === 'EPIPE') return 'write: broken pipe';
  return tlsFailure(first, url) ?? messageOf(first);
}

/** The part of Node's errors that tells what failed. */
interface NetworkError {
  readonly code?: string;
  readonly syscall?: string;
  readonly address?: string;
  readonly port?: number;
  /** Of a certificate that is for other names. */
  readonly cert?: { readonly subjectaltname?: string };
}

const lookupFailures: ReadonlyMap<string, string> = new Map([
  ['ENOTFOUND', 'no such host'],
  ['EAI_AGAIN', 'server misbehaving'],
]);

const systemWords: ReadonlyMap<string, string> = new Map([
  ['ECONNREFUSED', 'connection refused'],
  ['ENETUNREACH', 'network is unreachable'],
  ['EHOSTUNREACH', 'no route to host'],
  ['ECONNRESET', 'connection reset by peer'],
  ['EACCES', 'permission denied'],
  ['EADDRNOTAVAIL', 'cannot assign requested address'],
]);

const unknownAuthority: ReadonlySet<string> = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

function tlsFailure(error: unknown, url: URL): string | undefined {
  const { code = '', cert } = error as NetworkError;
  // Bun writes the same with underscores and capitals.
  const message = messageOf(error).replaceAll('_', ' ');
  const bad = 'tls: failed to verify certificate: x509: certificate';
  if (unknownAuthority.has(code)) return `${bad} signed by unknown authority`;
  if (code === 'CERT_HAS_EXPIRED' || code === 'CERT_NOT_YET_VALID')
    return `${bad} has expired or is not yet valid`;
  if (code === 'ERR_TLS_CERT_ALTNAME_INVALID') {
    const names = (cert?.subjectaltname ?? '')
      .split(', ')
      .map((name) => name.replace(/^(?:DNS|IP Address):/, ''));
    return names[0] === ''
      ? `${bad} is not valid for any names, but wanted to match ${url.hostname}`
      : `${bad} is valid for ${names.join(', ')}, not ${url.hostname}`;
  }
  // What OpenSSL makes of "HTTP/1.1 400 …" where a TLS record should be.
  if (/wrong version number|packet length too long|record layer failure/i.test(message)) {
    return 'http: server gave HTTP response to HTTPS client';
  }
  const alert = /(?:tlsv[\d.]+|sslv3) alert ([a-z ]+)/i.exec(message)?.[1];
  return alert === undefined ? undefined : `remote error: tls: ${alert.trim().toLowerCase()}`;
}

/** Of the addresses of a name that were all tried, the failure of the first one of IPv4, which is the better known one. */
function firstOf({ errors }: AggregateError): unknown {
  const all = errors as readonly NetworkError[];
  return all.find(({ address }) => address?.includes(':') === false) ?? all[0];
}

function portOf(url: URL): string {
  return url.port === '' ? ({ 'https:': '443', 'http:': '80' }[url.protocol] ?? '') : url.port;
}
