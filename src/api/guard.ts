import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { hostname } from 'node:os';

/**
 * Why a request that came over TCP must not be answered, or undefined. Web pages can make a browser talk to any port of
 * the machine it runs on: they give themselves away by an Origin header, or, when they have pointed a name of theirs at
 * the machine (DNS rebinding), by the Host header. Docker's clients send no Origin, and the address they connect to as
 * Host.
 */
export function refusal(request: IncomingMessage, names: ReadonlySet<string>): string | undefined {
  if (request.headers.origin !== undefined)
    return 'requests from web pages (with an Origin header) are refused';
  const host = hostOf(request.headers.host ?? '');
  if (isIP(host) !== 0 || names.has(host) || host === 'localhost' || host.endsWith('.localhost'))
    return undefined;
  return `the Host header names ${JSON.stringify(host)}, which is not this machine`;
}

/** The names under which clients may reach this machine, besides addresses: its own, and those it was told to listen on. */
export function machineNames(listenHosts: Iterable<string>): ReadonlySet<string> {
  const own = hostname().toLowerCase();
  return new Set([own, own.split('.', 1)[0] ?? own, ...[...listenHosts].map((name) => name.toLowerCase())]);
}

function hostOf(header: string): string {
  const bracketed = /^\[([^\]]*)\]/.exec(header);
  return (bracketed?.[1] ?? header.replace(/:\d*$/, '')).toLowerCase();
}
