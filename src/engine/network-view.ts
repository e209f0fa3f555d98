import type { EndpointInfo } from '#/network/endpoint-info.ts';
import type { NetworkRecord, NetworkSpec, PoolSpec } from '#/network/model.ts';
import type { IpamPool, Network, NetworkContainer, NetworkCreateRequest } from '#/wire/networks.ts';

/** A network as Docker shows it. */
export function presentNetwork(
  network: NetworkRecord,
  containers: Readonly<Record<string, NetworkContainer>>,
): Network {
  const { id, name, created, driver, config } = network;
  return {
    Name: name,
    Id: id,
    Created: created,
    Scope: 'local',
    Driver: driver,
    EnableIPv4: true,
    EnableIPv6: false,
    IPAM: {
      Driver: config.ipam.driver,
      Options: config.ipam.options,
      Config: network.bridge === undefined ? null : config.ipam.pools.map(presentPool),
    },
    Internal: config.internal,
    Attachable: config.attachable,
    Ingress: false,
    ConfigFrom: { Network: '' },
    ConfigOnly: false,
    Containers: containers,
    Options: config.options,
    Labels: config.labels,
  };
}

/** An endpoint as its network shows it. */
export function presentEndpoint({ id, mac, address, prefix }: EndpointInfo, name: string): NetworkContainer {
  return {
    Name: name,
    EndpointID: id,
    MacAddress: mac ?? '',
    IPv4Address: address === undefined ? '' : `${address}/${prefix}`,
    IPv6Address: '',
  };
}

/** What a create request asks for, in the network layer's terms. */
export function networkSpec(request: NetworkCreateRequest): NetworkSpec {
  const { IPAM: ipam } = request;
  return {
    name: request.Name,
    driver: request.Driver ?? '',
    internal: request.Internal ?? false,
    attachable: request.Attachable ?? false,
    enableIpv6: request.EnableIPv6 ?? false,
    labels: request.Labels ?? {},
    options: request.Options ?? {},
    ipam: {
      driver: ipam?.Driver ?? '',
      options: ipam?.Options ?? null,
      pools: (ipam?.Config ?? []).map(poolSpec),
    },
  };
}

function presentPool({ subnet, range, gateway, auxiliary }: PoolSpec): IpamPool {
  return {
    ...(subnet !== undefined && { Subnet: subnet }),
    ...(range !== undefined && { IPRange: range }),
    ...(gateway !== undefined && { Gateway: gateway }),
    ...(auxiliary !== undefined && { AuxiliaryAddresses: auxiliary }),
  };
}

function poolSpec({ Subnet, IPRange, Gateway, AuxiliaryAddresses }: IpamPool): PoolSpec {
  return {
    ...(Subnet !== undefined && { subnet: Subnet }),
    ...(IPRange !== undefined && { range: IPRange }),
    ...(Gateway !== undefined && { gateway: Gateway }),
    ...(AuxiliaryAddresses !== undefined && { auxiliary: AuxiliaryAddresses }),
  };
}
