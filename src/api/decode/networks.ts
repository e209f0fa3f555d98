import type { EndpointIpamConfig, EndpointSettings } from '#/wire/networks.ts';
import { type Decoder, int, nullable, omitEmpty, string, stringMap, strings, struct } from './json.ts';

const endpointIpam: Decoder<EndpointIpamConfig> = struct('network.EndpointIPAMConfig', {
  IPv4Address: omitEmpty(string),
  IPv6Address: omitEmpty(string),
  LinkLocalIPs: omitEmpty(strings),
});

/** A container's place in a network, as a client asks for it. */
export const endpointSettings: Decoder<EndpointSettings> = struct('network.EndpointSettings', {
  IPAMConfig: nullable(endpointIpam),
  Links: strings,
  Aliases: strings,
  MacAddress: string,
  DriverOpts: stringMap,
  GwPriority: int,
  NetworkID: string,
  EndpointID: string,
  Gateway: string,
  IPAddress: string,
  IPPrefixLen: int,
  IPv6Gateway: string,
  GlobalIPv6Address: string,
  GlobalIPv6PrefixLen: int,
  DNSNames: strings,
});
