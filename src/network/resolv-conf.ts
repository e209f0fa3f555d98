import { isIP } from 'node:net';
import { invalid } from '#/base/errors.ts';

/** What a container's /etc/resolv.conf is made from; empty lists mean: as on the host. */
export interface ResolvConfInput {
  /** Text of the host's resolv.conf. */
  readonly host: string;
  /** Addresses of name servers. */
  readonly dns: readonly string[];
  /** Search domains; a single `.` means none. */
  readonly search: readonly string[];
  /** Resolver options, for example `ndots:2`. */
  readonly options: readonly string[];
  /** The container shares the host's network, where resolvers on loopback addresses can be reached. */
  readonly hostNetwork?: boolean;
}

/** Lines of a resolv.conf beyond this are ignored; the C library reads three servers and six domains. */
const maxLines = 256;

/** Used where nothing else is known, as Docker does. */
const publicServers: readonly string[] = ['8.8.8.8', '8.8.4.4'];

interface ResolvConf {
  servers: string[];
  search: string[];
  options: string[];
}

/**
 * The text of a container's /etc/resolv.conf. A resolver on the host's loopback (systemd-resolved, dnsmasq) cannot be
 * reached from another network namespace: it is left out, and if none remains public servers take its place. Throws
 * `invalid` if one of `dns` is no address.
 */
export function resolvConf(input: ResolvConfInput): string {
  const host = parseResolvConf(input.host);
  const reachable =
    input.hostNetwork === true ? host.servers : host.servers.filter((server) => !isLoopback(server));
  const inherited = reachable.length > 0 || input.hostNetwork === true ? reachable : publicServers;
  const wrong = input.dns.find((server) => !isAddress(server));
  if (wrong !== undefined) {
    throw invalid(`bad nameserver address ${wrong}: ParseAddr(${JSON.stringify(wrong)}): unable to parse IP`);
  }
  const servers = input.dns.length > 0 ? input.dns : inherited;
  const search = (input.search.length > 0 ? input.search : host.search).filter((domain) => domain !== '.');
  const options = input.options.length > 0 ? input.options : host.options;
  return [
    '# Made by Skiff when the container started.',
    ...servers.map((server) => `nameserver ${server}`),
    ...(search.length > 0 ? [`search ${search.join(' ')}`] : []),
    ...(options.length > 0 ? [`options ${options.join(' ')}`] : []),
    '',
  ].join('\n');
}

/** Reads what resolv.conf(5) describes: the last `search` or `domain` counts, options add up, the rest is ignored. */
function parseResolvConf(text: string): ResolvConf {
  const result: ResolvConf = { servers: [], search: [], options: [] };
  for (const line of text.split('\n', maxLines)) {
    const [keyword, ...values] = line
      .replace(/[#;].*/, '')
      .trim()
      .split(/\s+/);
    const [first = ''] = values;
    if (keyword === 'nameserver' && isAddress(first)) result.servers.push(first);
    else if (keyword === 'search' || keyword === 'domain') result.search = values;
    else if (keyword === 'options') result.options.push(...values);
  }
  return result;
}

/** Perhaps with a zone, as in fe80::1%eth0. */
function isAddress(text: string): boolean {
  return isIP(text.replace(/%.*/, '')) !== 0;
}

function isLoopback(server: string): boolean {
  return server.startsWith('127.') || server === '::1';
}
