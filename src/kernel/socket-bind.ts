import { constants as os } from 'node:os';
import type { SystemError } from '#/base/errors.ts';
import { close } from './at.ts';
import { check, systemError } from './errno.ts';
import { addressBytes } from './ip-address.ts';
import { errno, libc } from './libc.ts';
import { setSocketOption } from './socket-option.ts';

const AF_INET = 2;
const AF_INET6 = 10;
const SOCK_STREAM = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SHUT_RD = 0;

const protocols: Readonly<
  Record<'tcp' | 'udp' | 'sctp', { readonly type: number; readonly number: number }>
> = {
  tcp: { type: SOCK_STREAM, number: 6 },
  udp: { type: SOCK_DGRAM, number: 17 },
  sctp: { type: SOCK_STREAM, number: 132 },
};

/** An address and a port of the machine; `ip` "0.0.0.0" or "::" is all addresses of that family, port 0 any free one. */
export interface PortBinding {
  readonly proto: keyof typeof protocols;
  readonly ip: string;
  readonly port: number;
}

/** A port that is held until `fd` is closed. */
export interface BoundPort {
  readonly fd: number;
  readonly port: number;
}

/**
 * Takes a port without listening on it, so that nobody else gets it: connections that reach the socket are refused.
 * The descriptor may be given to a server later. An IPv6 address never covers IPv4. Throws EADDRINUSE, EADDRNOTAVAIL,
 * EACCES, or EPROTONOSUPPORT when the kernel has no SCTP; port and address are in the message.
 */
export function bindPort(binding: PortBinding): BoundPort {
  const { port } = binding;
  if (!Number.isInteger(port) || port < 0 || port > 65535) throw new RangeError(`invalid port ${port}`);
  const fd = openSocket(binding);
  try {
    const address = socketAddress(binding);
    if (libc.bind(fd, address, address.length) >= 0) return { fd, port: boundPort(fd) };
    const error = errno();
    if (error !== os.errno.EADDRINUSE || binding.proto !== 'tcp') throw bindError(error, binding);
  } catch (error) {
    close(fd);
    throw error;
  }
  close(fd);
  return bindPastClosedConnections(binding);
}

/**
 * Ended connections (TIME_WAIT) of an earlier server hold its port for a minute, against binding, though not against
 * listening with SO_REUSEADDR. So this listens for a moment, which proves that the port is free, and then makes
 * the socket one that shares its port with nobody.
 */
function bindPastClosedConnections(binding: PortBinding): BoundPort {
  const fd = openSocket(binding);
  try {
    const address = socketAddress(binding);
    setSocketOption(fd, SOL_SOCKET, { name: SO_REUSEADDR, value: 1 });
    if (libc.bind(fd, address, address.length) < 0 || libc.listen(fd, 0) < 0)
      throw bindError(errno(), binding);
    setSocketOption(fd, SOL_SOCKET, { name: SO_REUSEADDR, value: 0 });
    check(libc.shutdown(fd, SHUT_RD), 'shutdown');
    return { fd, port: boundPort(fd) };
  } catch (error) {
    close(fd);
    throw error;
  }
}

function openSocket({ proto, ip }: PortBinding): number {
  const family = addressBytes(ip).length === 4 ? AF_INET : AF_INET6;
  const { type, number } = protocols[proto];
  const fd = check(libc.socket(family, type | SOCK_CLOEXEC, number), 'socket', `${ip}/${proto}`);
  try {
    if (family === AF_INET6) setSocketOption(fd, IPPROTO_IPV6, { name: IPV6_V6ONLY, value: 1 });
    return fd;
  } catch (error) {
    close(fd);
    throw error;
  }
}

/** struct sockaddr_in {u16 family, be16 port, u8 ip[4], u8 zero[8]} or sockaddr_in6 {…, u32 flow, u8 ip[16], u32 scope}. */
function socketAddress({ ip, port }: PortBinding): Buffer {
  const bytes = addressBytes(ip);
  const raw = Buffer.alloc(bytes.length === 4 ? 16 : 28);
  raw.writeUInt16LE(bytes.length === 4 ? AF_INET : AF_INET6, 0);
  raw.writeUInt16BE(port, 2);
  bytes.copy(raw, bytes.length === 4 ? 4 : 8);
  return raw;
}

function boundPort(fd: number): number {
  const address = Buffer.alloc(28);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(address.length);
  check(libc.getsockname(fd, address, length), 'getsockname');
  return address.readUInt16BE(2);
}

function bindError(error: number, { proto, ip, port }: PortBinding): SystemError {
  return systemError('bind', error, `${ip.includes(':') ? `[${ip}]` : ip}:${port}/${proto}`);
}
