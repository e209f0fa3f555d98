import { shortId } from '#/base/ids.ts';
import type { EndpointInfo } from '#/network/endpoint-info.ts';
import type { PublishedPort } from '#/network/port-request.ts';
import type { PortBinding, PortMap } from '#/wire/containers.ts';
import type { EndpointSettings } from '#/wire/networks.ts';
import type { ContainerRecord } from './model.ts';

/** A container's place in a network as inspect shows it: what was asked for, and what it has while it runs. */
export function endpointSettings(
  record: ContainerRecord,
  { endpoint, networkId, name }: { endpoint: EndpointInfo | undefined; networkId: string; name: string },
): EndpointSettings {
  const asked = record.spec.networking.EndpointsConfig?.[name];
  const userDefined = !['bridge', 'host', 'none'].includes(name);
  return {
    IPAMConfig: asked?.IPAMConfig ?? null,
    Links: asked?.Links ?? null,
    Aliases: asked?.Aliases ?? null,
    MacAddress: endpoint?.mac ?? '',
    DriverOpts: asked?.DriverOpts ?? null,
    GwPriority: asked?.GwPriority ?? 0,
    NetworkID: endpoint?.networkId ?? networkId,
    EndpointID: endpoint?.id ?? '',
    Gateway: endpoint?.gateway ?? '',
    IPAddress: endpoint?.address ?? '',
    IPPrefixLen: endpoint?.address === undefined ? 0 : (endpoint.prefix ?? 0),
    IPv6Gateway: '',
    GlobalIPv6Address: '',
    GlobalIPv6PrefixLen: 0,
    DNSNames: userDefined ? [record.name, shortId(record.id), ...(asked?.Aliases ?? [])] : null,
  };
}

/** Published ports by `port/protocol`; exposed ones that are not published are null. */
export function portMap(exposed: readonly string[], published: readonly PublishedPort[]): PortMap {
  const map: Record<string, PortBinding[] | null> = Object.fromEntries(exposed.map((port) => [port, null]));
  for (const { protocol, containerPort, hostIp, hostPort } of published) {
    const key = `${containerPort}/${protocol}`;
    map[key] = [...(map[key] ?? []), { HostIp: hostIp, HostPort: String(hostPort) }];
  }
  return map;
}
