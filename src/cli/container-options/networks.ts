import type { EndpointSettings } from '#/wire/networks.ts';
import type { ContainerFlags } from './flags.ts';
import { type NetworkAttachment, plainAttachment } from './network-flag.ts';
import { isMacAddress } from './validators.ts';

/** The network mode of the container and the networks that it joins with wishes. */
export interface NetworkOptions {
  readonly mode: string;
  readonly endpoints: Readonly<Record<string, EndpointSettings>>;
}

/** Modes that are not networks somebody made. */
function isUserDefined(mode: string): boolean {
  return !['', 'default', 'bridge', 'host', 'none'].includes(mode) && !mode.startsWith('container:');
}

/** Joins `--network` with the older flags about the first network. Throws an Error in docker's words. */
export function parseNetworks(flags: ContainerFlags): NetworkOptions {
  const given = flags.network;
  const [first = plainAttachment('default'), ...others] = given;
  const attachments = [withOlderFlags(first, flags), ...others];
  const endpoints: Record<string, EndpointSettings> = {};
  for (const [index, attachment] of attachments.entries()) {
    const endpoint = endpointOf(attachment);
    if (Object.hasOwn(endpoints, attachment.target)) {
      throw new Error(`network ${JSON.stringify(attachment.target)} is specified multiple times`);
    }
    // A single network without wishes is said by the mode alone, for daemons before 1.44.
    if (index === 0 && given.length === 1 && isPlain(attachment)) continue;
    endpoints[attachment.target] = endpoint;
  }
  const kinds = new Set(given.map(({ target }) => isUserDefined(target)));
  if (kinds.size > 1) {
    throw new Error(
      'conflicting options: cannot attach both user-defined and non-user-defined network-modes',
    );
  }
  return { mode: first.target, endpoints };
}

function withOlderFlags(first: NetworkAttachment, flags: ContainerFlags): NetworkAttachment {
  const conflict = (what: string): never => {
    throw new Error(`conflicting options: cannot specify both ${what}`);
  };
  const aliases = flags['network-alias'];
  const linkLocal = flags['link-local-ip'];
  const { link, ip, ip6, 'mac-address': mac } = flags;
  if (first.aliases.length > 0 && aliases.length > 0) conflict('--network-alias and per-network alias');
  if (first.links.length > 0 && link.length > 0) conflict('--link and per-network links');
  if (first.ipv4 !== '' && ip !== '') conflict('--ip and per-network IPv4 address');
  if (first.ipv6 !== '' && ip6 !== '') conflict('--ip6 and per-network IPv6 address');
  if (first.mac !== '' && mac !== '') conflict('--mac-address and per-network MAC address');
  if (first.linkLocal.length > 0 && linkLocal.length > 0) {
    conflict('--link-local-ip and per-network link-local IP addresses');
  }
  return {
    ...first,
    aliases: aliases.length > 0 ? aliases : first.aliases,
    // In the default bridge a link is an option of the container, elsewhere one of the endpoint.
    links: link.length > 0 && isUserDefined(first.target) ? link : first.links,
    ipv4: ip || first.ipv4,
    ipv6: ip6 || first.ipv6,
    mac: mac || first.mac,
    linkLocal: linkLocal.length > 0 ? linkLocal : first.linkLocal,
  };
}

function isPlain({ target: _target, ...wishes }: NetworkAttachment): boolean {
  return Object.values(wishes).every((wish) =>
    typeof wish === 'object' ? Object.keys(wish).length === 0 : wish === '' || wish === 0,
  );
}

function endpointOf(attachment: NetworkAttachment): EndpointSettings {
  const { target, aliases, links, ipv4, ipv6, linkLocal, mac, driverOptions, gatewayPriority } = attachment;
  if (target.trim() === '') throw new Error('no name set for network');
  if (!isUserDefined(target)) {
    if (aliases.length > 0)
      throw new Error('network-scoped aliases are only supported for user-defined networks');
    if (links.length > 0) throw new Error('links are only supported for user-defined networks');
  }
  if (mac !== '' && !isMacAddress(mac)) throw new Error(`${mac} is not a valid mac address`);
  const chosen = ipv4 !== '' || ipv6 !== '' || linkLocal.length > 0;
  return {
    IPAMConfig: chosen
      ? {
          ...(ipv4 !== '' && { IPv4Address: ipv4 }),
          ...(ipv6 !== '' && { IPv6Address: ipv6 }),
          ...(linkLocal.length > 0 && { LinkLocalIPs: linkLocal }),
        }
      : null,
    Links: links.length > 0 ? links : null,
    Aliases: aliases.length > 0 ? aliases : null,
    MacAddress: mac,
    DriverOpts: Object.keys(driverOptions).length > 0 ? driverOptions : null,
    GwPriority: gatewayPriority,
    NetworkID: '',
    EndpointID: '',
    Gateway: '',
    IPAddress: '',
    IPPrefixLen: 0,
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: null,
  };
}
