import { lookup } from 'node:dns/promises';
import { isIP } from 'node:net';
import { hostnameOf, inRange, isLoopback } from './addresses.ts';

/** How a registry is reached beyond its own address. */
interface RegistryRoute {
  /** URLs, tried in this order before the registry itself, for pulls. */
  readonly mirrors: readonly string[];
  /** The first whose pattern matches the path of a repository changes it, on the registry and on its mirrors. */
  readonly rewrites: readonly { readonly from: RegExp; readonly to: string }[];
  /** Other hosts that may give out tokens for it. */
  readonly realms?: readonly string[];
}

/** What is configured about registries. */
export interface HostSettings {
  /** URLs of mirrors of Docker Hub. */
  readonly mirrors: readonly string[];
  /** By the domain of references. */
  readonly routes: Readonly<Record<string, RegistryRoute>>;
  /** Hosts, with or without port, and CIDRs that may be spoken to without TLS or with a certificate that nobody vouches for. */
  readonly insecure: readonly string[];
  /** Folders like Docker's `certs.d`. */
  readonly certificateDirectories: readonly string[];
}

/** One address to try. */
export interface RegistryHost {
  /** Ends with a slash; the protocol's `v2/` comes after it. */
  readonly base: URL;
  /** Of the references that it is asked about, and in the configuration. */
  readonly domain: string;
  /** `host[:port]` as in names of folders with certificates. */
  readonly name: string;
  readonly isMirror: boolean;
  /** No TLS, or TLS without a check of the certificate, is acceptable. */
  readonly insecure: boolean;
  /** Other hosts that may give out its tokens. */
  readonly realms: readonly string[];
}

/** Docker Hub in references, and where it answers. */
export const hubDomain = 'docker.io';
const hubRegistry = 'registry-1.docker.io';

const noRoute: RegistryRoute = { mirrors: [], rewrites: [] };

/** Where to ask for the repositories of `domain`, in this order. Only pulls go to mirrors. */
export async function hostsFor(
  domain: string,
  settings: HostSettings,
  { mirrors }: { mirrors: boolean },
): Promise<RegistryHost[]> {
  const route = routeOf(domain, settings);
  const urls = mirrors ? [...(domain === hubDomain ? settings.mirrors : []), ...route.mirrors] : [];
  const found: RegistryHost[] = [];
  for (const url of urls) {
    const base = new URL(url.endsWith('/') ? url : `${url}/`);
    const insecure = base.protocol === 'http:' || (await isInsecure(base.host, settings));
    found.push({ domain, base, name: base.host, isMirror: true, insecure, realms: route.realms ?? [] });
  }
  const host = domain === hubDomain ? hubRegistry : domain;
  const own = { domain, name: host, isMirror: false, realms: route.realms ?? [] };
  const insecure = domain !== hubDomain && (await isInsecure(host, settings));
  found.push({ ...own, base: new URL(`https://${host}/`), insecure });
  if (insecure) found.push({ ...own, base: new URL(`http://${host}/`), insecure });
  return found;
}

/** The path of a repository as the registry knows it. */
export function rewrittenPath(domain: string, path: string, settings: HostSettings): string {
  const rewrite = routeOf(domain, settings).rewrites.find(({ from }) => from.test(path));
  return rewrite === undefined ? path : path.replace(rewrite.from, rewrite.to);
}

function routeOf(domain: string, { routes }: HostSettings): RegistryRoute {
  return Object.hasOwn(routes, domain) ? (routes[domain] ?? noRoute) : noRoute;
}

/**
 * Docker's rule: a registry is insecure if it is listed, or if its name leads to an address in a range that is. This machine's
 * own addresses always are.
 */
export async function isInsecure(host: string, { insecure }: HostSettings): Promise<boolean> {
  const hostname = hostnameOf(host);
  if (isLoopback(hostname)) return true;
  if (
    insecure.some((entry) => entry.toLowerCase() === host.toLowerCase() || entry.toLowerCase() === hostname)
  ) {
    return true;
  }
  const ranges = ['127.0.0.0/8', '::1/128', ...insecure.filter((entry) => entry.includes('/'))];
  const addresses = isIP(hostname) === 0 ? await addressesOf(hostname) : [hostname];
  return addresses.some((address) => ranges.some((range) => inRange(address, range)));
}

/** A name that cannot be looked up has none; the request that follows tells why. */
async function addressesOf(hostname: string): Promise<string[]> {
  try {
    return (await lookup(hostname, { all: true })).map(({ address }) => address);
  } catch {
    return [];
  }
}
