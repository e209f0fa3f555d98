import { isIP } from 'node:net';
import { invalid, notImplemented } from '#/base/errors.ts';
import { formatIpv4, parseIpv4 } from './address.ts';

/** A transport that ports belong to. */
export type Protocol = 'tcp' | 'udp' | 'sctp';

/** One port of a container that is to be reachable on the host. */
export interface PortRequest {
  readonly protocol: Protocol;
  /** 1 to 65535. */
  readonly containerPort: number;
  /** Dotted decimal; undefined: the network's default, normally all addresses of the host. */
  readonly hostIp?: string;
  /** Any one free port from the first to the last; undefined: one of the ephemeral ports. */
  readonly hostPorts?: { readonly first: number; readonly last: number };
}

/** A port of a container as it can be reached now. */
export interface PublishedPort {
  readonly protocol: Protocol;
  readonly containerPort: number;
  readonly hostIp: string;
  readonly hostPort: number;
}

/** Reads a container's port, `80/tcp` or `80`, as it stands in ExposedPorts and as key in PortBindings. */
export function parseContainerPort(text: string): { protocol: Protocol; port: number } {
  const [port = '', protocol = 'tcp', ...rest] = text.split('/');
  const known = protocol.toLowerCase();
  if (rest.length > 0 || !isProtocol(known))
    throw invalid(`invalid protocol in port specification: "${text}"`);
  const number = parsePort(port);
  if (number === undefined || number === 0) throw invalid(`invalid port specification: "${port}"`);
  return { protocol: known, port: number };
}

/**
 * Reads one entry of PortBindings: the port of the container (`80/tcp`), and where it is to appear on the host: an
 * address or nothing, and `8080`, `8000-8005` (any one of them), `0` or nothing (an ephemeral port).
 */
export function parsePortBinding(
  containerPort: string,
  binding: { hostIp: string; hostPort: string },
): PortRequest {
  const { protocol, port } = parseContainerPort(containerPort);
  const hostIp = parseHostIp(binding.hostIp);
  const hostPorts = parseRange(binding.hostPort);
  return {
    protocol,
    containerPort: port,
    ...(hostIp !== undefined && { hostIp }),
    ...(hostPorts !== undefined && { hostPorts }),
  };
}

function parseHostIp(text: string): string | undefined {
  if (text === '') return undefined;
  const address = parseIpv4(text);
  if (address !== undefined) return formatIpv4(address);
  if (isIP(text) === 6)
    throw notImplemented(`publishing a port on the IPv6 address "${text}" is not supported yet`);
  throw invalid(`invalid host IP address: "${text}"`);
}

function parseRange(text: string): { first: number; last: number } | undefined {
  if (text === '' || text === '0') return undefined;
  const [from = '', to = from, ...rest] = text.split('-');
  const first = parsePort(from);
  const last = parsePort(to);
  if (rest.length > 0 || !first || !last || last < first)
    throw invalid(`invalid port specification: "${text}"`);
  return { first, last };
}

function parsePort(text: string): number | undefined {
  return /^\d{1,5}$/.test(text) && Number(text) <= 65535 ? Number(text) : undefined;
}

function isProtocol(text: string): text is Protocol {
  return text === 'tcp' || text === 'udp' || text === 'sctp';
}
