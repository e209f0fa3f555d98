import { isIP } from 'node:net';
import { isAbsolute } from 'node:path';
import { invalid } from '#/base/errors.ts';

/** Where to listen. */
export type Host =
  | { readonly kind: 'unix'; readonly path: string }
  /** Port 0 stands for 2375, or 2376 with TLS. */
  | { readonly kind: 'tcp'; readonly address: string; readonly port: number }
  /** Sockets from systemd: all, or the one with this name or number. */
  | { readonly kind: 'fd'; readonly name: string };

/** Reads a `--host`; without a protocol it is an address of TCP. Throws `invalid`. */
export function parseHost(text: string): Host {
  const match = /^([a-z]+):\/\/(.*)$/.exec(text.trim());
  if (match === null) {
    if (!/^\s*[^\s/]/.test(text))
      throw invalid(`invalid bind address (${text}): write unix://PATH, tcp://HOST:PORT or fd://`);
    return tcpHost(text, text.trim());
  }
  const [, protocol = '', rest = ''] = match;
  switch (protocol) {
    case 'unix':
      return unixHost(text, rest);
    case 'tcp':
      return tcpHost(text, rest);
    case 'fd':
      return { kind: 'fd', name: rest };
    default:
      throw invalid(`invalid bind address (${text}): unsupported proto '${protocol}'`);
  }
}

/** Whether only this machine can reach the address. */
export function isLoopback(address: string): boolean {
  return address === 'localhost' || address === '::1' || (isIP(address) === 4 && address.startsWith('127.'));
}

function unixHost(text: string, path: string): Host {
  if (!isAbsolute(path)) throw invalid(`invalid bind address (${text}): the path must be absolute`);
  // sockaddr_un has 108 bytes, and the path ends with a zero.
  if (Buffer.byteLength(path) > 107)
    throw invalid(`invalid bind address (${text}): the path is longer than 107 bytes`);
  return { kind: 'unix', path };
}

function tcpHost(text: string, rest: string): Host {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:/[\]]*))(?::(\d{1,5}))?\/?$/.exec(rest);
  if (match === null) throw invalid(`invalid bind address (${text}): it is tcp://HOST:PORT`);
  const [, v6, name = '', port = '0'] = match;
  if (v6 !== undefined && isIP(v6) !== 6)
    throw invalid(`invalid bind address (${text}): ${v6} is no IPv6 address`);
  if (Number(port) > 65535) throw invalid(`invalid bind address (${text}): there is no port ${port}`);
  return { kind: 'tcp', address: v6 ?? (name === '' ? '127.0.0.1' : name), port: Number(port) };
}
